"""Figures: none is shown with an empty panel, no name out of the data breaks one, and what they say
can be read and heard."""

import ast
import html
import io
import re
from dataclasses import asdict, replace
from types import SimpleNamespace

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from nbconvert import HTMLExporter

from bonmf_lib.errors import RecordError
from bonmf_lib.evaluation.definitions import definition_grid
from bonmf_lib.evaluation.shapley import shapley_table
from bonmf_lib.experiments import specifications
from bonmf_lib.experiments.names import is_control
from bonmf_lib.report.definition_fits import COLUMNS, fit_to_paper
from bonmf_lib.report.figures import (
    comparison as comparison_figures,
    explore as explore_figures,
    general as figures,
    overlap as overlap_figures,
    pictures as visual_figures,
    practices as practice_figures,
    ranking as ranking_figures,
    specification as specification_figures,
    style as common,
)
from bonmf_lib.report.forests import forest
from bonmf_lib.report.specification_effects import COMPARISONS
from bonmf_lib.runs.profiles import read_profile
from bonmf_lib.studies.inner_products import BY_USER, EVERYTHING, Fit, jaccard
from bonmf_lib.studies.overlap import information_table
from bonmf_lib.studies.sampled_metrics import chance_curve, example
from bonmf_lib.training.loop import History
from tests.conftest import ROOT

MODULES = (
    figures,
    comparison_figures,
    explore_figures,
    practice_figures,
    overlap_figures,
    visual_figures,
    specification_figures,
    ranking_figures,
)
PLAIN = (
    "BoNMF",
    "BoNMF, no picture",
    "minilm-l6-shuffled",
    "CNN-based",
    "late, shuffled pictures",
    "Text Early Fusion",
    "User + item bias",
    "random-image",
)
HOSTILE = (
    "A$$AP",
    r"$\frac{$",
    "two\nlines\tand\x00\x07 controls",
    "_hidden from legends",
    "long " * 2000,
    "\u202eabc \u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e2\u05d1\u05e8\u05d9\u05ea",
    "a lone \ud800 surrogate",
    "100 % {braces} ^_ & < >",
)
PAPER = read_profile("paper")
RANDOM = np.random.default_rng(0)


def curves(**columns) -> pd.DataFrame:
    """One row per hostile name, random numbers in the columns."""
    table = pd.DataFrame(
        RANDOM.normal(size=(len(HOSTILE), len(columns))), index=HOSTILE, columns=list(columns)
    )
    return table.assign(**{name: value for name, value in columns.items() if value is not None})


def intervals(mean: str, **columns) -> pd.DataFrame:
    table = curves(**{mean: None}, **columns)
    return table.assign(low=table[mean] - 1, high=table[mean] + 1)


def predictions() -> dict[str, pd.DataFrame]:
    columns = {"user": RANDOM.integers(0, 5, 60), "item": RANDOM.integers(0, 5, 60)}
    numbers = {"rating": RANDOM.integers(1, 6, 60), "predicted": RANDOM.uniform(1, 5, 60)}
    return {name: pd.DataFrame(columns | numbers) for name in HOSTILE}


def per_seed() -> list[dict]:
    subsets = [frozenset(s) for s in ((), ("text",), ("picture",), ("text", "picture"))]
    return [{s: 1 - 0.1 * len(s) + 0.01 * RANDOM.normal() for s in subsets} for _ in range(3)]


def fits() -> tuple[pd.DataFrame, pd.DataFrame]:
    grid = [d for d in definition_grid() if d.metric == "precision"]
    values = pd.DataFrame(
        RANDOM.uniform(size=(len(grid), 3)), index=pd.Index(grid, dtype=object), columns=list("abc")
    )
    return fit_to_paper(values, pd.Series({"a": 0.1, "b": 0.5, "c": 0.7})), values


def definition_heat():
    table, values = fits()
    found = values["a"].set_axis([d.label for d in values.index])
    return practice_figures.definition_heat(table, found, 0.5, COLUMNS["precision"][0])


