"""09: items and users with few ratings or none: what content gives, by how many there are.

Families of models, each without content and on text, picture or both, meet the same ratings; every
row with content meets it shuffled and replaced by noise. BoNMF reads features at the encoder's own
scale, and standardised ones too, since the answer for rated items hangs on that choice; the other
models that predict ratings standardise theirs. Batches are varied for the same reason.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..encoders.features import Modality
from ..evaluation.by_support import BY_SUPPORT
from ..evaluation.rules import RATED_ITEMS
from ..models import item_fields
from ..models.rating.bias import GlobalMeanConfig, UserItemBiasConfig
from ..models.rating.biased_svd import BiasedSVDConfig
from ..models.rating.bonmf import BoNMFConfig
from ..models.rating.bonmf_plus import BoNMFPlusConfig
from ..models.rating.bonmf_stand_in import STAND_INS, BoNMFStandInConfig
from ..models.rating.content_neighbours import ContentNeighboursConfig
from ..models.rating.content_ridge import ContentRidgeConfig
from ..models.rating.fm import FMConfig
from ..models.rating.genre_mean import GenreMeanConfig
from ..models.rating.item_mean import ItemMeanConfig
from ..runs.run import Run
from ..runs.variant import Variant
from . import absent, multimodal_ranking
from .held_out import ends, held_out, protocol, revealed
from .protocols import (
    CONTROLS,
    closed_form,
    control_rows,
    early_stopped,
    on_control,
    without_plots,
)

COLD_DROPOUT = 0.1  # of BoNMF+ and of the stand-ins: share of items treated as unrated
DROPOUTS = (0.0, 0.2)  # of IDs, where stand-ins are compared
READ: dict[str, tuple[Modality, ...]] = {
    "text": ("text",),
    "picture": ("image",),
    "text + picture": ("text", "image"),
}
NEIGHBOURS, GENRE_MEAN, BIASES = "Neighbours in text", "Genre mean", "User + item bias"
SMALL = "BoNMF, small batches"
# what families read on items without any rating
UNRATED_READ: dict[str, tuple[str, ...]] = {
    "BoNMF": tuple(READ),
    "BoNMF, standardised": ("text",),
    "BoNMF, ID dropout": ("text",),
    "BoNMF+": ("text",),
    "biases": tuple(READ),
}
# families of models, each the same by what it reads, and what the names of their rows begin with
BASES = {
    "BoNMF": "BoNMF on ID",
    "BoNMF, standardised": "BoNMF, standardised, on ID",
    "BoNMF, ID dropout": "BoNMF with ID dropout on ID",
    "BoNMF+": "BoNMF+ on ID",
    "biases": BIASES,
}


def _solved(run: Run, name: str, model: str, config: Any) -> Variant:
    """Solved without the ratings that stop other rows, so that all have the same training
    ratings."""
    terms = {"evaluation": BY_SUPPORT, "holds_out": True}
    if hasattr(config, "modalities"):
        terms["feature_dim"] = run.settings.comparison.feature_dim
    return closed_form(name, model, config, **terms)


def _stopped(run: Run, name: str, model: str, config: Any) -> Variant:
    """In smaller batches than the study's large ones, where texts lowered validation errors
    less."""
    own = run.settings.cold_start
    small = {"batch_size": own.batch_size, "learning_rate": own.learning_rate}
    terms = {"epochs": own.epochs, "patience": own.patience}
    terms |= {} if model == "bonmf+" else small
    row = early_stopped(run, name, config, model, **terms)
    return replace(row, protocol="early stopped", evaluation=BY_SUPPORT, watched_by=RATED_ITEMS)


def _reading(base: str, read: tuple[Modality, ...]) -> str:
    """The base, and what is read besides."""
    names = [name for name, modalities in READ.items() if modalities == read]
    return " + ".join([base, *names])


# Families: the same model by what it reads


def _bonmf(run: Run, read: tuple[Modality, ...]) -> Variant:
    name, config = _reading(BASES["BoNMF"], read), BoNMFConfig(modalities=read)
    return _stopped(run, name, "bonmf", config).prepared("native")


def _bonmf_standardised(run: Run, read: tuple[Modality, ...]) -> Variant:
    row, name = _bonmf(run, read), _reading(BASES["BoNMF, standardised"], read)
    return replace(row, name=name).prepared("standardised") if read else row


def _bonmf_small(run: Run, read: tuple[Modality, ...]) -> Variant:
    """As it is; held out, the one row of trained models that keeps its batches."""
    return replace(_bonmf(run, read), name=_reading(f"{SMALL}, on ID", read))


def _dropout(run: Run, read: tuple[Modality, ...]) -> Variant:
    name = _reading(BASES["BoNMF, ID dropout"], read)
    config = BoNMFStandInConfig(modalities=read, id_dropout=COLD_DROPOUT)
    return _stopped(run, name, "bonmf-stand-in", config).prepared("native")


def _bonmf_plus(run: Run, read: tuple[Modality, ...]) -> Variant:
    """Without fields of items, which are content too; without any content it has no gate."""
    dropout = COLD_DROPOUT if read else 0.0
    config = BoNMFPlusConfig(
        modalities=read, use_fields=False, gate=bool(read), cold_dropout=dropout
    )
    return _stopped(run, _reading(BASES["BoNMF+"], read), "bonmf+", config)


def _ridge(run: Run, read: tuple[Modality, ...]) -> Variant:
    """User and item biases, the latter starting from what content predicts."""
    if not read:
        return _solved(run, BIASES, "user-item-bias", UserItemBiasConfig())
    config = ContentRidgeConfig(modalities=read, item_bias=True)
    return _solved(run, _reading(BIASES, read), "content-ridge", config)


@dataclass(frozen=True)
class Family:
    """A model without content and with it.

    Attributes:
        row: by what it reads. called: in sentences.
    """

    row: Callable[[Run, tuple[Modality, ...]], Variant]
    called: str


FAMILIES = {
    "BoNMF": Family(_bonmf, "BoNMF"),
    "BoNMF, standardised": Family(_bonmf_standardised, "BoNMF on standardised features"),
    "BoNMF, ID dropout": Family(_dropout, "BoNMF with ID dropout"),
    "BoNMF+": Family(_bonmf_plus, "BoNMF+"),
    "biases": Family(_ridge, "a ridge from content to biases"),
}


def family_names(family: str, reads: Iterable[str] = READ) -> dict[str, str]:
    """What a family's rows are called, by what they read, ``""`` first. Features' scale is nothing
    without features: standardised ones have the same row without content."""
    alone = BASES["BoNMF" if family == "BoNMF, standardised" else family]
    return {"": alone} | {read: _reading(BASES[family], READ[read]) for read in reads}


def unrated_families() -> dict[str, dict[str, str]]:
    """The families that are asked about unrated items, by what their rows there are called."""
    return {family: family_names(family, reads) for family, reads in UNRATED_READ.items()}


def family_rows(run: Run, family: str, reads: Iterable[str] = READ) -> dict[str, Variant]:
    """A family's rows by what they read, ``""`` first."""
    make = FAMILIES[family].row
    return {"": make(run, ())} | {read: make(run, READ[read]) for read in reads}


