"""Traps that public code of rankers has fallen into, and the tests that keep ours out of them."""

import ast
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from bonmf_lib.config import make_config
from bonmf_lib.errors import ConfigError, ModelError
from bonmf_lib.evaluation.ranking import UnseenItems
from bonmf_lib.models import get_model
from tests.conftest import CPU, ROOT
from tests.contracts.kinds import RANKERS, default_model, random_batch

# What goes wrong, and the tests that would fail, by their file in tests.
TRAPS: dict[int, tuple[str, dict[str, tuple[str, ...]]]] = {
    1: (
        "What should learn is a plain tensor, which no optimiser sees and no file keeps.",
        {
            "contracts/test_rankers": (
                "test_every_parameter_moves_in_training",
                "test_what_hooks_leave_behind_has_no_gradient",
                "test_evaluation_is_that_of_a_fresh_model_with_the_same_weights",
            ),
            "unit/test_modality_graphs": ("test_frozen_preferences_keep_their_start",),
        },
    ),
    2: (
        "An option is read and ignored; or the text 'False' counts as true.",
        {
            "contracts/test_rankers": ("test_each_option_changes_the_output",),
            "unit/test_ranker_traps": ("test_a_switch_is_no_text_and_no_number",),
        },
    ),
    3: (
        "Lists are made of vectors that the last batch of a training left behind.",
        {
            "contracts/test_rankers": (
                "test_evaluation_is_that_of_a_fresh_model_with_the_same_weights",
            ),
            "unit/test_ranker_graphs": ("test_a_changed_weight_makes_new_vectors",),
        },
    ),
    4: (
        "The loss changes its batch or the features in place.",
        {"contracts/test_rankers": ("test_batch_and_inputs_are_unchanged_by_the_loss",)},
    ),
    5: (
        "GRCN routes along edges that end at items, so that users' preferences stay.",
        {
            "unit/test_modality_graphs": (
                "test_routing_moves_preferences",
                "test_grcn_equals_the_dense_computation",
            ),
        },
    ),
    6: (
        "Training items are masked by a number that other scores fall below.",
        {"unit/test_ranker_traps": ("test_training_items_are_never_listed",)},
    ),
    7: (
        "NDCG is divided by the ideal of the hits instead of all test items.",
        {
            "unit/test_ranking": (
                "test_worked_example",
                "test_ndcg_is_that_of_scikit_learn_without_ties",
            ),
        },
    ),
    8: (
        "A model fails where it is to read one modality, or none.",
        {"unit/test_ranker_traps": ("test_a_model_reads_what_it_is_given_alone",)},
    ),
    9: (
        "A graph of items outlives the features that it was made of.",
        {"unit/test_item_graphs": ("test_other_features_have_another_graph",)},
    ),
    10: (
        "Test pairs choose settings or epochs.",
        {
            "unit/test_tuning": (
                "test_other_test_items_change_no_trial_and_no_score_of_a_ranker",
                "test_other_validation_items_change_the_trials_of_a_ranker",
            ),
        },
    ),
    11: (
        "Values are rounded before they are compared, so that small gains do not count.",
        {"unit/test_training": ("test_patience_starts_anew_with_any_gain_however_small",)},
    ),
    12: (
        "A test item wins all ties, so that constant scores hit always.",
        {
            "contracts/test_rankers": (
                "test_equal_scores_never_hit_where_ties_are_lost",
                "test_equal_scores_hit_by_chance_alone",
            ),
            "unit/test_ranking": ("test_constant_scores_hit_as_seldom_as_chance",),
        },
    ),
    13: (
        "Slow targets have a gradient, or follow by another share than the momentum leaves.",
        {
            "unit/test_lightgcn_and_buir": (
                "test_targets_of_buir_follow_by_their_momentum_alone",
                "test_buir_equals_its_equations",
            ),
        },
    ),
    14: (
        "The cosine with a target that dropout left nothing is NaN.",
        {
            "unit/test_bm3": (
                "test_each_term_of_the_worked_example",
                "test_targets_that_dropout_leaves_nothing_pull_at_nothing",
            ),
            "unit/test_lightgcn_and_buir": ("test_a_zero_vector_is_no_nan",),
        },
    ),
    15: (
        "The degree of who has no training pair is divided by.",
        {
            "unit/test_ranker_graphs": (
                "test_the_mean_of_layers_is_that_of_powers_of_the_dense_matrix",
            ),
            "unit/test_bm3": (
                "test_who_has_no_edge_is_left_with_his_own_vector",
                "test_who_has_no_edge_learns_from_the_penalty_of_all_alone",
            ),
            "unit/test_lightgcn_and_buir": (
                "test_lightgcn_equals_dense_products",
                "test_buir_leaves_who_has_no_edge_with_his_own_vector",
                "test_buir_is_finite_where_a_step_leaves_out_all_edges_of_some",
            ),
            "unit/test_modality_graphs": (
                "test_at_first_who_has_no_edge_and_no_picture_is_finite",
            ),
            "unit/test_item_graph_rankers": (
                "test_freedoms_vectors_are_those_of_dense_matrices",
                "test_lattices_vectors_and_gradients_are_those_of_dense_matrices",
            ),
        },
    ),
    16: (
        "Cosines of an item sum to less than zero, and the root of their sum is NaN.",
        {
            "unit/test_item_graphs": ("test_rows_without_a_positive_sum_are_finite",),
            "unit/test_item_graph_rankers": ("test_features_in_opposite_directions_are_finite",),
        },
    ),
    17: (
        "A user without neighbours is given the taste of some other.",
        {
            "unit/test_learned_edges": (
                "test_nobody_is_near_without_shared_items",
                "test_rankings_count_every_neighbour_once",
            ),
            "unit/test_modality_graphs": ("test_dualgnn_equals_the_dense_computation",),
        },
    ),
    18: (
        "A pair that comes twice is two edges, two counts or two hits.",
        {
            "unit/test_ranker_graphs": ("test_repeated_pairs_are_one_edge",),
            "unit/test_rankers": (
                "test_popularity_counts_users",
                "test_histories_are_those_of_the_users_asked_for",
            ),
            "unit/test_implicit": ("test_repeated_training_pairs_count_once",),
            "unit/test_ranking": ("test_equals_the_reference",),
            "unit/test_mmrec": ("test_bad_rows_name_file_line_and_mend",),
        },
    ),
}


