"""Tables of rankers: one row per model that both evaluations have, and pairs by evaluation."""

import pandas as pd
import pytest

from bonmf_lib.claims.across_users import COLUMNS
from bonmf_lib.claims.reading import read_claims
from bonmf_lib.errors import RecordError
from bonmf_lib.evaluation.rules import OWN_KEPT
from bonmf_lib.experiments.neural_cf import BY_ADAM, FROM_CHOSEN, IN_EXAMPLES
from bonmf_lib.report import ranker_parts
from bonmf_lib.report.measured import measured
from bonmf_lib.report.published import NotPublishedError, Published, read_published_run
from bonmf_lib.report.ranker_answers import ASKED_FIRST, ASKED_OF_RANKERS
from bonmf_lib.report.rankers import (
    INDEPENDENT,
    both_evaluations,
    choice_lines,
    choice_sentence,
    chosen_gains_sentence,
    hits_by_batches,
    near_print_lines,
    near_print_sentence,
    pair_intervals,
    printed_networks,
    started_sentence,
)
from bonmf_lib.runs.records import COLUMNS as RECORD_COLUMNS
from bonmf_lib.studies.chosen_epochs import TESTED
from bonmf_lib.studies.sampled_metrics import TURNED, pair_orders

FULL, GIVEN = "full ranking, train masked", "given negatives"


def row(evaluation: str, variant: str, mean: float, other: str = "", metric: str = "hr@10") -> dict:
    known = {"dataset": "ml-1m", "content": "full", "split": "given", "users": 100, "seeds": "0 1"}
    return known | {
        "evaluation": evaluation, "metric": metric, "variant": variant, "other": other,
        "mean": mean, "error": 0.01, "freedom": 99.0, "config": variant, "other_config": other,
    }  # fmt: skip


ACROSS = pd.DataFrame(
    [
        row(FULL, "B", 0.3), row(FULL, "A", 0.2), row(FULL, "only here", 0.9),
        row(GIVEN, "A", 0.7), row(GIVEN, "B", 0.5), row(GIVEN, "A", 0.1, metric="ndcg@10"),
        row("given negatives, own item kept", "A", 0.4),
        row(GIVEN, "A", 40.0, "B"), row(FULL, "A", -33.0, "B"),
    ],
    columns=COLUMNS,
)  # fmt: skip


def test_models_of_both_evaluations_stand_side_by_side():
    table = both_evaluations(ACROSS, "hr@10")
    assert table.index.tolist() == ["B", "A"]
    assert table["sampled"].tolist() == [0.5, 0.7]
    assert table["full"].tolist() == [0.3, 0.2]
    half = table["full_high"] - table["full"]
    assert half.tolist() == pytest.approx([0.01 * 1.9842] * 2, rel=1e-3)


def test_pairs_are_told_apart_by_their_own_intervals():
    told = pair_intervals(ACROSS, "hr@10")
    assert {side: len(table) for side, table in told.items()} == {"sampled": 1, "full": 1}
    pairs = pair_orders(both_evaluations(ACROSS, "hr@10")[["sampled", "full"]], told)
    assert pairs["order"].tolist() == [TURNED]


def test_an_ambiguous_evaluation_is_refused():
    with pytest.raises(RecordError, match="name one of them"):
        both_evaluations(ACROSS, "hr@10", {"sampled": "given", "full": "full ranking"})


def test_networks_are_compared_with_what_their_paper_prints_where_it_does():
    printed = printed_networks()
    own = "NeuMF Tables 3 and 4"
    assert printed.loc["MLP, 32 factors"].tolist() == [0.692, 0.425, own]
    assert printed.loc["NeuMF, 32 factors, pretrained", "hr@10"] == 0.726
    assert printed.loc["GMF, 32 factors"].tolist() == [0.708, 0.429, INDEPENDENT]
    assert printed.index.is_unique


