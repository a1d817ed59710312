"""The menus of 14: they offer what has an answer, and what is shown follows them."""

import base64
import dataclasses
import gc
import importlib.util
import io

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure
from PIL import Image

from bonmf_lib.claims.sensitivity import AS_JUDGED, changed_verdicts, verdicts_by_rule
from bonmf_lib.encoders import Features
from bonmf_lib.errors import ModelError, RecordError
from bonmf_lib.evaluation.probing import nearest_neighbours
from bonmf_lib.experiments.registry import asked
from bonmf_lib.models import build_model
from bonmf_lib.report import explore, explore_items, relative, tables
from bonmf_lib.report.explore import Menus, Question
from bonmf_lib.report.live import Live
from bonmf_lib.report.published import Published, read_published_run
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.training import Training
from bonmf_lib.studies import one_item
from tests.conftest import ROOT
from tests.unit.made_records import record

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module", autouse=True)
def quick_adjustments():
    """As in :class:`Live`: statsmodels collects garbage at each of them."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def published() -> Published:
    return read_published_run()


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path_factory.mktemp("run"))))


def made_up(*rows) -> Published:
    return Published(pd.DataFrame([dataclasses.asdict(row) for row in rows]))


def start(question: Question) -> list[dict[str, str]]:
    return [menus.settled({})[0] for menus in question.menus]


# Menus

CITIES = pd.DataFrame(
    [("north", "A"), ("north", "B"), ("south", "C"), ("south", "B")], columns=["side", "city"]
)


def test_a_menu_offers_what_goes_with_those_before_it():
    menus = Menus("Cities", CITIES, {"side": "south"})
    assert menus.settled({}) == (
        {"side": "south", "city": "C"},
        {"side": ["north", "south"], "city": ["C", "B"]},
    )
    assert menus.settled({"side": "north", "city": "B"})[0] == {"side": "north", "city": "B"}
    # C is not in the north: the first city that is
    assert menus.settled({"side": "north", "city": "C"})[0] == {"side": "north", "city": "A"}
    assert menus.settled({"side": "west"})[0]["side"] == "south"  # unknown: the default


# Differences


def test_differences_are_those_of_the_tables(published):
    question = explore.Differences(published)
    said, figure, table = question.answer(*start(question))
    records = published.rows("04_table1", "")
    expected = tables.differences(records, "mse", ("BoNMF", "as published"))
    assert sorted(table.index) == sorted(expected.index)
    for name in ("difference", "low", "high", "p_holm"):
        assert table[name].to_numpy() == pytest.approx(expected[name][table.index], abs=1e-4), name
    assert said.startswith("BoNMF (as published), MSE: better than ")
    assert "Too far off to be drawn: " in said and "SVD +5.7" in said
    drawn = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert "SVD++" in drawn and "SVD" not in drawn


def test_another_protocol_keeps_the_reference(published):
    menus = explore.Differences(published).menus[0]
    choice, _ = menus.settled({})
    tuned, _ = menus.settled(choice | {"protocol": "tuned"})
    assert (tuned["rows of"], tuned["reference"]) == ("04_tuned", choice["reference"])


@pytest.mark.parametrize("metric", ["mse", "ndcg@10"])
def test_percent_keeps_the_side_of_the_difference(published, metric):
    records = published.rows("04_table1", "")
    row = ("BoNMF", "as published")
    plain, percent = (
        explore.difference_table(records, metric, row, unit) for unit in (False, True)
    )
    gains = relative.gains(records, metric, row)["percent"][percent.index]
    assert np.abs(percent["mean"]).to_numpy() == pytest.approx(np.abs(gains).to_numpy())
    assert (np.sign(percent["mean"]) == np.sign(plain["mean"])).all()
    assert (percent["low"] <= percent["mean"]).all() and (percent["mean"] <= percent["high"]).all()


def test_every_place_in_the_records_has_an_answer(published):
    question = explore.Differences(published)
    rows, unit = question.menus
    places = rows.options.drop_duplicates(["data", "split", "protocol"]).to_dict("records")
    assert len(places) > 10
    gc.freeze()  # what this test read
    for place in places:
        said, figure, table = question.answer(place, unit.settled({})[0])
        assert said and isinstance(figure, Figure) and len(table), place


def test_what_cannot_be_compared_is_not_offered_or_said():
    rows = [record(name, seed, 0.7 + 0.1 * seed) for name in ("A", "B") for seed in (0, 1, 2)]
    rows += [record("C", 7, 0.5), record("alone", 0, 0.5, metric="mae")]
    question = explore.Differences(made_up(*rows))
    (options,), unit = ([menus.options for menus in question.menus[:1]], start(question)[1])
    assert set(options["metric"]) == {"mse"}  # nothing stands beside the other one
    choice = options[options["reference"] == "C"].iloc[0].to_dict()
    assert question.answer(choice, unit) == (
        "No other row has a seed in common with C (as published).", None, None,
    )  # fmt: skip
    choice = options[options["reference"] == "A"].iloc[0].to_dict()
    said, _, table = question.answer(choice, unit)
    assert "Without a common seed: C." in said
    assert table.index.tolist() == ["B (as published)"]


# Verdicts


def test_the_study_s_own_rules_change_no_verdict(published):
    question = explore.Verdicts(published)
    (choice,) = start(question)
    assert choice["tolerance"] != explore.OWN_TOLERANCE  # else nothing would be seen to change
    own = {"tolerance": explore.OWN_TOLERANCE}
    said, figure, table = question.answer(question.menus[0].settled(own)[0])
    assert " 0 of " in said and isinstance(figure, Figure) and table is None


def test_changed_verdicts_are_those_of_the_report(published):
    by_rule = verdicts_by_rule(published.records, published.across_users)
    question = explore.Verdicts(published)
    for name, choice in {
        "tolerance 1 %": {"tolerance": "1 %"},
        "all tests one family": {"p-values": "all tests together"},
        "easiest competitor": {"competitor": "easiest"},
    }.items():
        asked_for = {"tolerance": explore.OWN_TOLERANCE} | choice
        said, _, table = question.answer(question.menus[0].settled(asked_for)[0])
        moved = changed_verdicts(by_rule[[AS_JUDGED, name]])
        assert len(moved), name
        found = table.reset_index().set_index(["claim", "dataset", "content"])[explore.NOW]
        assert found.to_dict() == moved[name].to_dict()
        assert f"{len(moved)} of {len(by_rule)} verdicts change" in said


# Definitions


def test_every_reading_is_one_choice_and_the_usual_one_comes_first(published):
    question = explore.Definitions(published)
    kept = published.table("definitions", "")
    assert sum(len(menus.options) for menus in question.menus) == len(kept)
    assert not any(menus.options.duplicated().any() for menus in question.menus)
    said, figure, table = question.answer(*start(question))
    usual = kept.set_index(["part", "definition"]).loc["test"]
    label = "Precision@10, r >= 4, own ratings, user mean, / min(K, n)"
    assert table["Precision@K", "ours"].to_dict() == usual.loc[label].round(4).to_dict()
    label = "NDCG@10, exponential gain, own ratings, user mean"
    assert table["NDCG", "ours"].to_dict() == usual.loc[label].round(4).to_dict()
    assert table["MSE", "paper"]["SVD"] == 5.011
    assert said.count("rows within 2%") == 2 and isinstance(figure, Figure)


def test_another_reading_changes_its_own_column_alone(published):
    question = explore.Definitions(published)
    precision, ndcg = start(question)
    before = question.answer(precision, ndcg)[2]
    linear = question.menus[1].settled(ndcg | {"gain": "linear"})[0]
    after = question.answer(precision, linear)[2]
    assert after["Precision@K"].equals(before["Precision@K"])
    assert not after["NDCG", "ours"].equals(before["NDCG", "ours"])


# Live


class Squares(Question):
    """A number's square as a sentence, a figure and a table; none of an unlucky one."""

    def __init__(self):
        options = pd.DataFrame(
            [("even", "2"), ("even", "4"), ("odd", "13"), ("odd", "3")], columns=["kind", "number"]
        )
        self.menus = (Menus("Number", options, kinds={"number": "slider"}),)

    def answer(self, chosen):
        number = int(chosen["number"])
        if number == 13:
            raise RecordError("13 is <unlucky>.")
        figure = Figure()
        figure.subplots().plot([0, number], [0, number**2])
        return f"{number}² < {number**3}", figure, pd.DataFrame({"square": [number**2]})


