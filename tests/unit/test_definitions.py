"""Metric definitions against hand-computed cases, scikit-learn, the FAQ of scikit-surprise and
plain Python; the search for a paper's definition against a planted one."""

from collections import defaultdict
from math import log2

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import ndcg_score

from bonmf_lib.errors import ConfigError, RecordError
from bonmf_lib.evaluation import TopKDefinition, top_k
from bonmf_lib.evaluation.definitions import (
    MetricDefinition,
    definition_grid,
    evaluate_all_items,
    evaluate_definitions,
)
from bonmf_lib.report.definition_fits import (
    evidence_sentences,
    fit_sentence,
    fit_to_paper,
    fits_by_name,
    joint_fit,
    joint_sentence,
    order_evidence,
    part_sentences,
)
from bonmf_lib.report.figures.practices import definition_heat, definition_map

#          user 7: by score 2, 5, 4 (predicted 4.5, 4, 1);  user 9: one rating of 3, predicted 3;
SMALL = np.array([7, 7, 7, 9]), np.array([5.0, 2.0, 4.0, 3.0]), np.array([4.0, 4.5, 1.0, 3.0])


def precision(**values) -> MetricDefinition:
    return MetricDefinition(
        **({"metric": "precision", "threshold": 4.0, "variant": "list"} | values)
    )


def ndcg(**values) -> MetricDefinition:
    return MetricDefinition(**({"metric": "ndcg", "gain": "linear"} | values))


@pytest.fixture
def case():
    """Half-integer predictions (many ties), users with one to forty ratings, user ids with gaps."""
    random = np.random.default_rng(0)
    users = np.repeat(np.arange(60) * 3, random.integers(1, 41, 60))
    shuffled = random.permutation(users)
    truth = random.integers(1, 6, len(users)).astype(np.float32)
    predicted = np.clip(np.round(2 * (0.5 * truth + random.normal(1.8, 1, len(users)))) / 2, 1, 5)
    return shuffled, truth, predicted.astype(np.float32)


@pytest.fixture
def catalogue():
    """Scores (users, items) without ties, partly negative; training pairs; test pairs of all users
    but two.

    User 0 has rated so much in training that fewer than 20 candidates remain.
    """
    random = np.random.default_rng(1)
    scores = random.normal(3, 2, (23, 40)).astype(np.float32)
    part = random.choice([0, 1, 2], (23, 40), p=[0.6, 0.25, 0.15])
    part[0, :30] = 1
    part[0, 30:33] = 2
    part[[4, -1]] = np.minimum(part[[4, -1]], 1)
    test = np.nonzero(part == 2)
    shuffle = random.permutation(len(test[0]))
    ratings = random.integers(1, 6, len(shuffle)).astype(np.float32)
    return scores, np.nonzero(part == 1), (test[0][shuffle], test[1][shuffle], ratings)


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (precision(k=2), (1 / 2 + 0) / 2),
        (precision(k=2, averaging="pooled"), 1 / 3),
        (precision(k=2, variant="fixed"), (1 / 2 + 0) / 2),
        (precision(k=3, variant="list"), (2 / 3 + 0) / 2),
        (precision(k=3, variant="list", threshold=3.0), (2 / 3 + 1) / 2),
        (precision(k=3, variant="fixed", threshold=3.0), (2 / 3 + 1 / 3) / 2),
        (precision(k=3, variant="fixed", threshold=3.0, averaging="pooled"), 3 / 6),
        (precision(k=None), (2 / 3 + 0) / 2),
        (precision(k=None, averaging="pooled"), 2 / 4),
        (precision(k=None, variant="recommended", empty=0.0), (1 / 2 + 0) / 2),
        (precision(k=None, variant="recommended", empty=1.0), (1 / 2 + 1) / 2),
        (precision(k=1, variant="recommended", empty=1.0), (0 + 1) / 2),
        (precision(k=None, variant="recommended", averaging="pooled"), 1 / 2),
        (precision(k=None, variant="recommended", averaging="pooled", threshold=3.0), 2 / 3),
        (ndcg(k=1), (2 / 5 + 1) / 2),
        (ndcg(k=2), ((2 + 5 / log2(3)) / (5 + 4 / log2(3)) + 1) / 2),
        (ndcg(k=1, gain="exponential"), (3 / 31 + 1) / 2),
        # user 9 has no gain
        (
            ndcg(k=2, gain="binary", threshold=4.0),
            1 / log2(3) / (1 + 1 / log2(3)),
        ),
        (ndcg(k=None), ((2 + 5 / log2(3) + 4 / 2) / (5 + 4 / log2(3) + 2 / 2) + 1) / 2),
        (ndcg(k=2, averaging="pooled"), (2 + 5 / log2(3)) / (5 + 4 / log2(3))),
        (ndcg(k=3, averaging="pooled"), (2 + 5 / log2(3) + 3 / 2) / (5 + 4 / log2(3) + 3 / 2)),
    ],
    ids=lambda value: value.label if isinstance(value, MetricDefinition) else "",
)
def test_by_hand(definition, expected):
    assert evaluate_definitions(*SMALL, [definition])[0] == pytest.approx(expected, abs=1e-15)