def test_what_choosing_the_epoch_adds_is_said_beside_print():
    names = [
        "MLP, 32 factors", "Other", "NeuMF, 32 factors, pretrained, from parts chosen on test",
        "GMF, 32 factors, batches of examples",
        "NeuMF, 32 factors, pretrained, from parts chosen on test, batches of examples",
    ]  # fmt: skip
    choice = pd.DataFrame(
        {
            "last epoch": [0.65, 0.40, 0.7, 0.4, 0.66, 0.41, 0.68, 0.42, 0.6, 0.4],
            "best on test": [0.69, 0.39, 0.7, 0.4, 0.71, 0.43, 0.7, 0.42, 0.65, 0.4],
            "epochs": [20, 20, 20, 20, 20, 20, 60, 60, 20, 20],
            "its epoch": [7, 7, 20, 20, 3, 3, 9.5, 9.5, 0, 0],
            "seeds": [1, 1, 1, 1, 1, 1, 2, 2, 2, 2],
        },
        index=pd.MultiIndex.from_product([names, ["hr@10", "ndcg@10"]], names=["model", "metric"]),
    )
    said = choice_lines(choice, printed_networks())
    assert said[:4] == [
        "MLP, 32 factors: HR@10 0.650 and NDCG@10 0.400 after epoch 20, the last; HR@10 0.690 and "
        "NDCG@10 0.390 after epoch 7, one seed. Printed: HR@10 0.692 and NDCG@10 0.425.",
        "Other: HR@10 0.700 and NDCG@10 0.400 after epoch 20, the last; HR@10 0.700 and NDCG@10 "
        "0.400 after epoch 20, one seed.",
        "NeuMF, 32 factors, pretrained, from parts chosen on test: HR@10 0.660 and NDCG@10 0.410 "
        "after epoch 20, the last; HR@10 0.710 and NDCG@10 0.430 after epoch 3, one seed. Printed: "
        "HR@10 0.726 and NDCG@10 0.445.",
        "GMF, 32 factors, batches of examples: HR@10 0.680 and NDCG@10 0.420 after "
        "epoch 60, the last; HR@10 0.700 and NDCG@10 0.420 after each seed's own (mean 9.5), "
        "2 seeds. Printed by an independent run: HR@10 0.708 and NDCG@10 0.429.",
    ]
    assert "NDCG@10 0.400 before the first, 2 seeds. Printed:" in said[4]
    assert choice_lines(choice)[0] == said[0].partition(" Printed")[0]
    near = near_print_sentence(choice, printed_networks(), within=0.02)
    assert near == (
        "Within 0.02 of print after the last epoch: none; after the one that is best on the test "
        f"ratings: *{names[2]}*; *{names[3]}*."
    )
    of_paper, of_run = near_print_lines(choice)
    assert of_paper.endswith("ratings: none.")
    assert of_run.startswith("Within 0.01 of an independent run after the last epoch: none; ")
    assert of_run.endswith(f"ratings: *{names[2]}*; *{names[3]}*.")


def by_epoch(hits: dict[str, dict[int, float]]) -> pd.DataFrame:
    """A table of one epoch, by model and seed."""
    rows = [
        {"model": model, "seed": seed, "epoch": 1, "loss": 0.1, "metric": metric, "value": value}
        for model, by_seed in hits.items()
        for seed, value in by_seed.items()
        for metric in ("hr@10", "ndcg@10")
    ]
    return pd.DataFrame(rows)