def _with_controls(
    run: Run, rows: Iterable[Variant], endings: Sequence[str] = CONTROLS
) -> list[Variant]:
    """The rows, each on its controls too."""
    own = list(rows)
    return own + control_rows(run, own, endings)


def _held_out(run: Run, side: str, rows: Iterable[Variant], counts: Iterable[int]) -> list[Variant]:
    """Rows where whole items or users are held out, in larger batches than on random splits: a look
    after every epoch of small ones comes when networks have learnt too much of what they know to
    be at their best on what they do not."""
    own = run.settings.cold_start
    larger = {"batch_size": own.held_out_batch_size, "learning_rate": own.held_out_rate}
    changed = [
        row
        if row.training.patience is None or row.model == "bonmf+" or row.name.startswith(SMALL)
        else replace(row, training=replace(row.training, **larger))
        for row in rows
    ]
    return held_out(run, side, changed, counts)


# Rows without content, and on content alone


def plain_rows(run: Run) -> list[Variant]:
    """Rows that read no text and no picture."""
    return [
        _solved(run, "Global mean", "global-mean", GlobalMeanConfig()),
        _solved(run, "Item mean, shrunk", "item-mean", ItemMeanConfig()),
        _solved(run, GENRE_MEAN, "genre-mean", GenreMeanConfig()),
        _stopped(run, "Biased MF", "biased-svd", BiasedSVDConfig()),
        _stopped(run, "FM with fields", "fm", FMConfig()),
    ]