def neighbours(shown) -> dict:
    found = {1: pd.DataFrame({"item": [2, 3], "similarity": [0.9, 0.8]})}
    return dict.fromkeys(HOSTILE[:2], found)


def probe() -> pd.DataFrame:
    rows = [(genre, name, 0.5, 0.2) for genre in HOSTILE for name in HOSTILE[:2]]
    return pd.DataFrame(rows, columns=["genre", "features", "average_precision", "share"])


def trials() -> pd.DataFrame:
    rows = [
        (name, trial, 1 / (trial + 1), 1 / (trial + 1)) for name in HOSTILE for trial in range(3)
    ]
    return pd.DataFrame(rows, columns=["model", "trial", "value", "best"])


def svd() -> pd.DataFrame:
    rows = [(centre, k, part, clipped, 5 / k) for centre in ("none", "user") for k in (1, 10, 100)
            for part in HOSTILE[:2] for clipped in (True, False)]  # fmt: skip
    return pd.DataFrame(rows, columns=["centre", "factors", "part", "clipped", "mse"])


def recovered() -> pd.DataFrame:
    rows = [
        (name, "whitened", 100, truth, truth) for name in HOSTILE[:5] for truth in (0.0, 0.5, 1.0)
    ]
    return pd.DataFrame(rows, columns=["estimator", "features", "items", "truth", "found"])


def information() -> pd.DataFrame:
    numbers = {name: RANDOM.uniform(size=6) for name in ("redundant", "co_information", "gain")}
    return pd.DataFrame({"truth": [0, 0.5, 1] * 2, **numbers})


def effects() -> dict[str, pd.DataFrame]:
    return {
        name: pd.DataFrame({"weight": np.full(9, 1 / 9), "change": np.arange(9.0)})
        for name in HOSTILE[:4]
    }


def effects_of() -> pd.DataFrame:
    """Gains of both centres, on real content and controls."""
    rows = [
        {
            "comparison": comparison, "content": content, **asdict(centre),
            "batch": centre.batch[0], "combination": False, "gain": gain, "low": gain - 1,
            "high": gain + 1, "splits": 5,
        }
        for comparison in COMPARISONS
        for content in ("real", "shuffled", "noise", "over shuffled")
        for gain, centre in enumerate(specifications.centres(PAPER).values())
    ]  # fmt: skip
    return pd.DataFrame(rows)


def genres() -> pd.DataFrame:
    ends = {f"gain_{end}": value for end, value in (("low", -9.0), ("high", 9.0))}
    return curves(overlap=None, gain=None, **ends)


def scatter():
    gain = pd.Series(RANDOM.normal(size=50))
    return overlap_figures.overlap_gain_scatter(RANDOM.uniform(size=50), gain, genres())


def spoilt() -> pd.DataFrame:
    ends = {
        f"{kind}_{end}": value
        for kind in ("change", "mse")
        for end, value in (("low", -9.0), ("high", 9.0))
    }
    return curves(change=None, mse=None, **ends)


def both_evaluations() -> pd.DataFrame:
    ends = {f"{side}_{end}": value for side in ("sampled", "full")
            for end, value in (("low", -9.0), ("high", 9.0))}  # fmt: skip
    return curves(sampled=None, full=None, **ends)


def by_setting() -> pd.DataFrame:
    rows = [
        (name, x, 0.1 * x, 0.1 * x - 0.05, 0.1 * x + 0.05) for name in HOSTILE[:4] for x in (8, 16)
    ]
    return pd.DataFrame(rows, columns=["model", "x", "mean", "low", "high"])


def watched() -> pd.DataFrame:
    rows = [
        (name, seed, epoch, 1 / epoch, 0.1 * epoch + 0.01 * seed)
        for name in HOSTILE[:4]
        for seed in (0, 1)
        for epoch in range(1, 5 + seed)
    ]
    return pd.DataFrame(rows, columns=["model", "seed", "epoch", "loss", "value"])


def orders() -> pd.DataFrame:
    rows = [
        (name, size, what, 3 - size, 14)
        for name in HOSTILE[:3]
        for size in (1, 2, 3)
        for what in (EVERYTHING, BY_USER)
    ]
    return pd.DataFrame(rows, columns=["space", "dimensions", "what", "violations", "asked"])