def test_the_pretrained_network_is_told_from_the_best_other_on_seeds_that_both_have():
    fused = f"NeuMF, 32 factors, pretrained{FROM_CHOSEN}"
    hits = {
        "MLP": {0: 0.70, 1: 0.50, 2: 0.50},
        "GMF": {0: 0.60, 1: 0.60, 2: 0.60, 3: 0.1},
        fused: {0: 0.63, 1: 0.66, 2: 0.69},
        f"GMF{IN_EXAMPLES}": {0: 0.70},
        f"{fused}{IN_EXAMPLES}": {0: 0.65},
        f"{fused}{BY_ADAM}{IN_EXAMPLES}": {0: 0.77, 1: 0.9},
    }
    said = chosen_gains_sentence(by_epoch(hits))
    assert "the pretrained network is not always ahead of the best of the others" in said
    assert (
        "in batches of positives +10.0 % (−2.4 to +22.4, over 3 seeds alone) over *GMF* (epochs: 1)"
        in said
    )
    assert (
        "in batches of examples −7.1 % (one seed, no interval) over *GMF* (epochs: 1); in" in said
    )
    assert said.endswith("gone on by Adam +10.0 % (one seed, no interval) over *GMF* (epochs: 1).")
    del hits[f"{fused}{IN_EXAMPLES}"]
    said = chosen_gains_sentence(by_epoch(hits))
    assert "network is ahead of the best of the others on the seeds that were run (HR@10)" in said
    sure = {"GMF": dict.fromkeys(range(3), 0.5), fused: {0: 0.6, 1: 0.601, 2: 0.602}}
    said = chosen_gains_sentence(by_epoch(sure))
    assert "network hits more often than the best of the others (HR@10): in batches of" in said
    assert chosen_gains_sentence(by_epoch({"GMF": hits["GMF"]})) == ""
    alone = {fused: hits[fused], f"GMF{IN_EXAMPLES}": hits["GMF"]}
    assert chosen_gains_sentence(by_epoch(alone)) == ""  # nothing shares its batches


def test_trainings_that_are_best_as_they_start_are_counted():
    fused = f"NeuMF, 32 factors, pretrained{FROM_CHOSEN}"
    hits = {"GMF": {0: 0.7}, fused: {0: 0.6, 1: 0.6}}
    tested = by_epoch(hits | {f"GMF{IN_EXAMPLES}": {0: 0.7}, f"{fused}{IN_EXAMPLES}": {0: 0.7}})
    before = tested[tested["model"].str.startswith(fused)].assign(epoch=0)
    before["value"] += before["seed"].map({0: 0.1, 1: -0.1})
    said = started_sentence(pd.concat([before, tested]))
    assert said.startswith(
        "Of 3 trainings of the pretrained network by plain descent (none by Adam is among them), "
        "2 are best before their"
    )
    assert choice_sentence(pd.concat([before, tested])).endswith(said)
    assert started_sentence(by_epoch({"GMF": {0: 0.7}})) == ""


def test_published_trainings_by_epoch_are_read_by_their_names():
    """A name that is not understood would count as another network."""
    tested = read_published_run().table(TESTED, "Trainings by epoch")
    known, found = set(printed_networks().index), hits_by_batches(tested)
    assert list(found) == ["test, batches of positives", "test, batches of examples"]
    for hits in found.values():
        assert {name.removesuffix(BY_ADAM) for name in hits["model"]} <= known
    first = tested.groupby("model")["epoch"].min()
    started = [FROM_CHOSEN in name for name in first.index]
    assert any(started) and first.tolist() == [0 if one else 1 for one in started]


def test_what_searches_chose_is_shown_as_far_as_published(monkeypatch):
    trials = pd.DataFrame(
        {
            "variant": "SLIM", "seed": 0, "params": ['{"model.l1": 1.0}', '{"model.l1": 2.0}'],
            "state": "COMPLETE", "value": [0.3, 0.4], "best_epoch": 1,
        }
    )  # fmt: skip
    asked = []
    monkeypatch.setattr(Published, "table", lambda own, name, what: asked.append(name) or trials)
    (table,) = ranker_parts.searched(Published(pd.DataFrame(columns=RECORD_COLUMNS)))
    assert table.loc["SLIM", ["settings", "validation NDCG@10"]].tolist() == ["l1 = 2", 0.4]
    assert asked == ["trials--11_tuned--ml-1m-full"]


