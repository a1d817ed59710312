"""Rows of NeuMF's notebook: two evaluations of one training, what is watched, searches, and the
tables that are made of their records."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from optuna.distributions import FloatDistribution

from bonmf_lib.claims.across_users import across_users
from bonmf_lib.claims.reading import read_claims
from bonmf_lib.errors import ConfigError
from bonmf_lib.evaluation.rules import ALL_KNOWN_MASKED, SampledRanking
from bonmf_lib.experiments import absent, neural_cf
from bonmf_lib.experiments.registry import EXPERIMENTS, asked
from bonmf_lib.report import rankers, tables
from bonmf_lib.runs.records import kept_table
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.runner import run_variants, train_share
from bonmf_lib.runs.training import Training
from bonmf_lib.runs.trials import keep_trials, read_trials
from bonmf_lib.runs.variant import training_hash, variant_hash
from bonmf_lib.splits.by_time import LeaveOneOut
from bonmf_lib.splits.rules import PerUser, Ratio
from bonmf_lib.studies import chosen_epochs
from bonmf_lib.training.search import Search

SEEDS = (0, 1)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("rankers")
    return Run(NotebookParameters(profile="smoke", run_dir=str(folder)))


@pytest.fixture(scope="module")
def factors(run) -> pd.DataFrame:
    return run_variants(run, "11_factors", *asked(run, "11_factors", SEEDS))


def test_a_row_is_trained_once_for_both_evaluations_and_watched_among_few(run):
    few, whole = neural_cf.in_both_evaluations(run, [neural_cf.gmf(run, 4, "large batches")])
    assert (few.evaluation, whole.evaluation) == (neural_cf.among_few(run), ALL_KNOWN_MASKED)
    assert few.watches == whole.watches == neural_cf.among_few(run)
    assert training_hash(run, few) == training_hash(run, whole)
    assert variant_hash(run, few) != variant_hash(run, whole)
    other = replace(whole, watched_by=None)
    assert training_hash(run, other) != training_hash(run, whole)
    assert variant_hash(run, other) != variant_hash(run, whole)
    assert variant_hash(run, replace(few, watched_by=None)) == variant_hash(run, few)


CHOSEN = sorted(name for name in EXPERIMENTS if name[:2] == "11" and name != "11_neumf")


def test_rows_as_published_train_on_all_but_the_latest_for_fixed_epochs(run):
    solved, _ = asked(run, "11_solved", SEEDS)
    solved = [row for row in solved if row.protocol == neural_cf.AS_PUBLISHED]
    rows, _ = asked(run, "11_neumf", SEEDS)
    assert {row.model for row in solved} == {"popularity", "item-knn", "ease"}
    for row in rows + solved:
        split = Training(run, row, 0).split
        assert not len(split.valid)
        assert len(split.train) + len(split.test) == len(run.dataset.ratings)
    for row in rows:
        epochs = run.settings.rankings.published_epochs
        assert (row.training.epochs, row.training.patience) == (epochs, None)


def test_rows_by_epoch_are_trained_in_batches_of_examples_too(run):
    *rows, by_adam = neural_cf.rows_by_epoch(run)
    usual, examples = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    assert by_adam.training == examples[1].training != examples[-1].training
    assert by_adam == replace(examples[-1], name=by_adam.name, training=by_adam.training)
    for one, other in zip(usual, examples, strict=True):
        own = one.training
        assert other.name == one.name + neural_cf.IN_EXAMPLES
        # a step of plain descent goes as far for an example as among five times as many
        shrunk = 5 if own.optimiser == "sgd" else 1
        rate = own.learning_rate / shrunk
        assert other.training == replace(own, batches_of="examples", learning_rate=rate)
        assert replace(other, name=one.name, training=own, starts_from=one.starts_from) == one
    assert examples[-1].starts_from == tuple(examples[:2])


def test_rows_by_epoch_train_gmf_for_longer_and_nothing_else(run):
    gmf, *others = neural_cf.rows_by_epoch(run)
    published, *_ = neural_cf.neumf_rows(run)
    longer = replace(
        published.training, epochs=neural_cf.LONGER * run.settings.rankings.published_epochs
    )
    assert gmf.training == longer
    for row in others:
        of_gmf = row.model == "gmf"
        assert (row.training.epochs == longer.epochs) == of_gmf
        assert all(
            (start.training.epochs == longer.epochs) == (start.model == "gmf")
            for start in row.starts_from
        )


@pytest.mark.parametrize("experiment", CHOSEN)
def test_no_other_row_trains_on_what_validates(run, experiment):
    rows, _ = asked(run, experiment, SEEDS)
    if not rows:
        pytest.skip("its rows need lists that came with the data")
    parts = [Training(run, row, 0).split for row in rows if row.protocol != neural_cf.AS_PUBLISHED]
    assert all(len(part.valid) for part in parts)
    (held_out,) = {tuple(part.valid) for part in parts}
    assert not any(set(held_out) & set(part.train) for part in parts)


def test_other_times_are_another_training_where_rows_go_by_them(run, monkeypatch):
    other = run.on("planted", "packaged")
    later = run.dataset.ratings.assign(timestamp=run.dataset.ratings["timestamp"] + 1)
    monkeypatch.setitem(other.__dict__, "dataset", replace(run.dataset, ratings=later))
    row = neural_cf.gmf(run, 4, "large batches")
    assert variant_hash(other, row) != variant_hash(run, row)
    elsewhere = replace(row, split=Ratio())
    assert variant_hash(other, elsewhere) == variant_hash(run, elsewhere)


def test_both_evaluations_are_of_the_same_model(run, factors):
    counts = factors.groupby(["variant", "evaluation"])["seed"].nunique()
    assert len(counts) == 8 and (counts == len(SEEDS)).all()
    first, other = asked(run, "11_factors")[0][:2]
    assert Training(run, first, 0).key == Training(run, other, 0).key


def test_a_ranker_is_searched_by_what_it_watches_and_the_most_is_best(run):
    row = neural_cf.dot_product_rows(run)[1]
    space = (("training.learning_rate", FloatDistribution(1e-4, 1e-1, log=True)),)
    searched = replace(row, protocol="tuned", search=Search(space, 3))
    training = Training(run, searched, 0)
    training.train()
    trials = training.trials()
    assert [trial["value"] for trial in trials] == [max(trial["curve"]) for trial in trials]
    finished = [trial for trial in trials if trial["state"] == "COMPLETE"]
    best = max(finished, key=lambda trial: trial["value"])
    assert training.settings().training.learning_rate == best["params"]["training.learning_rate"]
    assert training.settings().training.epochs == best["best_epoch"]
    assert np.isfinite(pd.Series(searched.evaluation.of(training))).all()


def test_on_one_test_part_all_seeds_take_the_settings_that_the_first_has_searched(run):
    space = (("training.learning_rate", FloatDistribution(1e-4, 1e-1, log=True)),)
    row = replace(neural_cf.gmf(run, 4, "large batches"), protocol="tuned", search=Search(space, 2))
    first, second = (Training(run, row, seed) for seed in SEEDS)
    second.train()
    assert second.trials_path == first.trials_path != first.predictions_path
    assert first.trials() == second.trials()
    assert not first.is_done()  # the search alone is its own
    first.train()
    assert first.settings() == second.settings()
    assert not first.predictions().equals(second.predictions())
    trials = keep_trials(run, "11_tuned", [row], SEEDS)
    assert len(trials) == len(read_trials(run, [row], SEEDS)) == 2
    kept = kept_table(run.run_dir, f"trials--11_tuned--{run.dataset.name}-{run.dataset.content}")
    assert kept["params"].tolist() == trials["params"].tolist()
    shares = [train_share(run, [row], SEEDS, part, 2) for part in (1, 2)]
    assert sorted(shares) == [0, 1]  # what shares a search is never made twice at a time
    drawn = replace(row, split=PerUser())
    assert len({Training(run, drawn, seed).trials_path for seed in SEEDS}) == 2


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name.startswith("11_")])
def test_rows_of_an_experiment_have_names_of_their_own(run, name):
    rows, _ = asked(run, name)
    keys = [(row.name, row.protocol, row.evaluation) for row in rows]
    assert len(set(keys)) == len(keys)
    if name != "11_naive":  # planted data came without lists
        assert {row.evaluation for row in rows} == {neural_cf.among_few(run), ALL_KNOWN_MASKED}


def test_every_variant_that_neumfs_claims_name_is_a_row_of_the_paper_profile():
    """On MovieLens-1M, under the protocol and evaluation that each claim names."""
    run = Run(NotebookParameters(profile="paper", content="packaged"))
    rows = [row for name in EXPERIMENTS if name.startswith("11_") for row in asked(run, name)[0]]
    known = {(row.name, row.protocol, row.evaluation.name) for row in rows}
    for claim in read_claims():
        if claim.about not in ("NeuMF", "Ranker"):
            continue
        named = getattr(claim, "variants", None) or (claim.variant, *getattr(claim, "than", ()))
        for variant in named:
            assert any(
                name == variant and protocol in (claim.protocol, "closed form")
                and evaluation.startswith(claim.evaluation)
                for name, protocol, evaluation in known
            ), (claim.id, variant)  # fmt: skip


def test_data_without_times_or_spare_items_leave_rankers_out_with_the_reason(run, monkeypatch):
    timeless = replace(run.dataset, ratings=run.dataset.ratings.assign(timestamp=pd.NA))
    row = replace(neural_cf.solved_rows(run)[0], evaluation=ALL_KNOWN_MASKED)
    other = run.on("planted", "packaged")
    monkeypatch.setitem(other.__dict__, "dataset", timeless)
    assert "time of every rating" in absent.reason(other, row)
    many = replace(row, evaluation=SampledRanking(run.dataset.n_items))
    assert "unrated to rank among" in absent.reason(run, many)
    assert isinstance(row.split, LeaveOneOut) and absent.reason(run, row) is None


def test_plain_descent_takes_steps_of_the_same_size_per_positive(run):
    published, large = (
        neural_cf.pretrained(run, 4, protocol).training
        for protocol in ("as published", "large batches")
    )
    assert published.batch_size != large.batch_size
    for one in (published, large):
        assert one.optimiser == "sgd"
        assert one.learning_rate / one.batch_size == pytest.approx(0.001 / 51)


def test_pairs_are_of_rows_that_are_evaluated_alike(run):
    rows = neural_cf.compared_rows(run)
    pairs = neural_cf.pairs(rows)
    assert len(pairs) == len(rows) / 2 * (len(rows) / 2 - 1)
    assert all(one.evaluation == other.evaluation for one, other in pairs)
    protocols = {frozenset((one.protocol, other.protocol)) for one, other in pairs}
    assert frozenset(("as published", "large batches")) in protocols


# Tables


def test_the_accuracy_table_has_both_evaluations_side_by_side(factors):
    table = rankers.accuracy_table(factors)
    assert list(table.columns.levels[0]) == [rankers.FEW, rankers.ALL]
    own = factors[
        (factors["variant"] == "GMF, 4 factors") & (factors["metric"] == "hr@10")
        & (factors["evaluation"] == ALL_KNOWN_MASKED.name)
    ]  # fmt: skip
    (row,) = [name for name in table.index if name.startswith("GMF")]
    assert table.loc[row, (rankers.ALL, "HR@10")].startswith(f"{own['value'].mean():.3f}")


def test_curves_are_of_the_rows_own_means(run, factors):
    rows, seeds = asked(run, "11_factors", SEEDS)
    across = across_users(run, rows, seeds)
    means = rankers.own_means(rankers.of_rows(run, across, rows[:2]), "hr@10")
    assert set(means["variant"]) == {"GMF, 4 factors"}
    shown = rankers.curve(means, "factors")
    few = factors[
        (factors["variant"] == "GMF, 4 factors") & (factors["metric"] == "hr@10")
        & (factors["evaluation"] != ALL_KNOWN_MASKED.name)
    ]  # fmt: skip
    assert (shown["model"].item(), shown["x"].item()) == ("GMF", 4)
    assert shown["mean"].item() == pytest.approx(few["value"].mean())
    assert shown["low"].item() < shown["mean"].item() < shown["high"].item()


@pytest.mark.parametrize(
    ("name", "setting", "expected"),
    [
        ("NeuMF, 16 factors, from scratch", "factors", ("NeuMF, from scratch", 16)),
        ("MLP, 8 factors, 3 hidden layers", "hidden layers", ("MLP, 8 factors", 3)),
        ("NeuMF, 8 factors, 10 negatives", "negatives", ("NeuMF, 8 factors", 10)),
    ],
)
def test_a_setting_is_read_out_of_a_name(name, setting, expected):
    assert rankers._parts(name, setting) == expected


def test_printed_curves_are_those_of_the_papers_tables():
    table = rankers.printed_curve(neural_cf.PRINTED["factors"], "factors", "hr@10")
    pretrained = table[table["model"] == "NeuMF, pretrained"].set_index("x")["value"]
    assert pretrained.to_dict() == {8: 0.684, 16: 0.707, 32: 0.726, 64: 0.73}
    assert len(table) == 12
    assert rankers.printed_curve({}, "negatives", "hr@10").empty


def test_learning_curves_have_a_line_per_row_and_epoch(run, factors):
    rows, _ = asked(run, "11_factors")
    table = rankers.watched(run, rows[:1], SEEDS)
    history = Training(run, rows[0], 1).history()
    own = table[table["seed"] == 1]
    assert own["value"].tolist() == history.valid and own["loss"].tolist() == history.train_loss
    assert own["epoch"].tolist() == list(range(1, len(history.valid) + 1))


@pytest.mark.case("damage", "kept values of users flipped or gone", "measured again, equal")
@pytest.mark.parametrize("how", ["flipped", "gone"])
def test_users_values_are_kept_and_measured_again_where_they_are_damaged(run, factors, how):
    training = Training(run, asked(run, "11_factors")[0][0], 0)
    kept = training.user_values()
    pd.testing.assert_frame_equal(
        kept, training.variant.evaluation.per_user(training)[list(kept.columns)]
    )
    data = bytearray(training.values_path.read_bytes())
    data[-1] ^= 1
    training.values_path.write_bytes(bytes(data))
    if how == "gone":
        training.values_path.unlink()
    pd.testing.assert_frame_equal(training.user_values(), kept)
    own = factors[
        (factors["config"] == training.config) & (factors["seed"] == 0)
        & (factors["metric"] == "hr@10")
    ]  # fmt: skip
    assert kept["hr@10"].mean() == pytest.approx(own["value"].item())


def test_the_last_tested_epoch_is_the_row_itself(run):
    row = neural_cf.gmf(run, 4, "as published")
    table = chosen_epochs.tested_by_epoch(run, [row], (0,))
    training = Training(run, row, 0)
    training.train()
    by_metric = dict(list(table.groupby("metric")))
    for metric, own in by_metric.items():
        assert own["epoch"].tolist() == [1, 2, 3]
        assert own["value"].iloc[-1] == training.metrics()[metric]
    assert by_metric.keys() == {"hr@10", "ndcg@10"}
    gains = chosen_epochs.gain_by_choice(table)["gained by the choice"].loc[row.name]
    best = by_metric["hr@10"]["value"].argmax()
    for metric, gain in gains.items():
        values = by_metric[metric]["value"]
        assert gain == values.iloc[best] - values.iloc[-1]


def test_a_network_starts_from_the_parts_that_are_best_on_test(run):
    """With a rate of nothing, it is what such parts are together."""
    row = neural_cf.pretrained(run, 4, "as published")
    still = replace(row, training=replace(row.training, learning_rate=1e-30))
    both = chosen_epochs.tested_by_epoch(run, [*row.starts_from, still], (1, 0))
    assert set(both["seed"]) == {0, 1}
    found = both[both["seed"] == 0]
    choice = chosen_epochs.gain_by_choice(found)["its epoch"]
    parts = []
    for part in row.starts_from:
        best = int(choice[part.name, "hr@10"])
        shorter = replace(part, training=replace(part.training, epochs=best))
        parts.append(Training(run, shorter, 0).model())
    training = Training(run, row, 0)
    together = training.untrained()
    together.start_from(parts)
    test = row.evaluation.tester(training.dataset, training.split, training.device)
    expected = test(together.eval()).metrics
    own = found[found["model"] == row.name]
    for metric in chosen_epochs.METRICS:
        of_metric = own[own["metric"] == metric]
        assert set(of_metric["value"]) == {expected[metric]}
        # as it starts, it has no loss yet
        assert of_metric["epoch"].tolist() == [0, 1, 2, 3]
        assert of_metric["loss"].isna().tolist() == [True, False, False, False]
    assert choice[row.name, "hr@10"] == 0  # that code keeps a later epoch only if it is better
    assert list(found["model"].unique()) == [*(part.name for part in row.starts_from), row.name]


def test_seeds_are_averaged_each_at_its_own_best_epoch():
    values = {0: ([0.3, 0.5, 0.4], [0.1, 0.2, 0.3]), 1: ([0.6, 0.1, 0.2], [0.4, 0.4, 0.1])}
    table = pd.DataFrame(
        [
            {"model": "A", "seed": seed, "epoch": epoch, "loss": 1.0, "metric": metric, "value": v}
            for seed, both in values.items()
            for metric, by_epoch in zip(chosen_epochs.METRICS, both, strict=True)
            for epoch, v in enumerate(by_epoch, 1)
        ]
    )
    choice = chosen_epochs.gain_by_choice(table).loc["A"]
    assert choice.loc["hr@10"].tolist() == pytest.approx([0.3, 3, 0.55, 1.5, 0.25, 2])
    assert choice.loc["ndcg@10"].tolist() == pytest.approx([0.2, 3, 0.3, 1.5, 0.1, 2])


def test_a_network_that_starts_from_a_pretrained_one_is_refused(run):
    row = neural_cf.pretrained(run, 4, "as published")
    late = replace(row, starts_from=(row, row))
    with pytest.raises(ConfigError, match=f"{row.name} starts from other rows, so that no row"):
        chosen_epochs.tested_by_epoch(run, [late], (0,))


def test_no_search_leaves_no_trial(run):
    trials = read_trials(run, [neural_cf.gmf(run, 4, "as published")], SEEDS)
    assert trials.empty and "params" in trials
    assert tables.chosen_settings(trials, "ndcg@10").empty