SIX = list(range(6))
KINDS = {
    "rating_distribution": figures.rating_distribution,
    "picture_wall": lambda shown: figures.picture_wall(
        shown, SIX, 4, notes=["note"] * 6, title="pictures"
    ),
    "neighbour_wall": lambda shown: figures.neighbour_wall(shown, neighbours(shown)),
    "feature_map": lambda shown: figures.feature_map(
        {"text": RANDOM.normal(size=(shown.n_items, 2))}, {"text": shown.items["genres"]}
    ),
    "probe_bars": lambda _: figures.probe_bars(probe()),
    "learning_curves": lambda _: figures.learning_curves(
        {name: [History([3, 2], [3, 2.5])] for name in HOSTILE}
    ),
    "calibration": lambda _: figures.calibration(predictions(), 5),
    "error_by_activity": lambda _: figures.error_by_activity(
        predictions(), {"user": np.arange(5), "item": np.arange(5) ** 3}
    ),
    "model_comparison": lambda _: figures.model_comparison(
        intervals("mean", variant=HOSTILE, protocol="tuned", seeds=5), "MSE", {HOSTILE[0]: 0.5}
    ),
    "verdict_bars": lambda _: figures.verdict_bars(pd.Series({"reproduced": 3, "not run": 0})),
    "forest_plot": lambda _: comparison_figures.forest_plot(
        intervals("mean", seeds=5, p_holm=0.01), HOSTILE[1], "mse", {HOSTILE[0]: 0.1}
    ),
    "equivalence_plot": lambda _: comparison_figures.equivalence_plot(
        intervals("percent", verdict=["worse", "undecided"] * 4, seeds=5), HOSTILE[0], "mse", 0.5
    ),
    "quality_per_cost": lambda _: comparison_figures.quality_per_cost(
        intervals("percent", texts_per_second=np.geomspace(1, 9e4, len(HOSTILE)), memory_mib=100.0),
        "MSE",
    ),
    "shapley_bars": lambda _: comparison_figures.shapley_bars(
        shapley_table(per_seed(), 0.3), "MSE", shapley_table(per_seed(), 0.3)
    ),
    "search_progress": lambda _: comparison_figures.search_progress(trials()),
    "verdict_shift": lambda _: explore_figures.verdict_shift(
        pd.DataFrame({"as judged": [3, 0], "by these rules": [2, 1]}, index=["reproduced", "other"])
    ),
    "beside_paper": lambda _: explore_figures.beside_paper(
        {name: curves(paper=None, ours=None) for name in ("Precision@K", "NDCG")}
    ),
    "item_predictions": lambda shown: explore_figures.item_predictions(
        curves(**{"as it is": None, "without text": None}),
        4.0,
        shown.items["title"].iloc[4],
        "stars",
    ),
    "definition_map": lambda _: practice_figures.definition_map({"Precision": fits()[0]}),
    "definition_heat": lambda _: definition_heat(),
    "leak_plot": lambda _: practice_figures.leak_plot(
        curves(a=None).T.abs().iloc[[0, 0]].set_axis([1, 2]), 0.7, 1
    ),
    "svd_plot": lambda _: practice_figures.svd_plot(svd(), 5.0),
    "weights_plot": lambda name: practice_figures.weights_plot(
        pd.DataFrame({"split": [0, 0], "weights": [0, 0], "epoch": [1, 2], "mse": [0.9, 0.8]}),
        name,
        0.8,
    ),
    "recovery_curves": lambda _: overlap_figures.recovery_curves(recovered()),
    "information_curves": lambda _: overlap_figures.information_curves(information()),
    "information_bars": lambda _: overlap_figures.information_bars(
        {"nothing known": information_table(per_seed(), frozenset(), 0.3)}
    ),
    "overlap_gain_scatter": lambda _: scatter(),
    "wall": lambda shown: visual_figures.wall(
        shown, SIX, {"map": RANDOM.uniform(size=(6, 3, 3))}, "title", {}
    ),
    "before_after": lambda shown: visual_figures.before_after(
        shown, SIX, [np.zeros((9, 6, 3), np.uint8)] * 6, "title"
    ),
    "region_heat": lambda _: visual_figures.region_heat(effects()),
    "spoiling_plot": lambda _: visual_figures.spoiling_plot(spoilt()),
    "specification_curve": lambda _: specification_figures.specification_curve(effects_of(), "(a)"),
    "centre_gains": lambda _: specification_figures.centre_gains(
        effects_of(), specifications.centres(PAPER)
    ),
    "two_evaluations": lambda _: ranking_figures.two_evaluations(both_evaluations(), "hr@10"),
    "setting_curves": lambda _: ranking_figures.setting_curves(
        by_setting(), "factors", "hr@10", by_setting().rename(columns={"mean": "value"})
    ),
    "watched_curves": lambda _: ranking_figures.watched_curves(watched(), "ndcg@10"),
    "sampled_chances": lambda _: ranking_figures.sampled_chances(chance_curve(500), example()),
    "inner_product_limits": lambda _: ranking_figures.inner_product_limits(
        jaccard(), dict.fromkeys(HOSTILE[:2], fitted()), orders()
    ),
}