def test_tested_curves_are_of_hit_rates(monkeypatch):
    table = pd.DataFrame(
        {
            "model": "A", "seed": 0, "epoch": [1, 2, 1, 2], "loss": [2.0, 1.0, 2.0, 1.0],
            "metric": ["hr@10", "hr@10", "ndcg@10", "ndcg@10"], "value": [0.5, 0.4, 0.1, 0.9],
        }
    )  # fmt: skip
    monkeypatch.setattr(Published, "table", lambda own, name, what: table)
    figure, line, *near = ranker_parts.tested_curves(
        Published(pd.DataFrame(columns=RECORD_COLUMNS))
    )
    assert figure.get_label().startswith(
        "Epoch of the best mean HR@10 (test, batches of positives): A"
    )
    assert line.startswith("A: HR@10 0.400 and NDCG@10 0.900 after epoch 2, the last; ")
    assert [one.partition(" after")[0] for one in near] == [
        "Within 0.01 of print", "Within 0.01 of an independent run",
    ]  # fmt: skip
    fused = f"NeuMF, 8 factors, pretrained{FROM_CHOSEN}{BY_ADAM}{IN_EXAMPLES}"
    both = pd.concat([table, table.assign(model=fused)])
    monkeypatch.setattr(Published, "table", lambda own, name, what: both)
    _, figure, *_ = ranker_parts.tested_curves(Published(pd.DataFrame(columns=RECORD_COLUMNS)))
    assert (
        "(test, batches of examples): NeuMF, 8 factors, pretrained, gone on by Adam 1 (0.500)"
        in (figure.get_label())
    )


def published(
    monkeypatch,
    rows: dict[str, tuple[str, str, str, float, float]],
    gains: dict[tuple[str, str], float] | None = None,
) -> Published:
    """A published run of such rows, by config: experiment, protocol, name, and the mean of every
    metric among few and among all; with gains of pairs that were compared, in every metric."""
    gains = gains or {}
    records = pd.DataFrame(
        [
            {"dataset": "ml-1m", "content": "full", "config": f"{config}-{evaluation}",
             "experiment": experiment, "protocol": protocol, "variant": name}
            for config, (experiment, protocol, name, _, _) in rows.items()
            for evaluation in (FULL, GIVEN)
        ]
    )  # fmt: skip
    across = [
        row(evaluation, name, mean, metric=metric) | {"config": f"{config}-{evaluation}"}
        for config, (_, _, name, few, every) in rows.items()
        for evaluation, mean in ((GIVEN, few), (FULL, every))
        for metric in ("hr@10", "ndcg@10")
    ]
    across += [
        row(evaluation, rows[one][2], gain, rows[other][2], metric)
        | {"config": f"{one}-{evaluation}", "other_config": f"{other}-{evaluation}"}
        for (one, other), gain in gains.items()
        for evaluation in (GIVEN, FULL)
        for metric in ("hr@10", "ndcg@10")
    ]
    table = pd.DataFrame(across, columns=COLUMNS)
    monkeypatch.setattr(Published, "across_users", property(lambda _: table))
    return Published(records)