def shown(live: Live) -> list:
    return [child.value for slot in live.slots for child in slot.widget.children]


def test_what_is_drawn_follows_the_menus():
    live = Live(Squares())
    before, widgets = shown(live), [slot.widget.children for slot in live.slots]
    assert before[0] == "2² &lt; 8" and "<td>4</td>" in before[2]
    live.menus["Number: number"].value = "4"
    after = shown(live)
    assert after[0] == "4² &lt; 64" and "<td>16</td>" in after[2]
    one, other = (np.asarray(Image.open(io.BytesIO(png))) for png in (before[1], after[1]))
    assert one.shape != other.shape or (one != other).any()
    assert [slot.widget.children for slot in live.slots] == widgets  # else the page would jump


def test_a_menu_brings_those_after_it_along_and_what_fails_is_said():
    live = Live(Squares())
    live.menus["Number: kind"].value = "odd"
    assert live.menus["Number: number"].options == ("13", "3")
    assert shown(live) == ["13 is &lt;unlucky&gt;.", "", ""]
    live.menus["Number: number"].value = "3"
    assert len(shown(live)) == 3 and "<td>9</td>" in shown(live)[2]


def test_each_output_holds_a_widget_and_what_code_hosts_show():
    live = Live(Squares())
    bundles = [DisplayFormatter().format(part)[0] for part in (*live._bars, *live.slots)]
    assert all(WIDGET in bundle for bundle in bundles)
    assert bundles[0]["text/plain"] == "Number: kind = even; number = 2"
    assert bundles[1]["text/html"] == "<p>2² &lt; 8</p>"
    assert base64.b64decode(bundles[2]["image/png"]).startswith(b"\x89PNG")
    assert "<td>4</td>" in bundles[3]["text/html"] and "square" in bundles[3]["text/plain"]