def fitted() -> Fit:
    return Fit(RANDOM.normal(size=(4, 2)), RANDOM.random(6))


@pytest.fixture
def style():
    with plt.rc_context(), pd.option_context("display.html.use_mathjax", True):
        figures.set_style()
        yield


@pytest.fixture(scope="module")
def hostile(planted):
    """Planted data whose titles and genres are what no figure should choke on."""
    names = [HOSTILE[place % len(HOSTILE)] for place in range(planted.n_items)]
    return replace(
        planted, items=planted.items.assign(title=names, genres=[(name,) for name in names])
    )


@pytest.mark.filterwarnings(
    "ignore:Glyph", "ignore:Matplotlib currently does not support", "ignore:.*collapsed to zero"
)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.case(
    "hostile",
    (
        "titles, genres and names such as A$$AP, $\\frac{$, with line breaks, control characters "
        "or 10,000 letters"
    ),
    "every kind of figure is drawn; nothing is read as mathematics, long names are cut",
)
def test_names_out_of_the_data_break_no_figure(style, hostile, kind):
    figure = KINDS[kind](hostile)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=40)
    assert max(plt.imread(io.BytesIO(drawn.getvalue())).shape) < 3000
    shown = [text.get_text() for text in figure.findobj(plt.Text)]
    assert not any("mathdefault" in text for text in shown)  # of logarithmic axes
    assert all(letter.isprintable() or letter == "\n" for text in shown for letter in text)


def functions():
    """(module, function) of everything public that returns a figure."""
    for module in MODULES:
        for node in ast.parse(
            (ROOT / f"{module.__name__.replace('.', '/')}.py").read_text(encoding="utf-8")
        ).body:
            if (
                isinstance(node, ast.FunctionDef)
                and ast.unparse(node.returns or ast.Pass()) == "Figure"
            ):
                yield node


def test_every_kind_of_figure_is_tried_and_checked_before_it_is_shown():
    public = [function for function in functions() if not function.name.startswith("_")]
    assert {function.name for function in public} == set(KINDS)
    for function in public:
        returns = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
        assert [ast.unparse(value) for value in returns] == ["finished(figure)"], function.name


def blank(axis):
    """Two blank panels that the report once showed: a line at zero, intervals of nothing."""
    axis.errorbar([np.nan] * 2, [0, 1], xerr=np.zeros((2, 2)), fmt="o")
    axis.axvline(0)
    axis.axhspan(0, 1)
    common.diagonal(axis, (0, 1), "the truth")
    axis.set(title="on top of IDs")


def crosses(figure) -> dict[str, float]:
    """Where the crosses of the paper's values stand, by the name of their line."""
    (axis,) = figure.axes
    names = dict(
        zip(axis.get_yticks(), (text.get_text() for text in axis.get_yticklabels()), strict=True)
    )
    black = [dots for dots in axis.collections if dots.get_label().startswith("paper")]
    return {names[y]: x for dots in black for x, y in dots.get_offsets().tolist()}