def test_rows_stand_best_first_with_print_and_searched_ones_apart(monkeypatch):
    run = published(
        monkeypatch,
        {
            "a": ("11_neumf", "as published", "NeuMF, 32 factors, from scratch", 0.65, 0.08),
            "b": ("11_tuned", "tuned", "MF, tuned", 0.72, 0.10),
            "c": ("11_dot_products", "large batches", "MF, tuned", 0.71, 0.09),
            "d": ("11_neumf", "as published", "MLP, 32 factors", 0.66, 0.07),
            "e": ("11_factors", "large batches", "MLP, 32 factors", 0.99, 0.99),
        },
        {("c", "a"): 9.0, ("d", "a"): 0.001, ("c", "e"): 5.0},
    )
    (table,) = ranker_parts.accuracy(run)
    head, *lines = str(table).splitlines()
    assert head.startswith("row | HR@10, among few | NDCG@10, among few | HR@10, among all")
    assert list(ranker_parts.turned(run)) == []
    assert [line.split(" | ")[0] for line in lines] == [
        "MLP, 32 factors", "MF, tuned, searched", "MF, tuned", "MLP, 32 factors, as published",
        "NeuMF, 32 factors, from scratch, as published",
    ]  # fmt: skip
    assert lines[2].startswith("MF, tuned | 0.710 (0.690 to 0.730) | ")
    printed = [line.split(" | ")[-2:] for line in lines]
    assert printed == [
        ["0.692", "0.425"], ["0.729", "0.452"], ["0.729", "0.452"], ["0.692", "0.425"],
        ["0.701", "0.425"],
    ]  # fmt: skip
    (figure,) = ranker_parts.compared(run)
    *_, said = ranker_parts.ordered(run)
    title = figure.get_suptitle().replace("\n", " ")
    assert "One winner: MLP, 32 factors, among few items (NDCG@10 0.990)" in title
    assert said == (
        "NDCG@10: of 2 pairs of models that both evaluations tell apart, each by its own "
        "intervals, 0 stand the other way round among few items; 1 more is not."
    )


def test_a_row_that_its_layers_name_too_stands_once(monkeypatch):
    rows = {
        "a": ("11_factors", "large batches", "MLP, 64 factors", 0.7, 0.1),
        "b": ("11_layers", "large batches", "MLP, 64 factors, 3 hidden layers", 0.7, 0.1),
        "c": ("11_layers", "large batches", "MLP, 8 factors, 3 hidden layers", 0.6, 0.1),
    }
    (table,) = ranker_parts.accuracy(published(monkeypatch, rows))
    _, *lines = str(table).splitlines()
    assert [line.split(" | ")[0] for line in lines] == [
        "MLP, 64 factors", "MLP, 8 factors, 3 hidden layers",
    ]  # fmt: skip


def test_pairs_that_turn_are_named_with_who_is_ahead_where(monkeypatch):
    rows = {
        "a": ("11_solved", "closed form", "EASE", 0.6, 0.2),
        "b": ("11_dot_products", "large batches", "MF, tuned", 0.7, 0.1),
    }
    run = published(monkeypatch, rows, {("a", "b"): 0.0})
    across = run.across_users
    pair = across["other"] != ""
    across.loc[pair, "mean"] = across.loc[pair, "evaluation"].map({GIVEN: -14.0, FULL: 100.0})
    said = ranker_parts.ordered(run)
    assert all("1 stands the other way round" in sentence for sentence in said)
    (table,) = ranker_parts.turned(run)
    head, *lines = str(table).splitlines()
    assert (
        head
        == "metric | ahead among few | ahead among all | ahead among few by | ahead among all by"
    )
    assert lines == [
        f"{name} | MF, tuned | EASE | 0.1000 | 0.1000" for name in ("HR@10", "NDCG@10")
    ]


def test_trainings_that_their_last_epoch_ended_are_named():
    rows = [
        dict.fromkeys(RECORD_COLUMNS, "")
        | {"experiment": "11_bonmf", "dataset": "ml-1m", "content": "full", "variant": name,
           "protocol": protocol, "metric": "best_epoch", "seed": seed, "value": value}
        for name, protocol, values in (
            ("stopped", "large batches", (45, 12)),
            ("cut", "large batches", (20, 46)),
            ("cut", "tuned", (50, 50)),
            ("fixed", "as published", (50, 50)),
        )
        for seed, value in enumerate(values)
    ]  # fmt: skip
    (said,) = ranker_parts.cut_short(Published(pd.DataFrame(rows, columns=RECORD_COLUMNS)))
    assert said.startswith("Ended on some seed by their last epoch, 50, before validation stopped")
    assert said.endswith("may help: cut; cut, searched.")
    assert not list(ranker_parts.cut_short(Published(pd.DataFrame(rows[:2]))))