def test_undefined_values_are_nan():
    users, truth, low = SMALL[0], SMALL[1], np.ones(4)
    nothing = [
        precision(variant="recommended", averaging="pooled"),
        ndcg(gain="binary", threshold=6.0),
    ]
    assert np.isnan(evaluate_definitions(users, truth, low, nothing)).all()


@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize("gain", ["exponential", "linear"])
def test_equals_the_studys_own_definitions_with_ties(case, k, gain):
    found = top_k(*case, TopKDefinition(k=k, threshold=4.0, gain=gain))
    ours = evaluate_definitions(*case, [precision(k=k), ndcg(k=k, gain=gain)])
    assert ours == pytest.approx([found["precision"].mean(), np.nanmean(found["ndcg"])], abs=1e-12)


@pytest.mark.parametrize("k", [1, 5, None])
def test_ndcg_equals_scikit_learn(case, k):
    users, truth, _ = case
    predicted = np.random.default_rng(2).normal(size=len(users))
    expected = []
    for user in np.unique(users):
        mine = users == user
        # scikit-learn refuses lists of one item, whose NDCG is 1
        expected.append(
            ndcg_score([truth[mine]], [predicted[mine]], k=k) if mine.sum() > 1 else 1.0
        )
    assert evaluate_definitions(users, truth, predicted, [ndcg(k=k)])[0] == pytest.approx(
        np.mean(expected)
    )
    one_list = evaluate_definitions(users, truth, predicted, [ndcg(k=k, averaging="pooled")])[0]
    assert one_list == pytest.approx(ndcg_score([truth], [predicted], k=k))


def faq_precision(users, truth, predicted, k, threshold, empty):
    """precision_recall_at_k of https://surprise.readthedocs.io/en/stable/FAQ.html, written anew."""
    ratings = defaultdict(list)
    for user, true, estimate in zip(
        users.tolist(), truth.tolist(), predicted.tolist(), strict=True
    ):
        ratings[user].append((estimate, true))
    out = []
    for pairs in ratings.values():
        best = sorted(pairs, key=lambda pair: pair[0], reverse=True)[:k]
        recommended = [true for estimate, true in best if estimate >= threshold]
        out.append(
            sum(true >= threshold for true in recommended) / len(recommended)
            if recommended
            else empty
        )
    return sum(out) / len(out)


@pytest.mark.parametrize("k", [1, 5, None])
@pytest.mark.parametrize("threshold", [3.5, 4.0])
@pytest.mark.parametrize("empty", [0.0, 1.0])
def test_recommended_precision_equals_the_faq_of_scikit_surprise(case, k, threshold, empty):
    users, truth, _ = case
    predicted = np.random.default_rng(3).normal(3.6, 0.6, len(users))
    definition = precision(k=k, threshold=threshold, variant="recommended", empty=empty)
    found = evaluate_definitions(users, truth, predicted, [definition])[0]
    assert found == pytest.approx(faq_precision(users, truth, predicted, k, threshold, empty))