def test_the_papers_values_are_crosses_in_the_lines_of_their_names():
    names, paper = ["A", "B", "C"], {"A": 0.1, "C": 0.3, "not shown": 0.5}
    table = pd.DataFrame({"mean": [0.3, 0.1, 0.2], "seeds": 5, "p_holm": 0.01}, names)
    table = table.assign(low=table["mean"] - 0.1, high=np.nan)  # what has no bound has no bar
    rows = table.rename_axis("variant").reset_index().assign(protocol="tuned")
    found = [
        comparison_figures.forest_plot(table, "D", "mse", paper),
        figures.model_comparison(rows, "mse", paper),
    ]
    assert [crosses(figure) for figure in found] == [{"A": 0.1, "C": 0.3}] * 2
    without = [
        comparison_figures.forest_plot(table, "D", "mse"),
        figures.model_comparison(rows, "mse", {}),
    ]
    assert [crosses(figure) for figure in without] == [{}, {}]


@pytest.mark.case(
    "numbers",
    "a figure one of whose panels has nothing drawn in it but its frame and reference lines",
    "refused: an empty panel is never shown",
)
def test_a_figure_with_an_empty_panel_is_refused():
    figure, (one, other) = plt.subplots(1, 2)
    one.plot([0, 1], [1, 2])
    blank(other)
    with pytest.raises(RecordError, match="'on top of IDs' has a panel without any data"):
        common.finished(figure)
    other.scatter([0.5], [np.nan])
    with pytest.raises(RecordError):
        common.finished(figure)
    other.plot([0], [0], "o")
    assert common.finished(figure) is figure
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    "draw",
    [
        lambda axis: axis.plot([1], [1], "o"),
        lambda axis: axis.scatter([1], [1]),
        lambda axis: axis.bar(["a"], [1]),
        lambda axis: axis.barh(["a"], [1]),
        lambda axis: axis.hist([1, 2, 3]),
        lambda axis: axis.imshow(np.eye(2)),
        lambda axis: axis.errorbar([1], ["a"], xerr=[1], fmt="o"),
    ],
)
def test_what_counts_as_drawn(draw):
    figure, axis = plt.subplots()
    draw(axis)
    common.finished(figure)


def test_a_wall_may_end_in_empty_slots_but_not_be_empty(planted):
    assert len(figures.picture_wall(planted, [0, 1, 2], columns=2).axes) == 4
    no_picture = replace(planted, items=planted.items.assign(image=None))
    assert figures.picture_wall(no_picture, [0]).axes
    figure, axis = plt.subplots()
    axis.axis("off")
    with pytest.raises(RecordError):
        common.finished(figure)


def test_nothing_to_show_is_said(planted):
    empty = (
        lambda: figures.picture_wall(planted, []),
        lambda: figures.neighbour_wall(planted, {}),
        lambda: visual_figures.region_heat({}),
        lambda: overlap_figures.information_bars({}),
        lambda: practice_figures.definition_map({}),
    )
    for draw in empty:
        with pytest.raises(RecordError, match="nothing to show"):
            draw()


def test_information_of_nothing_is_refused_before_it_is_drawn():
    with pytest.raises(RecordError, match="at least one seed"):
        information_table([], frozenset(), 0.3)
    nothing = information_table(per_seed(), frozenset(), 0.3) * np.nan
    with pytest.raises(RecordError, match="'on top of IDs' has a panel without any data"):
        overlap_figures.information_bars({"on top of IDs": nothing})


def test_a_map_that_is_not_known_leaves_its_picture_alone(planted):
    maps = np.stack([np.full((3, 3), np.nan), np.arange(9.0).reshape(3, 3)])
    axes = visual_figures.wall(planted, [0, 1], {"map": maps}, "title", {}).axes
    assert [len(axis.images) for axis in axes[2:4]] == [1, 2]


def test_tables_are_not_read_as_mathematics_either(style):
    assert "tex2jax_ignore" in pd.DataFrame({"title": ["A$$AP"]}).to_html()