def content_only_rows(run: Run, reads: Iterable[str] = READ) -> list[Variant]:
    """Ridges on content without an item's own ratings, and neighbours in the space of texts."""
    ridges = [
        _solved(run, f"Ridge on {name}", "content-ridge", ContentRidgeConfig(modalities=READ[name]))
        for name in reads
    ]
    near = _solved(run, NEIGHBOURS, "content-neighbours", ContentNeighboursConfig())
    return [*ridges, near]


def _without_ids(run: Run) -> list[Variant]:
    return [
        _stopped(
            run, f"BoNMF on {name}", "bonmf", BoNMFConfig(use_ids=False, modalities=read)
        ).prepared("native")
        for name, read in READ.items()
    ]


# Questions


def bucket_rows(run: Run) -> list[Variant]:
    """All models on the usual random split: tested by how many training ratings there are."""
    few = ("text + picture",)
    families = {
        "BoNMF": tuple(READ), "BoNMF, standardised": ("text",), "BoNMF, ID dropout": few,
        "BoNMF+": few,
    }  # fmt: skip
    content = _rows_of(run, families | {"biases": tuple(READ)})
    return plain_rows(run) + _with_controls(
        run, [*content, *_without_ids(run), *content_only_rows(run)]
    )


def item_rows(run: Run) -> list[Variant]:
    """Models where whole items are held out, by how many of their ratings are revealed: without
    any on every content, then on texts, whose learning curves are asked for."""
    first, *more = revealed(run, "item") or (None,)
    if first is None:
        return []
    rows = plain_rows(run) + _with_controls(
        run, [*_rows_of(run, UNRATED_READ), *content_only_rows(run, ("text",))]
    )
    whole_network = family_rows(run, "BoNMF")["text + picture"]
    rows.append(on_control(run, whole_network, CONTROLS[0], ["image"]))
    rows += _with_controls(run, [_bonmf_small(run, read) for read in ((), READ["text"])])
    for row in (family_rows(run, "BoNMF")["text"], *content_only_rows(run, ("text",))[:1]):
        rows += _with_controls(run, without_plots(run, row))
    curves = [name for name in FAMILIES if name != "BoNMF, standardised"]
    plain = [row for row in plain_rows(run) if row.model != "fm"]
    later = plain + _with_controls(
        run,
        [*_rows_of(run, dict.fromkeys(curves, ("text",))), *content_only_rows(run, ())],
        CONTROLS[:1],
    )
    return _held_out(run, "item", rows, (first,)) + _held_out(run, "item", later, more)


def _rows_of(run: Run, reads: Mapping[str, tuple[str, ...]]) -> list[Variant]:
    """Rows of families by what they read; families may share the one without content."""
    rows = [row for name, own in reads.items() for row in family_rows(run, name, own).values()]
    return list(dict.fromkeys(rows))


def user_rows(run: Run) -> list[Variant]:
    """The same of whole users: items' content is known, and what users say of themselves. Between
    the fewest and the most revealed ratings, the network and biases alone."""
    content = _rows_of(run, {"BoNMF": ("text + picture",), "biases": ()})
    dropped = family_rows(run, "BoNMF, ID dropout", ())[""]
    told = BoNMFConfig(modalities=(), use_demographics=True)
    more = [dropped, _stopped(run, "BoNMF on ID + demographics", "bonmf", told)]
    asked = plain_rows(run) + more + _with_controls(run, [*content, *content_only_rows(run, ())])
    fewer = _with_controls(run, content, CONTROLS[:1])
    outer = ends(run, "user")
    between = [count for count in revealed(run, "user") if count not in outer]
    return _held_out(run, "user", asked, outer) + _held_out(run, "user", fewer, between)


def stand_in_name(stand_in: str, dropout: float, read: str = "") -> str:
    """How a row with a stand-in is called."""
    dropped = f"{dropout:.0%} dropped" if dropout else "none dropped"
    return " + ".join(filter(None, [f"Stand-in {stand_in}, {dropped}, ID", read]))


def mean_stand_in_names() -> dict[str, str]:
    """What the rows are called whose new items have the mean of all trained embeddings, no ID being
    dropped, by what they read, ``""`` first."""
    return {read: stand_in_name("mean", 0.0, read) for read in ("", *READ)}