def test_texts_out_of_the_data_become_no_html():
    class Hostile(Question):
        menus = (Menus("<b>", pd.DataFrame({"a": ["<script>"]})),)

        def answer(self, chosen):
            return chosen["a"], pd.DataFrame({"<i>": [chosen["a"]]}, index=["<u>"])

    live = Live(Hostile())
    bundles = [DisplayFormatter().format(part)[0] for part in (*live._bars, *live.slots)]
    html = "".join([*shown(live), *(bundle["text/html"] for bundle in bundles)])
    html += live._bars[0].widget.children[0].value
    for tag in ("<script>", "<i>", "<u>", "<b><b>"):
        assert tag not in html


@pytest.fixture(scope="module")
def take_over():
    spec = importlib.util.spec_from_file_location(
        "take_over", ROOT / "papermill_runs" / "take_over.py"
    )
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


def test_notebooks_are_taken_over_without_their_widgets(take_over):
    make = nbformat.v4
    data = DisplayFormatter().format(Live(Squares()).slots[0])[0]
    output = make.new_output("display_data", data)
    notebook = make.new_notebook(cells=[make.new_code_cell("live", outputs=[output])])
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    cleaned = take_over.clean(notebook)
    assert set(cleaned.cells[0].outputs[0].data) == {"text/plain", "text/html"}
    assert "widgets" not in cleaned.metadata


def test_figures_are_taken_over_in_few_colours_where_that_looks_the_same(take_over):
    grid = np.arange(64 * 64).reshape(64, 64)
    few = np.stack([grid % 5 * 40, grid % 3 * 90, grid * 0], axis=2).astype(np.uint8)
    near = np.stack([grid % 100, grid * 0, grid * 0], axis=2).astype(np.uint8)
    many = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    sixty = many.reshape(-1, 3)[grid % 60]
    for pixels, colours in ((few, 15), (near, 32), (sixty, 60), (many, 128)):
        png = io.BytesIO()
        Image.fromarray(pixels).save(png, "PNG")
        taken = take_over.with_few_colours(base64.b64encode(png.getvalue()).decode())
        with Image.open(io.BytesIO(base64.b64decode(taken)), formats=["PNG"]) as opened:
            shown = np.asarray(opened.convert("RGB")).reshape(-1, 3)
        assert len(np.unique(shown, axis=0)) == colours
        assert (shown.reshape(few.shape) == pixels).all() or colours not in (15, 60)


# One item


def features(matrix, present=None) -> Features:
    matrix = np.asarray(matrix, np.float32)
    present = np.ones(len(matrix), bool) if present is None else np.asarray(present)
    return Features(matrix, present, "e", "1", "k")


def test_neighbours_by_both_are_near_by_each():
    random = np.random.default_rng(0)
    text, image = (features(random.normal(size=(30, 4))) for _ in range(2))
    found = one_item.neighbours({"text": text, "picture": image}, 3, most=29)
    assert list(found) == ["text", "picture", "text and picture"]
    assert found["text"].equals(nearest_neighbours(text, 3, 29))
    assert 3 not in found["text and picture"]["item"].to_numpy()
    each = [found[name].set_index("item")["similarity"] for name in found]
    assert (each[0] + each[1]).div(2)[each[2].index].to_numpy() == pytest.approx(each[2].to_numpy())


def test_what_an_item_lacks_has_no_neighbours():
    text = features(np.eye(4), [True, False, True, True])
    assert list(one_item.neighbours({"text": text, "picture": features(np.eye(4))}, 1)) == [
        "picture"
    ]


@pytest.fixture(scope="module")
def models(run):
    rows = [row for row in asked(run, "04_table1")[0] if row.protocol != "closed form"]
    return {row.name: (row, Training(run, row, 0).untrained().eval()) for row in rows}