def brute_force(scores, train, test, d):
    """One all-items definition in plain Python."""
    known, truth = set(zip(*(part.tolist() for part in train), strict=True)), {}
    for user, item, rating in zip(*(part.tolist() for part in test), strict=True):
        truth[user, item] = rating
    values, hits, places = [], 0, 0
    for user in sorted({user for user, _ in truth}):
        pool = [item for item in range(scores.shape[1]) if (user, item) not in known]
        best = sorted(pool, key=lambda item: -scores[user, item])[: d.k]
        if d.metric == "precision":
            if d.variant == "recommended":
                best = [item for item in best if scores[user, item] >= d.threshold]
            good = sum(truth.get((user, item), 0) >= d.threshold for item in best)
            hits, places = hits + good, places + len(best)
            values.append(good / len(best) if best else d.empty)
            continue
        gain = {
            "exponential": lambda rating: 2**rating - 1,
            "linear": lambda rating: rating,
            "binary": lambda rating: float(rating >= d.threshold),
        }[d.gain]
        ideal = sorted(
            (gain(rating) for (owner, _), rating in truth.items() if owner == user), reverse=True
        )[: d.k]
        ideal = sum(value / log2(place + 2) for place, value in enumerate(ideal))
        mine = sum(
            gain(truth.get((user, item), 0)) / log2(place + 2) for place, item in enumerate(best)
        )
        if ideal > 0:
            values.append(mine / ideal)
    return hits / places if d.averaging == "pooled" else sum(values) / len(values)


def test_all_items_equal_plain_python(catalogue):
    grid = definition_grid(["all"])
    found = evaluate_all_items(*catalogue, grid, block=5)
    assert found == pytest.approx([brute_force(*catalogue, d) for d in grid], abs=1e-12)
    assert found.tolist() == evaluate_all_items(*catalogue, grid, block=1000).tolist()
    assert (found >= 0).all()
    assert (found <= 1 + 1e-12).all()


def test_all_items_ignore_the_scores_of_training_items(catalogue):
    scores, train, test = catalogue
    inflated = scores.copy()
    inflated[train] = 99
    grid = definition_grid(["all"])
    assert (
        evaluate_all_items(inflated, train, test, grid).tolist()
        == evaluate_all_items(*catalogue, grid).tolist()
    )


def test_equal_scores_do_not_profit_from_the_order_of_the_items():
    """Popular items often come first: a constant predictor must not find them by their place."""
    users, items = np.repeat(np.arange(40), 20), np.tile(np.arange(20), 40)
    nothing = np.zeros(0, np.int64), np.zeros(0, np.int64)
    constant = np.zeros((40, 400), np.float32)
    found = evaluate_all_items(
        constant, nothing, (users, items, np.full(800, 5.0)), [precision(candidates="all")]
    )
    assert found[0] < 0.3


def test_grid_is_unique_and_in_range(case):
    grid = definition_grid()
    assert len(grid) == len(set(grid)) == len({d.label for d in grid}) == 380
    rated = definition_grid(["rated"])
    assert len(rated) == 232
    for predicted in (case[2], case[1], -case[1], np.full(len(case[1]), 3.6, np.float32)):
        values = evaluate_definitions(case[0], case[1], predicted, rated)
        known = values[~np.isnan(values)]
        assert ((known >= 0) & (known <= 1 + 1e-12)).all()
    perfect = evaluate_definitions(case[0], case[1], case[1], rated)
    assert perfect[[d.metric == "ndcg" for d in rated]] == pytest.approx(1)


@pytest.mark.parametrize(
    "values",
    [
        {"metric": "recall"},
        {"metric": "precision", "threshold": 4.0},
        {"metric": "precision", "variant": "list"},
        {"metric": "precision", "variant": "list", "threshold": 4.0, "gain": "linear"},
        {"metric": "precision", "variant": "list", "threshold": 4.0, "empty": 0.0},
        {"metric": "precision", "variant": "fixed", "threshold": 4.0, "k": None},
        {"metric": "precision", "variant": "recommended", "threshold": 4.0},
        {"metric": "precision", "variant": "list", "threshold": 4.0, "k": 0},
        {"metric": "ndcg"},
        {"metric": "ndcg", "gain": "binary"},
        {"metric": "ndcg", "gain": "linear", "threshold": 4.0},
        {"metric": "ndcg", "gain": "linear", "candidates": "all", "averaging": "pooled"},
    ],
)
def test_combinations_that_mean_nothing_are_refused(values):
    with pytest.raises(ConfigError):
        MetricDefinition(**values)


def test_candidates_must_match_the_function(case, catalogue):
    with pytest.raises(ConfigError, match="all items"):
        evaluate_definitions(*case, [precision(candidates="all")])
    with pytest.raises(ConfigError, match="own ratings"):
        evaluate_all_items(*catalogue, [precision()])


