"""How rows are trained and tested in this study, one function a protocol; and rows on controls of
their features."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..datasets.texts import available_parts, compose_texts
from ..encoders.features import MODALITIES, Modality
from ..runs.profiles import WideSearch
from ..runs.run import Run
from ..runs.variant import Variant
from ..splits.rules import ColdItems
from ..training.config import TrainingConfig
from ..training.search import Search
from .search_spaces import SPACES, large_batches, wide_space

SPARSE = 0.1  # share of the training ratings that "sparse data" means
CONTROLS = ("shuffled", "noise")  # endings of their names
CALLED: dict[Modality, str] = {"text": "text", "image": "picture"}  # in names of rows
COLD_ITEM_SHARE = 0.2  # of all items are held out where cold items are studied


def fixed_epochs_protocol(run: Run) -> str:
    """``as published``, unless the profile shortens the trainings of wide comparisons."""
    s, paper = run.settings, TrainingConfig()
    ours = (
        s.comparison.epochs,
        s.comparison.batch_size,
        s.comparison.learning_rate,
        s.comparison.feature_dim,
    )
    if ours == (paper.epochs, paper.batch_size, paper.learning_rate, None):
        return "as published"
    return f"{s.comparison.epochs} epochs of batch {s.comparison.batch_size}"


def fixed_epochs(run: Run, name: str, model: str, config: Any, **others: Any) -> Variant:
    """A row trained for the paper's fixed number of epochs on the whole training part; features
    standardised."""
    settings = run.settings
    training = TrainingConfig(
        epochs=settings.comparison.epochs,
        batch_size=settings.comparison.batch_size,
        learning_rate=settings.comparison.learning_rate,
    )
    dim = settings.comparison.feature_dim
    row = Variant(
        name, fixed_epochs_protocol(run), model, config, training, feature_dim=dim, **others
    )
    return row.prepared("standardised")


def closed_form(name: str, model: str, config: Any, **others: Any) -> Variant:
    """A row that is solved, not trained: there is only one protocol."""
    return Variant(name, "closed form", model, config, TrainingConfig(), **others)


def early_stopped(
    run: Run, name: str, config: Any, model: str = "bonmf", **training: Any
) -> Variant:
    """A row of an ablation: large batches, stopped at its best validation epoch; features
    standardised."""
    settings = run.settings
    stopped = replace(large_batches(settings, settings.tuning.epochs), **training)
    dim, protocol = settings.comparison.feature_dim, f"early stopped, batch {stopped.batch_size}"
    return Variant(name, protocol, model, config, stopped, feature_dim=dim).prepared("standardised")


def tuned(run: Run, variant: Variant) -> Variant:
    """The same row with its settings chosen by a search on validation, every row with the same
    budget. Every split is searched anew: what another split chooses by has test ratings of this
    one in it."""
    tuning = run.settings.tuning
    if tuning.wide:
        return searched_widely(run, variant, tuning.wide, "tuned")
    search = Search(tuple(SPACES[variant.model].items()), tuning.trials)
    training = large_batches(run.settings, tuning.epochs)
    return replace(variant, protocol="tuned", training=training, search=search)


def searched_widely(run: Run, variant: Variant, wide: WideSearch, protocol: str) -> Variant:
    """The row with its settings chosen by a search over all that its makers would try, in batches
    of either size where these do not take it hours."""
    training = replace(large_batches(run.settings, wide.epochs), patience=wide.patience)
    space = wide_space(variant, (wide.small_batch, run.settings.tuning.batch_size))
    search = Search(tuple(space.items()), wide.trials)
    return replace(variant, protocol=protocol, training=training, search=search)


def control_rows(
    run: Run, rows: Sequence[Variant], endings: Sequence[str] = CONTROLS
) -> list[Variant]:
    """Every row that reads texts or pictures, again on each control of them."""
    return [on_control(run, row, ending) for row in with_content(rows) for ending in endings]


WITHOUT_PLOTS = "without plots"
_TITLE_AND_GENRES = ("title", "genres")


def without_plots(run: Run, row: Variant, name: str = "") -> list[Variant]:
    """The row on title and genres, where texts are these and a plot; none elsewhere. Items without
    a plot, which have no text in the row itself, have one then.

    Args:
        name: instead of the row's with ``WITHOUT_PLOTS``.
    """
    items, whole = run.dataset.items, (*_TITLE_AND_GENRES, "plot")
    if not set(whole) <= set(available_parts(items)):
        return []
    if not compose_texts(items, whole).dropna().equals(items["text"].dropna()):
        return []
    return [replace(row, name=name or f"{row.name}, {WITHOUT_PLOTS}", text_parts=_TITLE_AND_GENRES)]


def with_content(rows: Sequence[Variant]) -> list[Variant]:
    """Those that read texts or pictures."""
    return [row for row in rows if row.uses("text") or row.uses("image")]


def on_control(run: Run, row: Variant, ending: str, of: Sequence[Modality] = MODALITIES) -> Variant:
    """The row on controls of its encoders (:mod:`~bonmf_lib.encoders.controls`), by the ending of
    their names; of one modality, where only that is asked for."""
    own = {"text": row.text_encoder or run.encoder("text")}
    own["image"] = row.image_encoder or run.encoder("image")
    encoders = {f"{name}_encoder": f"{own[name]}-{ending}" for name in of if row.uses(name)}
    told = ending if len(of) > 1 else f"{CALLED[of[0]]} {ending}"
    return replace(row, name=f"{row.name}, {told}", **encoders)


def on_cold_items(rows: list[Variant]) -> list[Variant]:
    """The same rows, tested on items that have no training rating."""
    return [
        replace(row, protocol=f"cold items, {row.protocol}", split=ColdItems(COLD_ITEM_SHARE))
        for row in rows
    ]
