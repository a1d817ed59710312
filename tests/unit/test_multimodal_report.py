"""Tables of 12: printed values and orders, grids and layers by the rows' names; what published
runs say."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from bonmf_lib.claims.across_users import COLUMNS as ACROSS_COLUMNS
from bonmf_lib.evaluation.rules import FULL_RANKING, FullRanking
from bonmf_lib.experiments import multimodal_ranking as rows_of
from bonmf_lib.report import (
    knock_outs,
    multimodal,
    multimodal_answers as answers,
    multimodal_parts as parts,
    so_far,
)
from bonmf_lib.report.figures import multimodal as figures
from bonmf_lib.report.measured import measured
from bonmf_lib.report.published import NotPublishedError, Published
from bonmf_lib.runs.records import COLUMNS
from tests.unit.made_records import record


def records(values: dict[str, float], metric: str = "recall@20", seeds=(0, 1, 2)) -> pd.DataFrame:
    return pd.DataFrame(
        [
            record(name, seed, value + 1e-4 * seed, metric=metric, split="given", test_share=0.1)
            for name, value in values.items()
            for seed in seeds
        ]
    )


def test_models_stand_beside_their_printed_values():
    for data, source, value in (
        ("amazon-baby", "mmrec", 0.0883), ("amazon-baby", "diffmm", 0.0839),
        ("amazon-sports", "mmrec", 0.098),
    ):  # fmt: skip
        assert multimodal.printed(data, source)["BM3"] == pytest.approx(value)
    own = records({"BM3": 0.08, "LATTICE": 0.09, "FREEDOM": 0.1, "Popularity": 0.01})
    both = multimodal.beside_printed(own, "amazon-baby")
    assert list(both.index) == ["FREEDOM", "BM3", "LATTICE"]
    assert both["rank, ours"].to_dict() == {"FREEDOM": 1, "BM3": 3, "LATTICE": 2}
    said = multimodal.order_sentence(both, "amazon-baby")
    assert "of 3 models is 0.33" in said
    assert "FREEDOM, is also the best in print" in said
    few = multimodal.order_sentence(both.iloc[:2], "amazon-baby")
    assert "too few models" in few
    assert both["printed, this split"].isna().to_dict() == {
        "FREEDOM": True, "BM3": False, "LATTICE": False,
    }  # fmt: skip
    assert multimodal.printed("planted", "mmrec").empty
    assert multimodal.beside_printed(own, "planted").empty
    alone = multimodal.beside_printed(own, "tiktok")
    assert set(alone.index) == {"BM3", "LATTICE"} and alone["rank, printed"].isna().all()
    assert "too few models" in multimodal.order_sentence(alone, "tiktok")


def test_rows_are_placed_among_the_rankers():
    def rows(**values: float) -> pd.DataFrame:
        return pd.DataFrame(
            [{"metric": "recall@20", "variant": name, "value": v} for name, v in values.items()],
            columns=["metric", "variant", "value"],
        )

    others = rows(EASE=0.3, BM3=0.2, BPR=0.1)
    own = rows(**{"BoNMF, IDs only": 0.12, "BoNMF": 0.15, "BoNMF, shuffled": 0.2})
    assert multimodal.place_sentence(own, others, "here") == (
        "here: BoNMF (Recall@20 0.1500) would be number 3 of 4 with the 3 rankers, of which EASE "
        "is the best (0.3000); BoNMF, IDs only (0.1200) number 3."
    )
    assert "number 1 of 4" in multimodal.place_sentence(rows(BoNMF=0.4), others, "here")
    assert multimodal.place_sentence(rows(), others, "here") == (
        "here: not run beside the rankers."
    )


def test_every_question_of_rankers_reaches_the_report():
    shown = {*answers.COMPARED, answers.KNOCKED_OUT, *(f"12_{name}" for name in parts._VARIED)}
    assert shown == {f"12_{name}" for name in rows_of.QUESTIONS}
    rows = {"FREEDOM": 0.09, "FREEDOM, standardised features": 0.08}
    (table,) = parts.variations(published({"12_preparations": rows}, "amazon-baby"))
    head, first, second = str(table).splitlines()
    assert head == "amazon-baby, content's scale | Recall@10 | Recall@20"
    assert first.startswith("FREEDOM | ") and second.startswith("FREEDOM, standardised features")
    rows = {"12_bonmf": {"BoNMF as ranker": 0.09}, "12_models": {"EASE": 0.1, "BPR": 0.08}}
    _, said = parts.variations(published(rows, "amazon-baby"))
    assert said.startswith("amazon-baby: BoNMF as ranker (Recall@20 0.0901) would be number 2 of 3")


def test_it_is_said_which_questions_are_published():
    rows = {"BM3": 0.1, "EASE": 0.2}
    own = published({"12_models": rows, "12_layers": {"BM3": 0.1}})
    line, absent = parts.coverage(own)
    assert absent == (
        "No records of amazon-baby, amazon-sports, tiktok, ml-1m+core5 are published."
    )
    known, _, lacking = line.partition(". None, or not to be asked there: ")
    assert known == (
        "ml-100k+core5, rows × seeds published: models at fixed settings 2 × 3, BM3's layers 1 × 3"
    )
    asked = set(lacking.removesuffix(".").split(", "))
    assert {"searched", "content replaced", "new items"} <= asked
    assert len(asked) == len(rows_of.QUESTIONS) - 2


def test_published_costs_stand_beside_bm3s(monkeypatch):
    rows = [
        dataclasses.asdict(
            record(name, turn, value, metric=metric, experiment="12_costs", dataset="amazon-baby")
        )
        for name, seconds in (("LATTICE", 4.0), ("BM3", 2.0))
        for turn in range(3)
        for metric, value in (("epoch-seconds", seconds + turn), ("peak-memory", 10 * seconds))
        if metric == "epoch-seconds" or not turn  # memory is measured in fewer rounds
    ]
    growth = pd.DataFrame(
        {"model": "BM3", "grown": "pairs", "size": [100, 200], "seconds": [0.1, 0.2]}
    )
    monkeypatch.setattr(Published, "table", lambda own, name, what: growth)
    by_epoch, powers = parts.costs(Published(pd.DataFrame(rows, columns=COLUMNS)))
    head, lattice, bm3 = str(by_epoch).splitlines()
    assert head.startswith("amazon-baby, an epoch | s per epoch | ")
    assert lattice == "LATTICE | 5.00 | 40.00 | 1.67 | 2.00"
    assert bm3 == "BM3 | 3.00 | 20.00 | 1.00 | 1.00"
    assert str(powers).splitlines()[-1] == "BM3 | 1.00 | 1.00"
    with pytest.raises(NotPublishedError):
        list(parts.costs(published({"12_models": {"BM3": 0.1}})))
    without = [one for one in rows if one["variant"] != "BM3"]  # nothing to tell the costs by
    with pytest.raises(NotPublishedError):
        list(parts.costs(Published(pd.DataFrame(without, columns=COLUMNS))))


def test_the_dropout_grid_finds_its_rows():
    names = {
        f"BM3, {rows_of.dropout_name(dropout, penalty)}": dropout + penalty
        for dropout in rows_of.DROPOUTS
        for penalty in rows_of.PENALTIES
    }
    table = multimodal.dropout_grid(records(names), "recall@20")
    assert table.shape == (len(rows_of.PENALTIES), len(rows_of.DROPOUTS))
    assert table.loc[0.01, 0.3] == pytest.approx(0.3101)
    figure = figures.setting_grid(table, "recall@20", "planted")
    assert "best at penalty 0.1 and dropout 0.5" in figure.get_label()


def test_layers_are_read_off_names():
    own = records({"BM3": 0.1, "BM3, 2 layers": 0.2, "LightGCN": 0.3, "LightGCN, 1 layer": 0.4})
    table = multimodal.layer_table(own, "recall@20", rows_of.usual_layers())
    assert table[["model", "x"]].to_numpy().tolist() == [
        ["BM3", 1], ["BM3", 2], ["LightGCN", 1], ["LightGCN", 2],
    ]  # fmt: skip
    assert table["mean"].tolist() == pytest.approx([0.1001, 0.2001, 0.4001, 0.3001])


def test_what_a_ranking_is_watched_by_is_in_its_name():
    by_recall = FullRanking(watches="recall@20")
    assert by_recall.name == f"{FULL_RANKING.name}, by recall@20"
    assert by_recall == rows_of.CHOSEN_BY


# What published runs say

LEFT = (
    *rows_of.KNOCK_OUTS, "no modality", "text only", "picture only", "text shuffled",
    "picture shuffled",
)  # fmt: skip


def published(experiments: dict[str, dict[str, float]], dataset: str = "ml-100k+core5"):
    protocols = {"12_tuned": "tuned"}
    rows = [
        dataclasses.asdict(
            record(name, seed, value + 1e-4 * seed, metric=metric, experiment=experiment,
                   dataset=dataset, protocol=protocols.get(experiment, "fixed settings"),
                   split="per-user(8:1:1, valid=0.1)", test_share=0.1,
                   evaluation=FULL_RANKING.name, config=f"{name}, {experiment}")
        )
        for experiment, values in experiments.items()
        for name, value in values.items()
        for metric in ("recall@10", "recall@20")
        for seed in (0, 1, 2)
    ]  # fmt: skip
    return Published(pd.DataFrame(rows, columns=COLUMNS))


def test_published_rankers_are_told_by_data_set():
    values = {"EASE": 0.09, "BM3": 0.08, "LightGCN": 0.07}
    own = published({"12_models": values, "12_tuned": values | {"BM3": 0.1}})
    assert list(answers.on_each(own)) == ["ml-100k+core5"]
    fixed, tuned = answers.sentences(answers.on_each(own)["ml-100k+core5"])
    assert fixed.startswith("ml-100k+core5, fixed settings: of 3 rankers EASE has the highest ")
    assert "0.0901 (" in fixed and fixed.endswith("and reads no content.")
    assert "of 3 rankers BM3 has" in tuned
    assert "of those that read no content EASE, 0.0901 (" in tuned
    said = so_far._multimodal_lines(measured(own))
    assert said[0] == fixed.replace("ml-100k+core5", "**ml-100k+core5**", 1)
    assert not any("Is BM3 the best?" in line for line in said)  # its rows are not all there


def test_published_knock_outs_are_found_by_the_rows_names():
    left = {"BM3": 0.1} | {f"BM3, {kind}": 0.08 for kind in LEFT}
    one = answers.on_each(published({"12_knock_outs": left}))["ml-100k+core5"]
    found = answers.lost_content(one)
    assert {lost.left for lost in found} == set(LEFT)
    assert all(lost.gain.mean == pytest.approx(25, abs=0.1) for lost in found)
    said, gained = answers.sentences(one)
    assert said.startswith("ml-100k+core5: of 1 rankers, 1 use their content beyond every control")
    start = "ml-100k+core5, gains by content over the control that it gains least on: BM3 +2"
    assert gained.startswith(start)
    sentence, more, figure, table, by_metric = parts.answers(published({"12_knock_outs": left}))
    assert by_metric.loc["BM3", "Recall@20"] == pytest.approx(25, abs=0.1)
    assert (sentence, more) == (said, gained) and figure.get_label() == said
    assert table.loc["BM3", "content"] == knock_outs.USES
    nothing = answers.on_each(published({"12_models": {"BM3": 0.1}}))["ml-100k+core5"]
    assert answers.lost_content(nothing) == []


def test_recall_by_items_pairs_is_shown_where_it_is_published(monkeypatch):
    rows = [("BM3", "0", 3, 0.1), ("BM3", "50 or more", 9, 0.3), ("BPR", "50 or more", 9, 0.25)]
    kept = pd.DataFrame(rows, columns=["variant", "stratum", "pairs", "recall"]).assign(seed=0)

    def table(own, name, what):
        if "amazon-baby" not in name:
            raise NotPublishedError(what)
        assert name == "recall_by_popularity--12_models--amazon-baby-full"
        return kept

    monkeypatch.setattr(Published, "table", table)
    both = [published({"12_models": {"BM3": 0.1}}, name) for name in ("amazon-baby", "tiktok")]
    records = pd.concat([one.records for one in both])
    title, shown = parts.strata(Published(records))
    assert title.startswith("amazon-baby, Recall@20")
    assert shown.loc["BM3"].tolist() == ["0.1000", "0.3000"]
    assert shown.loc["test pairs"].tolist() == ["3", "9"]


def test_published_layers_dropout_and_strata_are_drawn(monkeypatch):
    rows = [("BM3", "5 to 9", 3, 0.1), ("BM3", "10 to 19", 9, 0.3)]
    kept = pd.DataFrame(rows, columns=["variant", "stratum", "pairs", "recall"]).assign(seed=0)
    monkeypatch.setattr(Published, "table", lambda own, name, what: kept)
    layers = {"BM3": 0.1, "BM3, 2 layers": 0.12, "LightGCN": 0.2}
    dropout = {"BM3, dropout 0.3": 0.1, "BM3, dropout 0.5": 0.15}
    one = published({"12_layers": layers, "12_dropout": dropout}, "amazon-baby")
    strata, name, curves, grid = parts.figures(one)
    assert name == "amazon-baby:"
    (axis,) = strata.axes
    assert [label.get_text() for label in axis.get_xticklabels()] == ["5 to 9", "10 to 19"]
    assert "BM3 at 2 (0.120)" in curves.get_label() and "dropout 0.5 (0.15" in grid.get_label()
    assert list(parts.figures(published({"12_models": layers}, "tiktok")))[1:] == []


def test_a_gain_whose_sign_hangs_on_the_metric_is_told():
    """Over the control that is hardest by each metric, and only where both signs are sure."""
    one = published({"12_knock_outs": {"BM3": 0.1, "BM3, shuffled": 0.08, "BM3, noise": 0.12}})
    at_ten = (one.records["metric"] == "recall@10") & (one.records["variant"] == "BM3")

    def told(factor: float) -> str:
        values = one.records["value"] * np.where(at_ten, factor, 1)
        turned = dataclasses.replace(one, records=one.records.assign(value=values))
        *_, said = answers.sentences(answers.on_each(turned)["ml-100k+core5"])
        return said

    assert told(2).startswith(
        "ml-100k+core5, the metric decides whether content gains: BM3 −16.7 %"
    )
    assert "(Recall@20) and +66.7 % (" in told(2) and told(2).endswith("(Recall@10).")
    assert "the metric decides" not in told(1.1)  # better than shuffled, not than noise
    assert "the metric decides" not in told(1)


def test_the_report_lists_published_rankers_beside_print():
    values = {"EASE": 0.09, "BM3": 0.08}
    table, *orders, lists = parts.accuracy(published({"12_models": values}, "amazon-baby"))
    asked = [one.partition(": ")[0].rpartition(", ")[2] for one in orders]
    assert asked == ["Recall@10", "Recall@20"]  # those that the records have
    assert orders[1] == (
        "amazon-baby, fixed settings, Recall@20: too few models have printed values to compare "
        "orders."
    )
    assert repr(lists).startswith("amazon-baby, fixed settings, means")
    text = repr(table)
    assert text.index("EASE") < text.index("BM3")
    assert "IDs only" in text and "0.0883" in text and "0.0839" in text
    with pytest.raises(NotPublishedError):
        list(parts.answers(Published(pd.DataFrame(columns=COLUMNS))))


def test_a_first_screen_tells_the_best_with_and_without_content():
    values = {"EASE": 0.08, "LightGCN": 0.07, "BM3": 0.075, "FREEDOM": 0.1}
    left = {"FREEDOM": 0.1, "FREEDOM, shuffled": 0.05, "FREEDOM, no modality": 0.08}
    left |= {"FREEDOM, picture only": 0.099, "BM3": 0.075, "BM3, noise": 0.1}
    rows = {"12_models": values, "12_knock_outs": left}
    said = answers.front_text(published(rows, answers.SHARED_DATA))
    start = (
        "**Rankers of Amazon Baby: content itself surely helps 1 of 2 tried** (Recall@20; "
        "vectors rebuilt from public graphs).\n\n"
    )
    assert said.startswith(f"{start}* Fixed settings: FREEDOM, on text and picture, 0.1001 (")
    assert "; EASE, on IDs, 0.0801 (" in said
    start = "\n* By content, against the hardest control: FREEDOM +25.0 % ("
    _, asked, gains = said.partition(start)
    assert asked and ") over no content, BM3 −25.0 % (" in gains and gains.endswith(" over noise.")
    searched = published(rows | {"12_tuned": values | {"BM3": 0.2}}, answers.SHARED_DATA)
    said = answers.front_text(searched)
    assert "\n* Tuned: BM3, on text and " in said
    assert "By content, fixed settings, against the hardest control: FREEDOM +" in said
    in_part = answers.front_text(
        published(rows | {"12_tuned": {"EASE": 0.09}}, answers.SHARED_DATA)
    )
    assert "\n* Fixed settings, on IDs tuned: FREEDOM" in in_part
    assert "FREEDOM, on text and picture, 0.1001 (" in in_part and "EASE, on IDs, 0.09" in in_part
    assert "at fixed settings" not in in_part
    worse = published(rows | {"12_tuned": {"EASE": 0.075}}, answers.SHARED_DATA)
    assert "), at fixed settings 0.0801; FREEDOM over EASE +" in answers.front_text(worse)
    partly = published(rows | {"12_tuned": {"VBPR": 0.09, "EASE": 0.06}}, answers.SHARED_DATA)
    said = answers.front_text(partly)  # searched ones stand for their models, not for all others
    assert "FREEDOM, on text and picture, 0.1001 (" in said and "LightGCN, on IDs, 0.0701 (" in said
    alone = answers.front_text(published({"12_models": values}, answers.SHARED_DATA))
    assert "By content" not in alone and "; FREEDOM over EASE +25.0 % (" in alone
    both = [published({"12_models": values}, name) for name in (answers.SHARED_DATA, "tiktok")]
    elsewhere = answers.front_text(Published(pd.concat([one.records for one in both])))
    start = "\n* TikTok, fixed settings: FREEDOM, on content, over EASE, on IDs, +25.0 % ("
    assert elsewhere.partition(start)[0] == alone and elsewhere != alone
    given = [one.records.assign(split="given") for one in both]  # seeds are no other users there
    elsewhere = answers.front_text(Published(pd.concat(given)))
    assert (
        " over EASE" not in elsewhere
        and "\n* TikTok, fixed settings: FREEDOM, on content, 0.100" in (elsewhere)
    )
    for other in ({"12_models": {"EASE": 0.08}}, {"12_code": values}, {}):
        assert answers.front_text(published(other, answers.SHARED_DATA)) == ""
    assert answers.front_text(published(rows, "tiktok")) == ""


def test_a_first_screen_tells_how_far_the_best_leads_where_that_was_told(monkeypatch):
    own = published({"12_models": {"EASE": 0.08, "FREEDOM": 0.1}}, answers.SHARED_DATA)
    configs = own.records.drop_duplicates("variant").set_index("variant")["config"]
    pair = dict.fromkeys(ACROSS_COLUMNS, "") | {
        "metric": "recall@20", "config": configs["FREEDOM"], "other_config": configs["EASE"],
        "mean": 25.0, "error": 1.0, "freedom": 1000.0, "users": 9, "seeds": "0 1 2",
    }  # fmt: skip
    table = pd.DataFrame([pair])
    monkeypatch.setattr(Published, "across_users", property(lambda _: table))
    said = answers.front_text(own)
    assert "EASE, on IDs, 0.0801 (" in said and "; FREEDOM over EASE +25.0 % (+" in said


def test_verdicts_name_the_competitor_or_the_pair_that_decides():
    left = {"BM3": 0.1, "BM3, constant": 0.1, "BM3, noise": 0.12}
    left |= {"FREEDOM": 0.1, "FREEDOM, constant": 0.08, "FREEDOM, noise": 0.09}
    said = so_far._multimodal_lines(measured(published({"12_knock_outs": left}, "amazon-baby")))
    (of_bm3,) = (line for line in said if "Does BM3 gain little from content?" in line)
    (of_freedom,) = (line for line in said if "Does content help FREEDOM, beyond" in line)
    assert "+20.0 % (" in of_bm3 and of_bm3.endswith(") for BM3, noise over BM3, Recall@20.")
    assert of_freedom.endswith(
        (") over FREEDOM, noise, Recall@20.", ") over FREEDOM, constant, Recall@20.")
    )
