"""What published runs say of items and users with few ratings or none (09), for the report."""

from collections.abc import Iterator

import pandas as pd

from ..experiments.cold_start import (
    FAMILIES,
    family_names,
    mean_stand_in_names,
    stand_in_names,
    unrated_families,
)
from ..experiments.held_out import counts_in
from ..experiments.protocols import CONTROLS
from . import cold_start, html
from .figures.cold_start import content_gains, learning_curves
from .published import NotPublishedError, Part, Published
from .worth import curve_table, text_curve, worth, worth_sentence

_ITEMS, _STAND_INS, _USERS = "09_items", "09_stand_ins", "09_users"
_UNRATED = "movies without any rating"
_WAITS = "Items without ratings"
_MEAN = "BoNMF, mean embedding for new items"
_BEST = 12  # rows that the table of lowest errors shows


def unrated(published: Published) -> Iterator[Part]:
    """What content gains on items that nobody has rated, over none and over its controls; and which
    rows err least there."""
    first = _unrated(published)
    gained = cold_start.gains(first, unrated_families())
    if cold_start.drawable(gained):
        yield content_gains(gained, "mse", f"MovieLens-1M, {_UNRATED}")
    yield _lowest(first)


def stand_ins(published: Published) -> Iterator[Part]:
    """The same where the mean of all trained embeddings stands in for untrained ones; and every
    stand-in, with IDs dropped in training or not."""
    records = published.rows(_STAND_INS, "Stand-ins for untrained embeddings")
    gained = cold_start.gains(records, {_MEAN: mean_stand_in_names()})
    yield cold_start.gain_sentence(gained, _UNRATED.capitalize())
    yield cold_start.gain_table(gained)
    plain = _plain_as_stand_in(published)
    if len(plain) and not set(plain["variant"]) & set(records["variant"]):
        records = pd.concat([plain, records])
        yield "Untrained embeddings, as they were drawn: the network of the table further above."
    yield cold_start.stand_in_sentence(records, stand_in_names())
    yield cold_start.stand_in_table(records, stand_in_names())


def _plain_as_stand_in(published: Published) -> pd.DataFrame:
    """The network itself, whose new items keep embeddings as they were drawn: the first stand-in,
    with no ID dropped. Empty where it was not run."""
    own = published.own[published.own["experiment"] == _ITEMS]
    called, text = next(iter(stand_in_names().values()))
    network = family_names("BoNMF", ("text",))
    names = {network[""]: called, network["text"]: text}
    names[f"{network['text']}, {CONTROLS[0]}"] = f"{text}, {CONTROLS[0]}"
    own = cold_start.with_revealed(own[own["variant"].isin(names)], "item", 0)
    return own.assign(variant=own["variant"].map(names))


def in_full(published: Published) -> Iterator[Part]:
    """Gains of every model by what it reads."""
    yield cold_start.gain_table(cold_start.gains(_unrated(published), unrated_families()))


def worths(published: Published) -> Iterator[Part]:
    """How many ratings a text is worth, as far as ratings were revealed."""
    records = published.rows(_ITEMS, "Items with revealed ratings")
    counts = counts_in(records, "item")
    found = {}
    for family in FAMILIES:
        names = family_names(family, ("text",))
        one = worth(records, family, "text", names, counts) if len(counts) > 1 else None
        if one is not None:
            found[family] = one
    if not found:
        yield "How many ratings a text is worth: not published yet."
        return
    curves = {
        family: curve_table(
            records, text_curve(family_names(family, ("text",))), "item", counts, "mse"
        )
        for family in found
    }
    yield " ".join(worth_sentence(one, "movie") for one in found.values())
    yield learning_curves(curves, found, "mse", "movie")


def users(published: Published) -> Iterator[Part]:
    """Errors on users who were held out, by how many of their ratings are revealed."""
    records = published.rows(_USERS, "Users without ratings")
    new = cold_start.with_revealed(records, "user", 0)
    gained = cold_start.gains(new, {"BoNMF": family_names("BoNMF", ("text + picture",))})
    yield cold_start.gain_sentence(gained, "Users without any rating")
    yield cold_start.revealed_table(
        cold_start.without_controls(records), "user", counts_in(records, "user")
    )


def _unrated(published: Published) -> pd.DataFrame:
    first = cold_start.with_revealed(published.rows(_ITEMS, _WAITS), "item", 0)
    if first.empty:
        raise NotPublishedError(_WAITS)
    return first


def _lowest(records: pd.DataFrame) -> Part:
    """The rows with their own content that err least, the best first."""
    own = cold_start.without_controls(records)
    rows = list(cold_start.lowest(own, _BEST).items())
    return html.table((f"lowest errors on {_UNRATED}", "MSE"), rows)