def boxes(figure, artists):
    """Where artists are drawn; of an annotation its words alone, without the line to its point."""
    renderer = figure.canvas.get_renderer()
    return [
        (
            artist,
            plt.Text.get_window_extent(artist, renderer)
            if isinstance(artist, plt.Text)
            else artist.get_window_extent(renderer),
        )
        for artist in artists
    ]


def texts(figure):
    """Every text that is seen, but those of tables of numbers and of neighbouring panels' ticks."""
    found = [*figure.texts]
    for legend in figure.legends:
        found += [*legend.get_texts(), legend.get_title()]
    for axis in figure.axes:
        if axis.axison:
            for side in (axis.xaxis, axis.yaxis):
                low, high = sorted(side.get_view_interval())
                ticks = [tick for tick in side.get_major_ticks() if low <= tick.get_loc() <= high]
                found += [tick.label1 for tick in ticks if tick.label1.get_visible()]
                found.append(side.label)
        found += [axis.title, *axis.texts]
    return [text for text in found if text.get_text() and text.get_visible()]


def meet(one, other, slack=1.0):
    """Whether two boxes share more than a line of ``slack`` pixels."""
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    high = min(one.y1, other.y1) - max(one.y0, other.y0)
    return wide > slack and high > slack


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_can_be_read(style, planted, kind, monkeypatch):
    monkeypatch.setitem(globals(), "HOSTILE", PLAIN)
    figure = KINDS[kind](planted)
    FigureCanvasAgg(figure).draw()
    seen = boxes(figure, texts(figure))
    title = figure.get_suptitle()
    assert 0 <= title.count("\n") <= 1 and "…" not in title
    (frame,) = (box for text, box in seen if text is figure._suptitle)
    assert frame.x0 >= 0 and frame.x1 <= figure.bbox.x1
    overlaps = [
        (one[0].get_text(), other[0].get_text())
        for place, one in enumerate(seen)
        for other in seen[:place]
        if meet(one[1], other[1])
    ]
    assert not overlaps
    panels = [box for _, box in boxes(figure, [a.patch for a in figure.axes])]
    legends = [*figure.legends, *(a.get_legend() for a in figure.axes if a.get_legend())]
    for _, legend in boxes(figure, legends):
        assert not any(meet(legend, panel) for panel in panels)


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_says_what_it_shows(style, planted, kind, monkeypatch):
    monkeypatch.setitem(globals(), "HOSTILE", PLAIN)
    figure = KINDS[kind](planted)
    said = " ".join(figure.get_suptitle().split())
    assert said and figure.get_label() == said
    assert not any(word in said.lower() for word in ("honest", "nan", "none, ", "()"))


def test_a_figure_without_a_finding_is_told_by_its_panels():
    figure, axes = plt.subplots(1, 2)
    for axis, title in zip(axes, ("left", "right"), strict=True):
        axis.plot([1], [1], "o")
        axis.set_title(title)
    assert common.finished(figure).get_label() == "left; right"


def test_notebooks_keep_what_a_figure_says_beside_its_picture(monkeypatch):
    formatter = DisplayFormatter()
    monkeypatch.setattr(common, "get_ipython", lambda: SimpleNamespace(display_formatter=formatter))
    common.describe_figures()
    formatter.formatters["image/png"].for_type(plt.Figure, lambda _: "cGljdHVyZQ==")  # the backend
    figure, axis = plt.subplots()
    axis.plot([1], [1], "o")
    common.finding_title(figure, 'Text "lowers" the <error>')
    data, metadata = formatter.format(common.finished(figure))
    assert data["image/png"] == "cGljdHVyZQ=="
    assert metadata == {"image/png": {"alt": 'Text "lowers" the <error>'}}
    output = nbformat.v4.new_output("display_data", data=data, metadata=metadata)
    cells = [nbformat.v4.new_markdown_cell("# A page"), nbformat.v4.new_code_cell(outputs=[output])]
    folders = [str(ROOT / "papermill_runs")]
    exporter = HTMLExporter(template_name="template", extra_template_basedirs=folders)
    page, _ = exporter.from_notebook_node(nbformat.v4.new_notebook(cells=cells))
    shown = re.findall(r"""<img alt=(["'])(.*?)\1""", page)
    assert [html.unescape(words) for _, words in shown] == ['Text "lowers" the <error>']