def test_every_trap_has_tests_that_are_there():
    assert list(TRAPS) == list(range(1, 19))
    for number, (_, files) in TRAPS.items():
        for file, named in files.items():
            tree = ast.parse((ROOT / "tests" / f"{file}.py").read_text(encoding="utf-8"))
            known = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert named and set(named) <= known, (number, file, set(named) - known)


# Trap 2

SWITCHES = [
    (name, field.name)
    for name in RANKERS
    for field in fields(get_model(name).config)
    if field.type is bool
]


def test_all_switches_are_known():
    assert {("mmgcn", "concat"), ("mmgcn", "frozen_preferences"), ("lattice", "dense")} <= set(
        SWITCHES
    )


@pytest.mark.parametrize("value", ["False", "false", "", 0, 1])
@pytest.mark.parametrize(("name", "switch"), SWITCHES)
def test_a_switch_is_no_text_and_no_number(name, switch, value):
    kind = get_model(name).config
    with pytest.raises(ConfigError, match=rf"{kind.__name__}\.{switch}: .* valid boolean"):
        make_config(kind, {switch: value})
    with pytest.raises(ValueError, match="valid boolean"):
        kind(**{switch: value})
    assert getattr(make_config(kind, {switch: False}), switch) is False


# Trap 6


@pytest.mark.parametrize("level", [-10.0, -1e30, 0.0, 10.0])
def test_training_items_are_never_listed(level):
    """Whatever is above or below zero. User 0's items are ranked 0 to 4, 0 and 3 are trained on;
    user 1's 4 to 0, 4 is. Wanted are 2, 3, 4 and 0; 3 is in both parts and cannot be found."""
    order = torch.arange(5.0)
    table = torch.stack([-order, order]) * max(1.0, abs(level) / 10) + level
    assert (table.max() < 0) == (level < 0)
    train = np.array([0, 0, 1]), np.array([0, 3, 4])
    test = np.array([0, 0, 0, 1]), np.array([2, 3, 4, 0])
    unseen = UnseenItems(train, test, 2, 5, CPU)
    found = unseen.rank(lambda users: table[users], (1, 2, 3, 5))  # 1 2 4, and 3 2 1 0
    expected = {
        "hr@1": [0, 0], "recall@2": [1 / 3, 0], "recall@3": [2 / 3, 0], "precision@3": [2 / 3, 0],
        "recall@5": [2 / 3, 1], "precision@5": [2 / 5, 1 / 5], "mrr": [1 / 2, 1 / 4],
    }  # fmt: skip
    for name, values in expected.items():
        assert found.per_user()[name].tolist() == pytest.approx(values), name
    assert found.metrics["coverage@2"] == 3 / 5 and found.metrics["coverage@5"] == 1
    assert unseen.hits_by_item(lambda users: table[users], 5).tolist() == [1, 0, 1, 0, 1]


# Trap 8

OF_CONTENT = [name for name in RANKERS if hasattr(get_model(name).config(), "modalities")]
NEED_CONTENT = ("mmgcn", "grcn", "dualgnn", "lattice")


@pytest.mark.parametrize("modalities", [(), ("text",), ("image",)])
@pytest.mark.parametrize("name", OF_CONTENT)
def test_a_model_reads_what_it_is_given_alone(name, modalities, inputs):
    """All of it learns and ranks where the other modality is not there at all."""
    unread = {modality: None for modality in ("text", "image") if modality not in modalities}
    given = replace(inputs, **unread)
    if not modalities and name in NEED_CONTENT:
        with pytest.raises(ModelError):
            default_model(name, given, modalities=modalities)
        return
    model = default_model(name, given, modalities=modalities)
    model.start_epoch(0)
    loss, penalty = model.loss(random_batch(given, 5000))
    (loss if penalty is None else loss + penalty).backward()
    assert all(part.grad is not None and part.grad.any() for part in model.parameters())
    assert torch.isfinite(model.eval().score_all_items(torch.arange(given.n_users))).all()