# --- the search ---


@pytest.fixture(scope="module")
def tables():
    """Values of the rated grid for seven predictors of falling quality, by metric."""
    random = np.random.default_rng(4)
    users = np.repeat(np.arange(80), random.integers(5, 45, 80))
    truth = random.integers(1, 6, len(users)).astype(np.float32)
    grid = definition_grid(["rated"])
    values = pd.DataFrame({
        f"model {row}": evaluate_definitions(
            users, truth,
            np.clip(0.6 * truth + 1.5 + random.normal(0, 0.3 + 0.3 * row, len(users)), 1, 5), grid,
        )
        for row in range(7)
    }, index=pd.Index(grid, dtype=object, name="definition"))  # fmt: skip
    metric = np.array([d.metric for d in grid])
    return values[metric == "precision"], values[metric == "ndcg"]


PLANTED = (
    precision(k=5, variant="recommended", empty=0.0),
    ndcg(k=5, gain="binary", threshold=4.0),
)


def test_a_planted_definition_is_found_and_named(tables):
    fits = [fit_to_paper(values, values.loc[d]) for values, d in zip(tables, PLANTED, strict=True)]
    for fit, values, planted in zip(fits, tables, PLANTED, strict=True):
        coincide = [
            d.label for d in values.index if np.array_equal(values.loc[d], values.loc[planted])
        ]
        nearest = fit.iloc[0]
        assert planted.label in coincide
        assert set(fit.index[: len(coincide)]) == set(coincide)
        assert fit["distinct"].iloc[: len(coincide)].sum() == 1
        assert nearest[["rmse", "largest", "rmse_as_set"]].tolist() == [0, 0, 0]
        assert (nearest["within"], nearest["rows"]) == (7, 7)
        assert nearest["spearman"] == pytest.approx(1)
        assert fit["rmse"].is_monotonic_increasing
    joint = joint_fit(*fits)
    best = joint[joint["rmse"] == 0]
    assert PLANTED[0].label in best["precision"].tolist()
    assert PLANTED[1].label in best["ndcg"].tolist()
    assert set(best["k"]) == {5}
    assert set(best["candidates"]) == {"rated"}
    assert (
        "Nearest is Precision@5, r >= 4, own ratings, user mean, / recommended, none = 0"
        in fit_sentence(fits[0], "Precision@K")
    )
    assert "within 2% on all 7 rows; the nearest pair is Precision@5" in joint_sentence(*fits)


def test_sentences_of_all_parts_stand_below_their_names(tables):
    precision, ndcg = (values.set_axis([d.label for d in values.index]) for values in tables)
    paper = pd.DataFrame(
        {
            name: values.iloc[0]
            for name, values in zip(("precision@10", "ndcg@10"), tables, strict=True)
        }
    )
    part = {("Precision@K", "precision@10"): precision, ("NDCG", "ndcg@10"): ndcg}
    lines = part_sentences({"test": part, "train": part}, paper)
    assert [line for line in lines if not line.startswith("  ")] == ["[test]", "[train]"]
    fits = fits_by_name(part, paper)
    said = [
        *(fit_sentence(fit, name) for name, fit in fits.items()),
        joint_sentence(*fits.values()),
    ]
    assert lines[1:4] == [f"  {line}" for line in said]


def test_joint_pairs_share_their_choices(tables):
    fits = [fit_to_paper(values, values.iloc[0]) for values in tables]
    joint = joint_fit(*fits)
    left, right = fits[0].loc[joint["precision"]], fits[1].loc[joint["ndcg"]]
    for name in ("k", "candidates", "averaging"):
        assert (left[name].fillna(0).to_numpy() == right[name].fillna(0).to_numpy()).all()
    graded = right["threshold"].isna().to_numpy()
    assert (left["threshold"].to_numpy() == right["threshold"].to_numpy())[~graded].all()
    assert joint["k"].isna().any()  # whole lists pair up, too
    assert joint["rmse"].is_monotonic_increasing


def test_planted_pair_that_shares_nothing_is_told_apart(tables):
    """Two columns of different K and threshold: each is found alone, no pair serves both."""
    planted = precision(k=3, threshold=3.0), ndcg(k=10, gain="binary", threshold=4.5)
    fits = [fit_to_paper(values, values.loc[d]) for values, d in zip(tables, planted, strict=True)]
    sentence = joint_sentence(*fits)
    assert sentence.startswith("The definitions nearest to each column differ in K and threshold.")
    assert "no of" in sentence