def test_long_findings_are_cut_in_the_title_alone():
    figure, axis = plt.subplots(figsize=(4, 3))
    common.finding_title(figure, "word " * 80)
    assert figure.get_suptitle().count("\n") == 1 and figure.get_suptitle().endswith("…")
    assert figure.get_label() == " ".join(["word"] * 80)
    common.finding_title(figure, "a finding that takes two lines, of about the same length each")
    first, second = figure.get_suptitle().split("\n")
    assert abs(len(first) - len(second)) < 12
    plt.close(figure)
    assert axis.figure is figure


@pytest.mark.parametrize(
    ("name", "control"),
    [
        ("shuffled pictures", True),
        ("BoNMF, native, shuffled", True),
        ("minilm-l6-shuffled", True),
        ("random-text", True),
        ("BoNMF, random-image", True),
        ("random control", True),
        ("tfidf-noise", True),
        ("LATTICE, constant", True),
        ("no picture", True),
        ("BoNMF, no picture", False),  # its text is real
        ("late", False),
        ("minilm-l6", False),
        ("BoNMF+, no gate", False),
    ],
)
def test_which_rows_are_controls(name, control):
    assert is_control(name) == control


def test_controls_are_hollow_and_stand_apart_in_the_title():
    table = (
        intervals("mean", seeds=5, p_holm=0.01).set_axis(PLAIN).assign(mean=-0.5, low=-1, high=-0.1)
    )
    table.loc[["minilm-l6-shuffled", "CNN-based"], "p_holm"] = 0.5
    figure = comparison_figures.forest_plot(table, "none at all", "mse")
    hollow = [
        place
        for container in figure.axes[0].containers
        for place in container.lines[0].get_ydata()
        if container.lines[0].get_markerfacecolor() == "white"
    ]
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    places = dict(zip(figure.axes[0].get_yticks(), labels, strict=True))
    assert {places[place] for place in hollow} == {name for name in PLAIN if is_control(name)}
    assert figure.get_label() == (
        "Against none at all: 4 of 5 rows better; 2 of 3 controls better "
        "(late, shuffled pictures and random-image) (test MSE, 5 splits)"
    )
    few = comparison_figures.forest_plot(table.assign(seeds=2), "all", "mse").get_label()
    assert few == "Against all: 2 splits, too few to tell 8 rows apart (test MSE)"
    open_ = comparison_figures.forest_plot(table.assign(p_holm=0.9), "all", "ndcg@10").get_label()
    assert open_ == (
        "Against all: none of 5 rows differs clearly; none of 3 controls differs clearly "
        "(test NDCG@10, 5 splits)"
    )


def test_a_forest_without_any_interval_is_a_sentence():
    table = intervals("difference", seeds=2, p_holm=1.0)
    assert list(forest(table, "none at all", "mse")) == [
        "Differences to none at all are not drawn: intervals need at least 3 splits."
    ]
    (figure,) = forest(table.assign(seeds=3), "none at all", "mse")
    assert isinstance(figure, Figure) and figure.axes[0].containers


def test_shapley_values_stand_beside_their_control():
    real, control = shapley_table(per_seed(), 0.3), shapley_table(per_seed(), 0.3)
    alone, both = (
        comparison_figures.shapley_bars(real, "MSE", other).axes[0] for other in (None, control)
    )
    assert len(alone.patches) == 2 and len(both.patches) == 4
    assert {bar.get_facecolor() for bar in both.patches[2:]} == {(1.0, 1.0, 1.0, 1.0)}
    found = {round(bar.get_width(), 9) for bar in both.patches[2:]}
    assert found == {round(v, 9) for v in control.loc[control["kind"] == "value", "mean"]}
    said = comparison_figures.shapley_bars(real, "MSE", control).get_label()
    assert (
        f"text {real.loc['text', 'mean']:+.3f} (shuffled {control.loc['text', 'mean']:+.3f})"
        in said
    )


