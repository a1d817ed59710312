"""Evaluation is a value of its own: one training is recorded under several, and none follows from
the loss."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution

from bonmf_lib.claims.judge import judge
from bonmf_lib.claims.reading import BetterClaim, EquivalentClaim
from bonmf_lib.errors import ConfigError, RecordError
from bonmf_lib.evaluation import rules
from bonmf_lib.evaluation.by_support import BY_SUPPORT
from bonmf_lib.evaluation.candidates import rank_candidates
from bonmf_lib.evaluation.ranking import UnseenItems
from bonmf_lib.evaluation.rules import (
    FULL_RANKING,
    RATED_ITEMS,
    FullRanking,
    GivenNegatives,
    SampledRanking,
)
from bonmf_lib.integrity import read_arrays, read_sealed_text, sealed_text, write_arrays
from bonmf_lib.models.rating.biased_svd import BiasedSVDConfig
from bonmf_lib.report.tables import metric_table
from bonmf_lib.runs import training as training_module
from bonmf_lib.runs.records import COLUMNS, comparable, read_published, read_records
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.runner import run_variants
from bonmf_lib.runs.training import Training, trained_side_by_side
from bonmf_lib.runs.variant import Variant, training_hash, variant_hash
from bonmf_lib.splits.rules import Ratio
from bonmf_lib.training.batches import Triples
from bonmf_lib.training.config import TrainingConfig
from bonmf_lib.training.loop import predict
from bonmf_lib.training.search import Search
from tests.conftest import CPU

TRAINING = TrainingConfig(epochs=2, batch_size=256, learning_rate=0.005)
RATED = Variant("Biased SVD", "as published", "biased-svd", BiasedSVDConfig(factors=5), TRAINING)
DRAWN = replace(TRAINING, loss="bce", negatives=1)
IMPLICIT = replace(RATED, training=DRAWN, evaluation=FULL_RANKING)
SAMPLED = SampledRanking(negatives=20)
RULES = (
    RATED_ITEMS,
    FULL_RANKING,
    FullRanking(("train", "valid")),
    SAMPLED,
    SampledRanking(20, seed=1),
)


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    monkeypatch.delenv("BONMF_WORKERS", raising=False)
    return Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path / "run")))


@pytest.fixture
def trained(monkeypatch) -> list[str]:
    """Keys of all trainings from here on."""
    found, real = [], training_module.fit
    monkeypatch.setattr(
        training_module,
        "fit",
        lambda *args, **more: found.append(more["label"]) or real(*args, **more),
    )
    return found


def test_every_rule_has_a_name_of_its_own():
    known = (*RULES, GivenNegatives(), GivenNegatives(naive=True), GivenNegatives(ties="lost"))
    assert len({rule.name for rule in known}) == len(known)


@pytest.mark.parametrize("rule", RULES[1:], ids=lambda rule: rule.name)
def test_records_are_means_of_the_values_of_users(run, rule):
    training = Training(run, replace(IMPLICIT, evaluation=rule), 0)
    training.train()
    each, records = rule.per_user(training), rule.of(training)
    means = each.drop(columns="user").mean().to_dict()
    assert {name: records[name] for name in means} == pytest.approx(means, abs=1e-12)
    tested = run.dataset.ratings["user"].to_numpy()[training.split.test]
    sampled = isinstance(rule, SampledRanking)
    assert each["user"].tolist() == (tested if sampled else np.unique(tested)).tolist()
    assert {name for name in records if name not in means} == (
        set() if sampled else {f"coverage@{k}" for k in (5, 10, 20)}
    )


def test_one_training_is_recorded_under_every_evaluation(run, trained):
    rows = [replace(RATED, evaluation=rule) for rule in RULES]
    records = run_variants(run, "one", rows, seeds=(0,))
    assert trained == ["Biased SVD (as published), seed 0"]
    assert records["config"].nunique() == len(rows)
    hits = records[records["metric"] == "hr@10"].set_index("evaluation")["value"]
    assert set(hits.index) == {rule.name for rule in RULES[1:]}
    recall = records[
        (records["metric"] == "recall@10") & (records["evaluation"] == FULL_RANKING.name)
    ]["value"]
    assert hits[SAMPLED.name] > recall.item()  # 20 rivals are fewer than all


def test_a_ranking_asked_for_later_trains_again_and_says_so(run, trained, monkeypatch):
    """The numbers of its record are those of the weights that it ranked by."""
    monkeypatch.setattr(training_module, "code_version", lambda: "before")
    run_variants(run, "one", [RATED], seeds=(0,))
    monkeypatch.setattr(training_module, "code_version", lambda: "after")
    found = run_variants(run, "two", [replace(RATED, evaluation=FULL_RANKING)], seeds=(0,))
    assert len(trained) == 2
    assert found["code"].str.startswith("trained by after").all()


def test_weights_that_an_evaluation_reads_are_kept_with_the_training(run, trained):
    run_variants(run, "one", [IMPLICIT, replace(IMPLICIT, evaluation=SAMPLED)], seeds=(0, 1))
    assert len(trained) == 2
    assert len(list((run.run_dir / "weights").iterdir())) == 2


def test_explained_rows_keep_weights_on_the_first_seed(run, trained):
    run_variants(run, "one", [replace(RATED, explained=True)], seeds=(0, 1))
    (path,) = (run.run_dir / "weights").iterdir()
    first = Training(run, RATED, 0)
    assert path == first.weights_path  # found without asking for an explained row
    first.model()
    assert len(trained) == 2
    Training(run, RATED, 1).model()
    assert len(trained) == 3


@pytest.mark.case("damage", "kept weights flipped, or of other code", "trained again, equal")
@pytest.mark.parametrize("how", ["flipped", "other names", "other shapes", "of another training"])
def test_weights_that_do_not_fit_are_trained_again(run, trained, how):
    training = Training(run, RATED, 0)
    training.train(weights=True)
    expected = training.predictions()["predicted"]
    arrays = read_arrays(training.weights_path, training.key)
    if how == "flipped":
        data = bytearray(training.weights_path.read_bytes())
        data[-1] ^= 1
        training.weights_path.write_bytes(bytes(data))
    elif how == "other names":
        renamed = {f"old_{name}": array for name, array in arrays.items()}
        write_arrays(training.weights_path, renamed, training.key)
    elif how == "other shapes":
        cut = {name: array[:1] for name, array in arrays.items()}
        write_arrays(training.weights_path, cut, training.key)
    else:
        write_arrays(training.weights_path, arrays, "another")
    model = training.model()
    assert len(trained) == 2
    test = Triples.of(run.dataset, training.split.test, CPU)
    found = predict(model, test.users, test.items).numpy().clip(1, 5)
    np.testing.assert_array_equal(found, expected)
    training.model()
    assert len(trained) == 2


def test_fresh_measures_kept_weights_again(run, trained, monkeypatch):
    row = replace(RATED, explained=True)
    run_variants(run, "one", [row], seeds=(0,))
    monkeypatch.setenv("BONMF_FRESH", "1")
    run_variants(run, "one", [row], seeds=(0,))
    Training(run, row, 0).model()
    assert len(trained) == 2  # the weights are this run's
    trained_side_by_side([Training(run, replace(row, name="alone"), 1)])
    trained_side_by_side([Training(run, replace(row, name="alone"), 1)])
    assert len(trained) == 4


def test_a_searched_rows_weights_are_of_the_chosen_settings(run):
    space = (("model.factors", CategoricalDistribution([2, RATED.model_config.factors])),)
    training = Training(run, replace(RATED, search=Search(space, 3)), 0)
    model, chosen = training.model(), min(training.trials(), key=lambda trial: trial["value"])
    assert model.user_factors.embedding_dim == chosen["params"]["model.factors"]


def test_rankings_are_those_of_the_model_and_the_split(run):
    found = run_variants(run, "one", [IMPLICIT, replace(IMPLICIT, evaluation=SAMPLED)], seeds=(0,))
    training = Training(run, IMPLICIT, 0)
    model, split = training.model(), training.split
    users, items = (run.dataset.ratings[side].to_numpy() for side in ("user", "item"))
    train, test = ((users[rows], items[rows]) for rows in (split.train, split.test))
    unseen = UnseenItems(train, test, run.dataset.n_users, run.dataset.n_items, CPU)
    full = unseen.rank(model.score_all_items).metrics
    lists = SAMPLED.lists(run.dataset, split, split.test)
    assert lists.negatives.shape == (len(split.test), 20)
    assert not (lists.negatives == lists.positives[:, None]).any()
    for rule, expected in (
        (FULL_RANKING, full),
        (SAMPLED, rank_candidates(model.score, lists, CPU).metrics),
    ):
        values = found[found["evaluation"] == rule.name].set_index("metric")["value"]
        assert {name: values[name] for name in expected} == pytest.approx(expected)


def test_what_validated_is_masked_where_that_is_said(run):
    """A model that knows the validation items by heart puts them first, where they may stand."""
    stopped = replace(RATED, training=replace(TRAINING, patience=1))
    training = Training(run, stopped, 0)
    split, ratings = training.split, run.dataset.ratings
    liked = np.zeros((run.dataset.n_users, run.dataset.n_items), np.float32)
    for part, height in ((split.valid, 2), (split.test, 1)):
        liked[ratings["user"].to_numpy()[part], ratings["item"].to_numpy()[part]] = height

    class Known:
        dataset, split, device = run.dataset, training.split, CPU

        def model(self):
            return self

        def score_all_items(self, users):
            return training_module.torch.from_numpy(liked)[users]

    both = FullRanking(("train", "valid")).of(Known())
    assert both["ndcg@20"] == pytest.approx(1.0)
    assert FULL_RANKING.of(Known())["ndcg@20"] < 0.9


@pytest.mark.parametrize("masked", [(), ("test",), ("valid",), ("train", "test")])
def test_nothing_but_what_is_known_is_masked(masked):
    with pytest.raises(ConfigError, match="FullRanking masks"):
        FullRanking(masked)


def test_how_often_is_watched_is_part_of_what_is_watched():
    assert FullRanking(every=5).name == f"{FULL_RANKING.name}, every 5 epochs"
    with pytest.raises(ConfigError, match="every is at least 1"):
        FullRanking(every=0)


def test_a_training_with_patience_watches_what_it_is_evaluated_by(run):
    stopped = replace(IMPLICIT, training=replace(DRAWN, epochs=4, patience=1))
    run_variants(run, "one", [stopped], seeds=(0,))
    history = Training(run, stopped, 0).history()
    assert history.higher_is_better
    assert history.best_epoch == 1 + int(np.argmax(history.valid))
    assert all(0 <= value <= 1 for value in history.valid)
    others = [stopped, replace(stopped, evaluation=SAMPLED)]
    assert len({training_hash(run, row) for row in others}) == 2  # stopped for another reason
    others = [IMPLICIT, replace(IMPLICIT, evaluation=SAMPLED)]
    assert len({training_hash(run, row) for row in others}) == 1
    assert len({variant_hash(run, row) for row in others}) == 2


def test_candidates_are_drawn_once_per_training_and_are_the_same_in_every_epoch(run, monkeypatch):
    drawn, ranked = [], []
    draw, rank = rules.drawn_candidates, rules.rank_candidates
    monkeypatch.setattr(
        rules, "drawn_candidates", lambda *asked: drawn.append(draw(*asked)) or drawn[-1]
    )
    monkeypatch.setattr(
        rules,
        "rank_candidates",
        lambda score, lists, device: ranked.append(lists) or rank(score, lists, device),
    )
    patient = replace(DRAWN, epochs=3, patience=3)
    training = Training(run, replace(IMPLICIT, evaluation=SAMPLED, training=patient), 0)
    training.train()
    assert len(ranked) == len(training.history().valid) == 3
    (lists,) = drawn
    assert all(other is lists for other in ranked)
    # those of the rule's own draw
    expected = SampledRanking(negatives=20).lists(run.dataset, training.split, training.split.valid)
    np.testing.assert_array_equal(lists.negatives, expected.negatives)
    np.testing.assert_array_equal(lists.positives, expected.positives)


def test_what_validates_is_ranked_without_a_look_at_the_test_ratings(run):
    split = Ratio().split(run.dataset, 0, valid=0.1)
    unlike = run.dataset.ratings.copy()
    unlike.loc[split.test, "item"] = np.roll(unlike["item"].to_numpy()[split.test], 1)
    other = replace(run.dataset, ratings=unlike)
    ours, theirs = (SAMPLED.lists(data, split, split.valid) for data in (run.dataset, other))
    np.testing.assert_array_equal(ours.negatives, theirs.negatives)
    tests = (SAMPLED.lists(data, split, split.test) for data in (run.dataset, other))
    assert not np.array_equal(*(lists.negatives for lists in tests))


def test_scores_of_rankings_are_not_clipped_to_the_rating_scale(run):
    wide = replace(IMPLICIT, training=replace(DRAWN, epochs=20))
    run_variants(run, "one", [wide], seeds=(0,))
    assert Training(run, wide, 0).predictions()["predicted"].min() < run.dataset.scale.low


def test_scores_of_trainings_with_negatives_are_no_ratings():
    with pytest.raises(ConfigError, match="Biased SVD is trained by bce"):
        replace(RATED, training=DRAWN)


# Records


def test_tables_refuse_several_evaluations(run):
    records = run_variants(run, "one", [RATED, replace(RATED, evaluation=SAMPLED)], seeds=(0, 1))
    with pytest.raises(RecordError, match="one data set, content and evaluation, got 2"):
        comparable(records)
    alone = records[records["evaluation"] == SAMPLED.name]
    assert metric_table(alone, {"hr@10": "HR@10"}).shape[0] == 1


def test_records_from_before_are_read_with_their_evaluation(run):
    """Files of one run each, without the column."""
    expected = run_variants(run, "one", [RATED, replace(IMPLICIT, name="implicit")], seeds=(0, 1))
    for file in (run.run_dir / "records").rglob("*.csv"):
        old = pd.read_csv(io.StringIO(read_sealed_text(file))).drop(columns="evaluation")
        file.write_text(sealed_text(old.to_csv(index=False)))
    found = read_records(run.run_dir)
    keys = ["variant", "seed", "metric"]
    one, other = (table.set_index(keys)["evaluation"].sort_index() for table in (found, expected))
    pd.testing.assert_series_equal(one, other)
    assert set(found["evaluation"]) == {RATED_ITEMS.name, FULL_RANKING.name}


def test_published_records_are_read_with_their_evaluation():
    """Most were written before there was such a column."""
    published = read_published()
    published = published[~published["experiment"].str.startswith(("11_", "12_"))]  # rankers
    expected = pd.Series(RATED_ITEMS.name, published.index)
    for experiments, rule in ((("04_implicit",), FULL_RANKING), (("09_",), BY_SUPPORT)):
        measured = published["experiment"].str.startswith(experiments)
        assert measured.any()
        expected[measured] = rule.name
    assert (published["evaluation"] == expected).all()


# Claims


def claim(**changes) -> BetterClaim:
    values = {
        "id": "c", "source": "ncf", "statement": "", "paper": "", "datasets": ("ml-1m",),
        "kind": "better", "variant": "A", "than": ("B",), "metric": "hr@10",
    }  # fmt: skip
    return BetterClaim(**values | changes)


def test_claims_are_judged_on_the_evaluation_that_they_name():
    """A is better in full rankings, B in sampled ones."""
    rows = []
    for evaluation, better in ((FULL_RANKING.name, "A"), (SampledRanking().name, "B")):
        for variant in "AB":
            for seed in range(5):
                known = dict.fromkeys(COLUMNS, "x") | {
                    "variant": variant, "protocol": "as published", "dataset": "ml-1m",
                    "content": "full", "split": "ratio(test=0.3, valid=0)", "test_share": 0.3,
                    "evaluation": evaluation, "seed": seed, "metric": "hr@10",
                    "value": 0.5 + 0.1 * (variant == better) + 0.001 * seed * (variant == "A"),
                }  # fmt: skip
                rows.append(known)
    records = pd.DataFrame(rows)
    verdicts = {}
    for evaluation in ("full ranking", "sampled ranking", "rated items"):
        (judgement,) = judge((claim(evaluation=evaluation),), records)
        verdicts[evaluation] = judgement.verdict
    assert verdicts == {
        "full ranking": "reproduced",
        "sampled ranking": "not reproduced",
        "rated items": "not run",
    }


def of_pair(ours, theirs, **terms) -> list[dict]:
    """Records of A and B on several seeds."""
    return [
        dict.fromkeys(COLUMNS, "x")
        | {
            "variant": variant, "protocol": "as published", "dataset": "ml-1m", "content": "full",
            "split": "ratio(test=0.3)", "test_share": 0.3, "evaluation": FULL_RANKING.name,
            "seed": seed, "metric": "hr@10", "value": value,
        }
        | terms
        for variant, values in (("A", ours), ("B", theirs))
        for seed, value in enumerate(values)
    ]  # fmt: skip


def test_solved_rows_of_another_split_or_beside_a_trained_one_do_not_answer():
    """A model in closed form answers a claim of any protocol, but not where the claim's own split
    or protocol has a row of its name."""
    asked = claim(evaluation=FULL_RANKING.name, split="ratio(")
    own = of_pair([0.6, 0.61, 0.62], [0.5, 0.51, 0.52])
    others = of_pair([0.1] * 3, [0.9] * 3, protocol="closed form", split="held-out(1)")
    solved = of_pair([], [0.9] * 3, protocol="closed form")
    for more in ([], others, solved, others + solved):
        (judgement,) = judge((asked,), pd.DataFrame(own + more))
        assert judgement.ours.mean == pytest.approx(19.6, abs=0.1)
    trained = [row for row in own if row["variant"] == "A"]
    (judgement,) = judge((asked,), pd.DataFrame(trained + others + solved))
    assert judgement.ours.mean == pytest.approx(-32.2, abs=0.1)


def test_gains_over_values_near_zero_are_percent_of_their_mean():
    """Single ratios are as far apart as they like; the test is that of the differences."""
    records = pd.DataFrame(of_pair([0.051, 0.049, 0.05], [0.001, 0.00001, 0.002]))
    terms = {"evaluation": FULL_RANKING.name}
    (single,), (whole,) = (
        judge((claim(relative_to=base, **terms),), records) for base in ("seed", "mean")
    )
    assert single.verdict == "direction only"
    assert whole.verdict == "reproduced"
    assert whole.ours.mean == pytest.approx(100 * (0.05 - 0.0010033) / 0.0010033, rel=1e-3)


def test_an_equivalence_around_one_row_asks_nothing_of_the_others():
    rows = [row | {"variant": name} for name, value in (("A", 1.0), ("B", 1.03), ("C", 0.97))
            for row in of_pair([value, 1.001 * value, 0.999 * value], [])]  # fmt: skip
    known = {
        "id": "c", "source": "ncf", "statement": "", "paper": "", "datasets": ("ml-1m",),
        "kind": "equivalent", "variants": ("A", "B", "C"), "metric": "hr@10", "margin": 4.0,
        "evaluation": FULL_RANKING.name,
    }  # fmt: skip
    for around, verdict in (("A", "reproduced"), ("", "not reproduced")):
        (judgement,) = judge((EquivalentClaim(**known, around=around),), pd.DataFrame(rows))
        assert judgement.verdict == verdict


@pytest.mark.parametrize("other", ["as published", "tuned"])
def test_a_claim_that_two_evaluations_answer_is_refused_unless_its_protocol_tells(other):
    rows = []
    for protocol, evaluation, value in (
        ("as published", FULL_RANKING.name, 0.5),
        (other, FullRanking(("train", "valid")).name, 0.4),
    ):
        for variant in "AB":
            known = dict.fromkeys(COLUMNS, "x") | {
                "variant": variant, "protocol": protocol, "dataset": "ml-1m",
                "content": "full", "test_share": 0.3, "evaluation": evaluation, "seed": 0,
                "metric": "hr@10", "value": value + 0.1 * (variant == "A"),
            }  # fmt: skip
            rows.append(known)
    asked = (claim(evaluation="full ranking"),), pd.DataFrame(rows)
    if other == "tuned":
        (judgement,) = judge(*asked)
        assert judgement.ours.mean == pytest.approx(20.0)
        return
    (judgement,) = judge((claim(evaluation="full ranking", datasets=("ml-100k",)),), asked[1])
    assert judgement.verdict == "not testable on this data"
    with pytest.raises(ConfigError, match="must name one"):
        judge(*asked)