def test_distances_by_hand():
    grid = [precision(k=1), precision(k=3), precision(k=5)]
    values = pd.DataFrame(
        [[0.8, 0.7, 0.9], [0.5, 0.5, 0.5], [np.nan, 0.7, 0.8]],
        index=pd.Index(grid, dtype=object),
        columns=["a", "b", "c"],
    )
    fits = fit_to_paper(values, pd.Series({"a": 0.7, "b": 0.8, "c": 0.9, "elsewhere": 1.0}))
    assert fits.index.tolist() == [d.label for d in grid]
    first, constant, undefined = (fits.iloc[row] for row in range(3))
    assert first["rmse"] == pytest.approx(np.sqrt(0.02 / 3))
    assert first["largest"] == pytest.approx(0.1)
    assert first["spearman"] == pytest.approx(0.5)
    assert first["within"] == 1
    assert first["rmse_as_set"] == pytest.approx(0)
    assert constant["largest_at"] == "c"
    # relative: 0.015 of 0.485 is more than 2 %
    printed = pd.Series({"a": 0.485, "b": 0.495, "c": 0.9})
    assert fit_to_paper(values, printed).loc[grid[1].label, "within"] == 1
    assert np.isnan(constant["spearman"])
    assert np.isnan(undefined["rmse"])
    by_label = values.set_axis([d.label for d in grid])
    pd.testing.assert_frame_equal(
        fit_to_paper(by_label, pd.Series({"a": 0.7, "b": 0.8, "c": 0.9})), fits
    )
    with pytest.raises(RecordError, match="no model row"):
        fit_to_paper(values, pd.Series({"z": 1.0}))
    with pytest.raises(RecordError, match="Not a definition"):
        fit_to_paper(by_label.rename(index=lambda label: label + "?"), pd.Series({"a": 0.7}))


def test_order_evidence_tells_a_planted_order_from_a_constant(tables):
    values = tables[0]
    rmse, share = order_evidence(values, values.loc[PLANTED[0]])
    assert rmse == pytest.approx(0, abs=1e-7)
    assert share == pytest.approx(1 / 5040)
    constant = values.loc[[precision(k=None)]]
    assert order_evidence(constant, values.loc[PLANTED[0]])[1] == 1
    paper = pd.DataFrame(
        {"precision@10": values.loc[PLANTED[0]], "ndcg@10": values.loc[PLANTED[0]]}
    )
    columns = ("Precision@K", "precision@10"), ("NDCG", "ndcg@10")
    told, not_told = evidence_sentences(dict(zip(columns, (values, constant), strict=True)), paper)
    assert told.startswith("Precision@K: the order of the paper's rows is told from a random one")
    assert "(adjusted for 2 columns: 0.0%; without the row" in told
    assert "NDCG: the order of the paper's rows is not told from a random one" in not_told


def test_figures_show_every_definition(tables):
    fits = {
        name: fit_to_paper(v, v.iloc[0])
        for name, v in zip(("Precision@K", "NDCG"), tables, strict=True)
    }
    figure = definition_map(fits)
    points = [sum(len(c.get_offsets()) for c in axis.collections) for axis in figure.axes]
    assert points == [int((fit["distinct"] & fit["rmse"].notna()).sum()) for fit in fits.values()]
    for values, fit, panels in zip(tables, fits.values(), (4, 1), strict=True):
        column = values.set_axis([d.label for d in values.index])["model 0"]
        heat = definition_heat(fit, column, 0.8, "Value of a model")
        assert len(heat.axes) == panels + 1  # and the colour bar
        shown = sorted(float(text.get_text()) for axis in heat.axes[:-1] for text in axis.texts)
        mine = fit[(fit["averaging"] == "user")].index
        assert shown == pytest.approx(sorted(column[mine]), abs=6e-4)
    with pytest.raises(RecordError, match="no value"):
        definition_heat(fits["Precision@K"], column, 0.8, "NDCG for a table of precision")
    column = tables[0].set_axis([d.label for d in tables[0].index])["model 0"]
    assert (
        len(definition_heat(fits["Precision@K"], column, 0.8, "Pooled", averaging="pooled").axes)
        == 4
    )
    assert not plt.get_fignums()