def _stand_in(run: Run, stand_in: str, dropout: float, read: str = "") -> Variant:
    config = BoNMFStandInConfig(
        modalities=READ.get(read, ()), stand_in=stand_in, id_dropout=dropout
    )
    name = stand_in_name(stand_in, dropout, read)
    return _stopped(run, name, "bonmf-stand-in", config).prepared("native")


def stand_in_rows(run: Run) -> list[Variant]:
    """BoNMF on items without any rating, by what stands in for their embeddings and how many IDs
    are dropped in training: on IDs alone, and with text. The mean embedding, which adds no noise,
    meets pictures and noise too. Content stands beside its shuffled control."""
    rows = [
        _stand_in(run, stand_in, dropout, read)
        for stand_in in STAND_INS
        for dropout in DROPOUTS
        for read in ("", "text")
    ]
    picture, both = (_stand_in(run, "mean", 0.0, read) for read in ("picture", "text + picture"))
    rows += [picture, both]
    rows += control_rows(run, rows, CONTROLS[:1])
    on_mean = set(mean_stand_in_names().values())
    rows += control_rows(run, [row for row in rows if row.name in on_mean], CONTROLS[1:])
    rows.append(on_control(run, both, CONTROLS[0], ["image"]))
    return _held_out(run, "item", rows, revealed(run, "item")[:1])


def ranking_rows(run: Run) -> list[Variant]:
    """Rankers where whole items are held out, at the fewest and the most revealed ratings: with
    none, only content can rank them."""
    rankers = [
        multimodal_ranking.row(run, name, multimodal_ranking.RANKERS[name])
        for name in ("Popularity", "BPR", "VBPR")
    ]
    most = run.settings.cold_start.ranking_epochs
    short = [
        replace(row, training=replace(row.training, epochs=min(row.training.epochs, most)))
        if row.validates
        else row
        for row in rankers
    ]
    return held_out(run, "item", _with_controls(run, short), ends(run, "item"))


QUESTIONS: dict[str, Callable[[Run], list[Variant]]] = {
    "buckets": bucket_rows,
    "items": item_rows,
    "users": user_rows,
    "stand_ins": stand_in_rows,
    "rankers": ranking_rows,
}
SIDE_QUESTIONS = ("users", "stand_ins", "rankers")


def possible(run: Run, rows: Sequence[Variant]) -> list[Variant]:
    """The rows that the data allow; the others are printed, the genre mean where no genre is
    known."""
    if "genres" not in item_fields(run.dataset) and any(row.name == GENRE_MEAN for row in rows):
        print(f"Left out, since {absent.sentence(run.dataset, 'genres')}: {GENRE_MEAN}.")
        rows = [row for row in rows if row.name != GENRE_MEAN]
    return absent.leave_out(run, rows)


def stand_in_names() -> dict[tuple[str, str], tuple[str, str]]:
    """Rows on IDs and with text, by stand-in and share of dropped IDs."""
    return {
        (stand_in, f"{dropout:.0%}"): (
            stand_in_name(stand_in, dropout), stand_in_name(stand_in, dropout, "text"),
        )
        for stand_in in STAND_INS
        for dropout in DROPOUTS
    }  # fmt: skip


def one_item_rows(run: Run, rows: Sequence[Variant]) -> list[Variant]:
    """Of the rows of held-out items, those that are asked about one item: none of its ratings is
    revealed to them."""
    named = (
        "Biased MF", "BoNMF on ID", "BoNMF on ID + text + picture", "BoNMF on ID + text",
        "BoNMF on ID + text, shuffled", "BoNMF+ on ID + text", NEIGHBOURS,
        "User + item bias + text",
    )  # fmt: skip
    first = {row.name: row for row in rows if row.protocol == protocol("item", 0)}
    return [first[name] for name in named if name in first]


def budget_sentence(run: Run) -> str:
    """How small this profile's trainings are."""
    own = run.settings.cold_start
    said = []
    for count in (own.seeds, own.side_seeds):
        known = len(run.settings.seeds[:count])
        said.append(f"{known} seed{'s' * (known > 1)}")
    return (
        f"Budgets of this profile: at most {own.epochs} epochs; {said[0]} for buckets and items, "
        f"{said[1]} for users, stand-ins and rankers."
    )