def test_rows_that_were_not_compared_in_pairs_stand_in_the_table_alone(monkeypatch):
    rows = {"a": ("11_solved", "closed form", "EASE", 0.7, 0.1)}
    run = published(monkeypatch, rows)
    (table,) = ranker_parts.accuracy(run)
    assert "EASE | 0.700" in str(table)
    with pytest.raises(NotPublishedError, match="Pairs of rankers"):
        list(ranker_parts.compared(run))


def test_flawed_lists_stand_beside_lists_without_their_flaw(monkeypatch):
    """A row's mean over its seeds, all ties lost: without the own test item, and with it."""
    naive = f"given negatives, {OWN_KEPT}, ties lost"
    values = {("11_naive", naive): (0.3, 0.4), ("11_naive", f"{GIVEN}, ties lost"): (0.5, 0.6),
              ("11_solved", GIVEN): (0.8, 0.8), ("11_solved", FULL): (0.9, 0.9)}  # fmt: skip
    rows = [
        dict.fromkeys(RECORD_COLUMNS, "")
        | {
            "experiment": experiment, "evaluation": evaluation, "dataset": "ml-1m",
            "content": "full", "variant": "EASE", "protocol": "closed form", "metric": metric,
            "seed": seed, "value": value + (metric == "ndcg@10") / 100,
        }
        for (experiment, evaluation), own in values.items()
        for seed, value in enumerate(own)
        for metric in ("hr@10", "ndcg@10")
    ]  # fmt: skip
    flaws = pd.DataFrame({"flaw": ["lists with their own test item"], "count": [1156]})
    run = Published(pd.DataFrame(rows, columns=RECORD_COLUMNS))
    monkeypatch.setattr(Published, "table", lambda *_: flaws)
    table, said = ranker_parts.flawed_lists(run)
    assert said == "The authors' lists: 1,156 lists with their own test item."
    head, line = str(table).splitlines()
    assert head.startswith("row, all ties lost | HR@10 | HR@10, counted naively | NDCG@10 | ")
    assert line == "EASE | 0.5500 | 0.3500 | 0.5600 | 0.3600"


def test_curves_are_drawn_as_far_as_they_are_published(monkeypatch):
    run = published(
        monkeypatch,
        {
            str(n): ("11_negatives", "large batches", f"NeuMF, 8 factors, {n} negatives", n / 9, 0)
            for n in (1, 4)
        },
    )
    factors, layers, figure, gains = ranker_parts.curves(run)
    assert "NDCG@10" in gains.get_suptitle()
    assert (factors, layers) == (
        "By factors: not published yet.", "By hidden layers: not published yet.",
    )  # fmt: skip
    assert "at 4 (0.444)" in figure.get_suptitle()


def test_verdicts_on_rankers_stand_beside_their_gains():
    found = measured(read_published_run())
    every = {**ASKED_FIRST, **ASKED_OF_RANKERS}
    asked = {text: c for text, c in every.items() if found.effect(c) is not None}
    assert len(asked) >= 8
    (table,) = ranker_parts.answers(found)
    head, *lines = str(table).splitlines()
    assert head == "question | gain, + = better | the claim is"
    assert [line.split(" | ")[0] for line in lines] == list(asked)
    metrics = {claim.id: claim.metric for claim in read_claims()}
    said = [line.split(" | ")[1].partition(" ")[0].lower() for line in lines]
    assert said == [metrics[claim] for claim in asked.values()]
    with pytest.raises(NotPublishedError, match="Verdicts on rankers"):
        list(ranker_parts.answers(measured(Published(pd.DataFrame(columns=RECORD_COLUMNS)))))


def test_a_run_without_rankers_says_so(monkeypatch):
    with pytest.raises(NotPublishedError, match="Rankers: not published yet"):
        list(ranker_parts.compared(published(monkeypatch, {"a": ("03", "", "BoNMF", 1, 1)})))
