"""A model uses its content only where it beats everything that content is replaced by."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from bonmf_lib.evaluation import Estimate
from bonmf_lib.experiments import multimodal_ranking as rows_of
from bonmf_lib.report import knock_outs as told
from bonmf_lib.report.figures import multimodal as figures
from bonmf_lib.runs.run import NotebookParameters, Run
from tests.unit.made_records import record

GAINS = {
    "shuffled": 0.02, "noise": 0.02, "constant": 0.02, "no modality": 0.02, "text only": 0.0,
    "picture only": 0.02, "text shuffled": 0.02, "picture shuffled": 0.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("knocked")
    run = Run(NotebookParameters(profile="smoke", run_dir=str(folder)))
    return {"BM3": rows_of.knocked_out(run, "BM3")}


def records(rows, gains, seeds=range(5)) -> pd.DataFrame:
    """Recall of 0.1 on the whole content, less on what is left of it."""
    draw, out = np.random.default_rng(0), []
    for left, row in rows["BM3"].items():
        for seed in seeds:
            value = 0.1 - gains.get(left, 0.0) + draw.normal(0, 1e-4)
            out.append(
                record(row.name, seed, value, metric="recall@20", protocol=row.protocol,
                       split="per-user(8:1:1, valid=0.1)", test_share=0.1)
            )  # fmt: skip
    return pd.DataFrame(out)


def test_a_model_that_beats_every_control_uses_its_content(rows):
    found = told.knock_outs(records(rows, GAINS), rows, "recall@20")
    assert {one.left for one in found} == set(GAINS)
    by_left = {one.left: one for one in found}
    assert by_left["shuffled"].gain.mean == pytest.approx(25, abs=0.5)
    assert by_left["shuffled"].beaten
    assert not by_left["text only"].beaten
    assert told.verdict(found, "content") == told.USES
    assert told.verdict(found, "text") == told.USES
    assert told.verdict(found, "picture") in (told.UNUSED, told.UNCERTAIN)
    said = "planted: of 1 rankers, 1 use their content beyond every control, 1 their text, 0 their "
    assert told.sentence(found, "planted").startswith(said)


@pytest.mark.parametrize("control", ["shuffled", "noise", "constant", "no modality"])
def test_one_control_that_does_as_well_is_enough_to_show_no_use(rows, control):
    """Also of a modality: better than another item's text, and worse than none, is no use."""
    found = told.knock_outs(records(rows, GAINS | {control: -0.01}), rows, "recall@20")
    assert told.verdict(found, "content") == told.UNUSED
    assert told.verdict(found, "text") == told.UNUSED
    assert ", 0 use their content beyond every control, 0 their text, " in (
        told.sentence(found, "planted")
    )


def test_a_modality_that_other_items_content_replaces_as_well_is_not_used(rows):
    """Text helps more than none, and no more than another item's."""
    found = told.knock_outs(records(rows, GAINS | {"text shuffled": -0.01}), rows, "recall@20")
    assert told.verdict(found, "text") == told.UNUSED
    without = [one for one in found if one.left != "text shuffled"]
    assert told.verdict(without, "text") == told.UNTOLD
    assert told.verdict(without, "content") == told.USES
    assert "1 use their content beyond every control, 0 their text (1 not told), 0 their" in (
        told.sentence(without, "planted")
    )


def test_few_seeds_tell_nothing(rows):
    found = told.knock_outs(records(rows, GAINS, range(2)), rows, "recall@20")
    assert told.verdict(found, "content") == told.FEW
    assert not any(one.beaten for one in found)
    assert told.sentence(found, "planted").startswith("planted: 2 seeds, too few to tell")
    assert not told.drawable(found)
    found = told.knock_outs(records(rows, {"shuffled": -0.01}, range(2)), rows, "recall@20")
    assert told.verdict(found, "content") == told.FEW


def test_what_was_not_run_has_no_verdict(rows):
    own = records(rows, GAINS)
    own = own[~own["variant"].str.contains("picture only|text shuffled")]
    found = told.knock_outs(own, rows, "recall@20")
    assert told.verdict(found, "text") == ""
    assert told.verdict_table(found).loc["BM3", "text"] == ""


def test_p_values_are_adjusted_among_a_models_knock_outs(rows):
    found = told.knock_outs(records(rows, GAINS), rows, "recall@20")
    raw = sorted(one.gain.p_value for one in found)
    assert min(one.adjusted for one in found) == pytest.approx(len(found) * raw[0])


def test_the_figure_says_what_was_found(rows):
    found = told.knock_outs(records(rows, GAINS), rows, "recall@20")
    figure = figures.knock_out_gains(found, "recall@20", "planted")
    assert isinstance(figure, Figure)
    assert figure.get_label() == told.sentence(found, "planted")
    alone = [told.KnockOut("BM3", "shuffled", Estimate(1.0, float("nan"), float("nan"), 1), 1.0)]
    assert figures.knock_out_gains(alone, "recall@20", "planted").axes


def test_tables_of_gains_have_a_row_for_every_form(rows):
    found = told.knock_outs(records(rows, GAINS), rows, "recall@20")
    table = told.gain_table(found)
    assert list(table["over"]) == [one.left for one in found]
    assert table["gain, %"].str.contains(r"\[").all()


def test_everything_that_content_must_beat_has_its_words():
    assert set(told.WHAT_IS_LEFT) == {*rows_of.KNOCK_OUTS, "no modality"}