def test_maps_side_by_side_share_their_colours(planted):
    panels = visual_figures.region_heat(effects()).axes
    for row in (panels[:4], panels[4:8]):
        assert len({image.get_clim() for axis in row for image in axis.images}) == 1
    maps = np.stack([np.full((3, 3), 1.0), np.arange(9.0).reshape(3, 3)])
    axes = visual_figures.wall(planted, [0, 1], {"map": maps}, "title", {}).axes
    assert len({axis.images[-1].get_clim() for axis in axes[2:4]}) == 1


BOTH = pd.DataFrame(
    {
        "sampled": [0.72, 0.69, 0.45], "sampled_low": [0.71, 0.68, 0.44],
        "sampled_high": [0.73, 0.70, 0.46], "full": [0.107, 0.111, 0.041],
        "full_low": [0.10, 0.10, 0.04], "full_high": [0.11, 0.12, 0.05],
    },
    ["EASE, lambda 1320", "EASE, lambda 250", "Popularity"],
)  # fmt: skip


def test_two_evaluations_name_both_winners():
    figure = ranking_figures.two_evaluations(BOTH, "hr@10")
    assert figure.get_label() == (
        "Two evaluations, two winners: EASE, lambda 1320 among few items (HR@10 0.720), "
        "EASE, lambda 250 among all items (HR@10 0.111)"
    )
    given, places, everything = figure.axes
    ends = [line.get_ydata() for line in places.lines]
    assert [list(pair) for pair in ends] == [[1, 2], [2, 1], [3, 3]]
    for axis in (given, everything):
        hollow = [bars.lines[0].get_markerfacecolor() == "white" for bars in axis.containers]
        assert hollow == [False, False, True]
    labels = [text.get_text() for text in everything.get_yticklabels()]
    assert labels == ["EASE, lambda 250", "EASE, lambda 1320", "Popularity"]
    alone = BOTH.assign(full=BOTH["sampled"])
    assert ranking_figures.two_evaluations(alone, "hr@10").get_label() == (
        "One winner: EASE, lambda 1320, among few items (HR@10 0.720) "
        "and among all items (HR@10 0.720)"
    )


def test_curves_stand_beside_the_papers_crosses():
    table = by_setting()[:2].assign(model="GMF")
    paper = pd.DataFrame({"model": ["GMF", "GMF"], "x": [16, 64], "value": [0.7, 0.8]})
    figure = ranking_figures.setting_curves(table, "factors", "hr@10", paper)
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.get_xticklabels()] == ["8", "16", "64"]
    (crosses,) = [dots for dots in axis.collections if len(dots.get_offsets())
                  and isinstance(dots, plt.matplotlib.collections.PathCollection)]  # fmt: skip
    assert crosses.get_offsets().tolist() == [[1, 0.7], [2, 0.8]]
    assert figure.get_label() == "Highest mean HR@10 of 8 to 64 factors: GMF at 16 (1.600)"
    assert "the paper" in [text.get_text() for text in figure.legends[0].get_texts()]
    alone = ranking_figures.setting_curves(table, "factors", "hr@10")
    assert "the paper" not in [text.get_text() for text in alone.legends[0].get_texts()]


def test_watched_curves_end_with_the_first_seed_that_stops():
    figure = ranking_figures.watched_curves(
        watched().replace({"model": {HOSTILE[0]: "A"}}), "hr@10"
    )
    loss, value = figure.axes
    assert len(loss.lines[0].get_xdata()) == len(value.lines[0].get_xdata()) == 4
    assert figure.get_label().startswith("Epoch of the best mean HR@10 (validation): A 4 (0.405)")
    assert figure.get_label().endswith("bands: range over 2 seeds")


def test_the_example_prefers_another_ranker_among_drawn_items():
    said = ranking_figures.sampled_chances(chance_curve(3541), example()).get_label()
    assert said == (
        "An item at rank 345 of 3,541 still hits in half of the draws; Recall@10 prefers C among "
        "all, A among drawn; NDCG prefers C among all, A among drawn"
    )
