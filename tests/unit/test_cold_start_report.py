"""Tables, sentences and figures of cold start, from records made by hand."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from bonmf_lib.experiments import cold_start as rows_of, held_out
from bonmf_lib.report import cold_start as report, cold_start_parts as parts, worth as worths
from bonmf_lib.report.figures import cold_start as figures
from bonmf_lib.report.published import NotPublishedError, Published
from tests.unit.made_records import record

SEEDS, COUNTS = range(5), (0, 1, 2, 5)
SPLIT = {"split": "revealed-items(test=0.2, valid=0.1, revealed=0 of 5)", "test_share": 0.2}
ALONE, TEXT = "BoNMF on ID", "BoNMF on ID + text"


@pytest.fixture(scope="module")
def families():
    return {"BoNMF": rows_of.family_names("BoNMF", ("text",))}


def records(values: dict[tuple[str, int], float], metric="mse", seeds=SEEDS, noise=1e-3):
    """One row per name, revealed ratings and seed."""
    draw = np.random.default_rng(0)
    rows = [
        record(name, seed, value + draw.normal(0, noise), metric=metric,
               protocol=held_out.protocol("item", count), evaluation="by training ratings", **SPLIT)
        for (name, count), value in values.items()
        for seed in seeds
    ]  # fmt: skip
    return pd.DataFrame([dataclasses.asdict(row) for row in rows])


def at_none(alone=1.0, text=0.9, shuffled=1.0, noise=1.0, **more):
    values = {ALONE: alone, TEXT: text, f"{TEXT}, shuffled": shuffled, f"{TEXT}, noise": noise}
    return records({(name, 0): value for name, value in values.items()}, **more)


def said(families, **values) -> str:
    return report.verdict(report.gains(at_none(**values), families))


def test_content_helps_only_beyond_none_and_every_control(families):
    assert said(families) == report.HELPS
    assert said(families, shuffled=0.9) in (report.UNSHOWN, report.UNCERTAIN)
    assert said(families, noise=0.85) == report.UNSHOWN
    assert said(families, alone=0.8, shuffled=0.8, noise=0.8) == report.HARMS
    assert said(families, seeds=range(2)) == report.FEW
    bare = at_none()
    bare = bare[~bare["variant"].str.contains("shuffled|noise")]
    assert report.verdict(report.gains(bare, families)) == report.UNCERTAIN
    assert not report.drawable(report.gains(at_none(seeds=range(2)), families))
    assert report.drawable(report.gains(at_none(), families))


def test_gains_are_in_percent_of_the_others_error(families):
    found = report.gains(at_none(noise=0.0 + 1.2), families)
    by_over = {one.over: one.gain.mean for one in found}
    assert by_over[report.NONE] == pytest.approx(10, abs=0.2)
    assert by_over["noise"] == pytest.approx(25, abs=0.2)
    (row,) = report.gain_table(found).to_dict("records")
    assert row["verdict"] == "helps" and row["over noise, %"].startswith("+25")
    words = report.gain_sentence(found, "here")
    assert words == "here. Helps: text (BoNMF)."
    few = report.gain_sentence(report.gains(at_none(seeds=range(2)), families), "here")
    assert few == "here: 2 seeds, too few to tell whether content helps."
    assert report.gain_sentence([], "here") == "here: no model with content was run."


def test_nothing_run_is_an_empty_table():
    assert report.gain_table([]).empty and report.gain_table([]).index.names == ["model", "content"]
    assert worths.worth_table([]).empty


def test_p_values_are_adjusted_among_all_that_is_asked(families):
    found = report.gains(at_none(), families)
    raw = sorted(one.gain.p_value for one in found)
    assert min(one.adjusted for one in found) == pytest.approx(min(1, len(found) * raw[0]))


def curves(reaches: float, text_later: float = 0.9):
    """IDs alone fall along log(1 + n) and reach 0.9, what text starts from, at ``reaches``."""
    values = {}
    for count in COUNTS:
        fall = 0.1 * np.log1p(count) / np.log1p(reaches)
        values[ALONE, count] = 1 - fall
        values[TEXT, count] = 0.9 if count == 0 else text_later
        for control in ("shuffled", "noise"):
            values[f"{TEXT}, {control}", count] = 1.0
    return values


@pytest.mark.parametrize("reaches", [1.5, 4.0])
def test_a_text_is_worth_the_ratings_that_reach_it(families, reaches):
    found = worths.worth(
        records(curves(reaches), noise=1e-4), "BoNMF", "text", families["BoNMF"], COUNTS
    )
    assert found.worth.ratings == pytest.approx(reaches, rel=0.02)
    assert found.worth.low < reaches < found.worth.high
    assert found.helps
    words = worths.worth_sentence(found, "wine")
    assert words.startswith("The text of a new wine is worth ") and "to BoNMF" in words


def test_a_text_that_is_never_reached_or_does_not_help_is_said_so(families):
    many = worths.worth(records(curves(50.0)), "BoNMF", "text", families["BoNMF"], COUNTS)
    assert "more than 5 (surely more than 5) ratings" in worths.worth_sentence(many, "item")
    values = curves(2.0) | {(f"{TEXT}, shuffled", 0): 0.9}
    same = worths.worth(records(values), "BoNMF", "text", families["BoNMF"], COUNTS)
    assert not same.helps
    assert worths.worth_sentence(same, "item").endswith("is not shown to help BoNMF at all.")
    few = records(curves(2.0), seeds=range(2))
    found = worths.worth(few, "BoNMF", "text", families["BoNMF"], COUNTS)
    assert worths.worth_sentence(found, "item").endswith("2 seeds, too few for an interval.")
    assert worths.worth(few.iloc[:0], "BoNMF", "text", families["BoNMF"], COUNTS) is None


def test_tables_by_revealed_ratings_have_a_column_for_each(families):
    table = report.revealed_table(records(curves(2.0)), "item", COUNTS)
    assert list(table) == [f"{count} revealed" for count in COUNTS]
    assert table.loc[TEXT, "0 revealed"].startswith("0.900 ± 0.00")
    words = report.best_sentence(records(curves(2.0)), "item", (0, 5))
    assert words.startswith("Lowest mean MSE on held-out items by revealed ratings: ")
    assert "with 0 (0.900); BoNMF on ID with 5" in words


def by_bucket(names=(ALONE, TEXT, f"{TEXT}, shuffled")):
    rows = []
    for name, error in zip(names, (1.0, 0.8, 1.0), strict=True):
        for side in ("item", "user"):
            for bucket in ("0", "20+") if side == "item" else ("20+",):
                for seed in SEEDS:
                    common = {"split": "ratio(test=0.3, valid=0.1)", "protocol": "early stopped"}
                    value = error + 0.001 * seed
                    rows.append(record(name, seed, value, metric=f"mse-{side}s-{bucket}", **common))
                    rows.append(record(name, seed, 100.0 + seed, metric=f"tested-{side}s-{bucket}",
                                       **common))  # fmt: skip
    return pd.DataFrame([dataclasses.asdict(row) for row in rows])


def test_tables_by_bucket_say_how_many_ratings_they_rest_on():
    table = report.bucket_table(by_bucket(), "mse", "item")
    assert list(table) == ["0", "20+"]
    assert table.loc["test ratings a split", "0"] == "102"
    assert table.loc[TEXT, "0"].startswith("0.802 ± ")
    assert list(report.bucket_table(by_bucket(), "mse", "user")) == ["20+"]


def test_what_nothing_tests_is_said():
    found = by_bucket()
    assert report.few_ratings_sentence(found, "here") == (
        "here, test ratings with fewer than five training ratings: items none, users none, "
        "both none."
    )
    few = found[found["metric"] == "tested-items-0"].assign(metric="tested-cold-items")
    words = report.few_ratings_sentence(pd.concat([found, few]), "here")
    assert "items 102, users none" in words
    errors = few.assign(metric="mse-cold-items", value=0.5)
    table = report.few_ratings_table(pd.concat([found, few, errors]))
    assert list(table) == ["items"] and table.loc[TEXT, "items"].startswith("0.500")


def test_published_new_items_are_told_with_their_best_rows():
    found = at_none().assign(experiment="09_items")
    figure, table = parts.unrated(Published(found))
    assert figure.get_label().endswith("movies without any rating: text helps 1 of 1 models")
    head, first, *_ = str(table).splitlines()
    assert head == "lowest errors on movies without any rating | MSE"
    assert first.startswith(f"{TEXT} | 0.90") and "shuffled" not in str(table)
    (full,) = parts.in_full(Published(found))
    assert full.loc[("BoNMF", "text"), "verdict"] == report.HELPS
    (waits,) = parts.worths(Published(found))
    assert waits == "How many ratings a text is worth: not published yet."
    revealed = records(curves(4.0), noise=1e-4).assign(experiment="09_items")
    said, figure = parts.worths(Published(revealed))
    assert said.startswith("The text of a new movie is worth 4.0") and isinstance(figure, Figure)
    with pytest.raises(NotPublishedError, match="Stand-ins"):
        list(parts.stand_ins(Published(found)))


def test_stand_ins_are_told_apart_by_the_error_with_text():
    names = rows_of.stand_in_names()
    values = {}
    for place, (alone, reading) in enumerate(names.values()):
        values |= {(alone, 0): 1.0, (reading, 0): 0.95 - 0.01 * place,
                   (f"{reading}, shuffled", 0): 1.0}  # fmt: skip
    table = report.stand_in_table(records(values), names)
    assert len(table) == 6 and table["text over ID, %"].iloc[0].startswith("+5.0")
    words = report.stand_in_sentence(records(values), names)
    assert words.startswith("Lowest error with text: stand-in zero, 20% (0.8994).")
    assert words.endswith("That is +5.3 % against an untrained embedding.")
    mean = records(values)
    mean = mean[mean["variant"].str.startswith("Stand-in mean")]
    assert report.stand_in_sentence(mean, names).endswith("were not run beside it.")
    alone, text = names["random", "0%"]
    network = {"BoNMF on ID": alone, "BoNMF on ID + text": text}
    plain = records(values)
    plain = plain[plain["variant"].isin(network.values())]
    back = {stand_in: name for name, stand_in in network.items()}
    plain = plain.assign(variant=plain["variant"].map(back), experiment="09_items",
                         protocol="items held out, 0 revealed")  # fmt: skip
    whole = pd.concat([plain, mean.assign(experiment="09_stand_ins")])
    *_, note, said, table = parts.stand_ins(Published(whole))
    assert note.startswith("Untrained embeddings")
    assert said.startswith("Lowest error with text: stand-in mean, 20%")
    assert said.endswith(" % against an untrained embedding.")
    without = list(parts.stand_ins(Published(mean.assign(experiment="09_stand_ins"))))
    assert not any("as they were drawn" in str(part) for part in without)
    assert report.stand_in_sentence(records(values).iloc[:0], names) == (
        "No stand-in was run with texts."
    )


def test_figures_tell_what_was_found(families):
    found = report.gains(at_none(), families)
    figure = figures.content_gains(found, "mse", "here")
    assert isinstance(figure, Figure) and figure.get_label() == "here: text helps 1 of 1 models"
    own = records(curves(2.0))
    one = worths.worth(own, "BoNMF", "text", families["BoNMF"], COUNTS)
    table = worths.curve_table(own, worths.text_curve(families["BoNMF"]), "item", COUNTS, "mse")
    assert len(table) == 3 * len(COUNTS)
    drawn = figures.learning_curves({"BoNMF": table}, {"BoNMF": one}, "mse", "wine")
    said = "What the text of a new wine is worth, in ratings: 2."
    assert drawn.get_label().startswith(said) or drawn.get_label().startswith(said[:-2] + "1.9")
    legend = {text.get_text() for text in drawn.legends[0].get_texts()}
    assert legend == {"no content", "with text", "with text, shuffled"}
    names = {TEXT: "text", f"{TEXT}, shuffled": "text, shuffled"}
    buckets = figures.bucket_gains(by_bucket(), names, ALONE, "mse", "here")
    assert "text +20.0 % on items with 0 and text +20.0 % on items with 20+" in buckets.get_label()