def test_hiding_moves_the_models_that_read_it_for_that_item_alone(models):
    users, item = torch.arange(20), 5
    pairs = {place: torch.full((20,), place) for place in (item, item + 1)}
    readers = {"text": set(), "image": set()}
    with torch.no_grad():
        for name, (row, model) in models.items():
            before = {place: model(users, items) for place, items in pairs.items()}
            for modality, moved in readers.items():
                with one_item.hidden(model, modality, item):
                    hidden = {place: model(users, items) for place, items in pairs.items()}
                assert torch.equal(hidden[item + 1], before[item + 1]), name
                assert torch.equal(model(users, pairs[item]), before[item]), name  # put back
                if not torch.equal(hidden[item], before[item]):
                    moved.add(name)
                assert (name in moved) == row.uses(modality), (name, modality)
    assert "BoNMF" in readers["text"] & readers["image"]


def test_a_hidden_item_is_read_as_those_that_lacked_it_in_training(run, models):
    """Where some items lacked it: the same weights read it as if this one had lacked it too."""
    row, _ = models["BoNMF"]
    inputs, found = Training(run, row, 0).inputs(), []
    for lacking in ([0], [0, 7]):
        present = inputs.text.present.copy()
        present[lacking] = False
        text = dataclasses.replace(inputs.text, present=present)
        given = dataclasses.replace(inputs, text=text)
        found.append(build_model(row.model, row.model_config, given, 0))
    model, without = found
    with torch.no_grad():
        one_item.feature_tables(model, "text")[0].missing.fill_(0.3)
        without.load_state_dict(model.state_dict())
        seven = torch.tensor([7])
        seen = model.item_part(seven)
        with one_item.hidden(model, "text", 7):
            hidden = model.item_part(seven)
        assert torch.equal(hidden, without.item_part(seven))
        assert torch.equal(model.item_part(seven), seen) and not torch.equal(hidden, seen)


def test_features_of_unknown_kind_are_refused(models):
    _, model = models["BoNMF"]
    strange = torch.nn.Module()
    strange.sound = one_item.feature_tables(model, "text")[0]
    with pytest.raises(ModelError, match="sound"):
        one_item.feature_tables(strange, "text")


@pytest.fixture(scope="module")
def predicted(run):
    rows = [row for row in asked(run, "04_table1")[0] if row.name in ("BoNMF", "NMD (ID only)")]
    return explore_items.Predictions(run, rows)


def test_predictions_are_of_the_chosen_users(run, predicted):
    (menus,) = predicted.menus
    choice, offered = menus.settled({})
    item = run.dataset.ratings["item"].value_counts().max()
    rater = next(label for label in offered["for"] if label.startswith("user "))
    assert len(offered["for"]) == 2 + item  # everybody, its raters, and each of them
    everybody, raters, one = (
        predicted.answer(menus.settled(choice | {"for": who})[0])
        for who in (predicted.ALL, predicted.RATERS, rater)
    )
    assert everybody[0].split(";")[0] == one[0].split(";")[0]  # the item's own numbers
    assert f"{item} users rated it" in raters[0]
    given = float(rater.partition(": ")[2].partition(",")[0])
    assert f"Nearest to {given:.2f} is " in one[0]
    table = one[2]
    assert table.loc["NMD (ID only)"].tolist()[1:] == ["", "", ""]
    assert all(cell[0] in "+-" for cell in table.loc["BoNMF"].tolist()[1:])
    assert isinstance(one[1], Figure)


def test_neighbours_are_shown_as_pictures_or_as_titles(run, planted):
    question = explore_items.Neighbours(run)
    said, wall = question.answer(*start(question))
    assert said.endswith("by text, by picture, by text and picture.")
    assert isinstance(wall, Figure)
    bare = Run(NotebookParameters(profile="smoke", run_dir=str(run.run_dir)))
    items = planted.items.assign(image=None, text=[*planted.items["text"][:-1], None])
    bare.dataset = dataclasses.replace(planted, items=items)
    question = explore_items.Neighbours(bare)
    said, titles = question.answer(*start(question))
    assert said.endswith("by text.") and titles.columns.tolist() == ["text"]
    names = explore_items.item_names(bare.dataset)
    assert question.answer({"item": names.iloc[-1]})[1] is None
    assert question.answer({"item": names.iloc[-1]})[0].endswith("to compare.")


def test_items_of_one_title_are_told_apart(planted):
    titles = ["same", "same", *planted.items["title"][2:]]
    names = explore_items.item_names(
        dataclasses.replace(planted, items=planted.items.assign(title=titles))
    )
    assert names.is_unique
    assert names[0] == f"same [{planted.items['raw_id'].iloc[0]}]"
    assert names[2] == planted.items["title"].iloc[2]
