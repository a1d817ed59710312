"""Does a ranker use its text and pictures? What each loses when they are replaced or left out, and
one word a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from ..claims.across_users import Told
from ..evaluation import Estimate, holm, mean_interval, percent_better
from ..runs.records import interval_share
from ..runs.variant import Variant
from .tables import LEAST_SEEDS, LEVEL, gain_cell

USES, UNCERTAIN, UNUSED, FEW = "uses it", "not certain", "no use shown", "too few seeds"
UNTOLD = "not told: a control was not run"
# what is left of a model's content -> the same in sentences
WHAT_IS_LEFT = {
    "shuffled": "other items' content",
    "noise": "noise",
    "constant": "constants",
    "no modality": "no content",
}
# what is asked of a model -> what the model must beat, by what is left of its content
ASKED = {
    "content": tuple(WHAT_IS_LEFT),
    "text": ("picture only", "text shuffled"),
    "picture": ("text only", "picture shuffled"),
}


@dataclass(frozen=True)
class KnockOut:
    """What a model on its whole content gains over the same on what is left of it.

    Attributes:
        left: of its content. gain: in percent of the knocked-out model, with its 95 % interval and
            p-value. adjusted: that p-value among all knock-outs of the model (Holm).
    """

    model: str
    left: str
    gain: Estimate
    adjusted: float

    @property
    def beaten(self) -> bool:
        """Whether the whole content is better, beyond chance."""
        certain = self.gain.n >= LEAST_SEEDS and self.adjusted < LEVEL
        return certain and self.gain.mean > 0


def knock_outs(
    records: pd.DataFrame,
    rows: Mapping[str, Mapping[str, Variant]],
    metric: str,
    across: pd.DataFrame | None = None,
) -> list[KnockOut]:
    """Every knock-out of every model that records have.

    Args:
        rows: by model, then by what is left (``""`` = everything), of
            :func:`~bonmf_lib.experiments.multimodal_ranking.knocked_out`. metric: better when
        higher. across: differences told across users, where all seeds test the same pairs.
    """
    told = Told({}) if across is None else Told.of(across)
    out = []
    for model, by_left in rows.items():
        own = _of(records, by_left[""], metric)
        found = {
            left: _gain(own, _of(records, row, metric), metric, told)
            for left, row in by_left.items()
            if left
        }
        found = {left: gain for left, gain in found.items() if gain.n}
        adjusted = holm([gain.p_value for gain in found.values()])
        out += [
            KnockOut(model, left, gain, p)
            for (left, gain), p in zip(found.items(), adjusted, strict=True)
        ]
    return out


def _of(records: pd.DataFrame, row: Variant, metric: str) -> pd.DataFrame:
    fits = (records["variant"] == row.name) & (records["protocol"] == row.protocol)
    return records[fits & (records["metric"] == metric)]


def _gain(ours: pd.DataFrame, theirs: pd.DataFrame, metric: str, told: Told) -> Estimate:
    if found := told.gain(ours, theirs, metric):
        return found.estimate()
    one, other = (rows.groupby("seed")["value"].first() for rows in (ours, theirs))
    one, other = one.align(other, join="inner")
    if one.empty:
        return mean_interval(one.to_numpy(), 0.0)
    share = interval_share(pd.concat([ours, theirs]))
    return mean_interval(percent_better(one, other, lower_is_better=False), share)


def verdict(found: Sequence[KnockOut], what: str) -> str:
    """Whether a model uses its ``content``, its ``text`` beside the picture, or its ``picture``
    beside the text: only where it beats everything that is asked, and a modality only where the
    whole content is used; ``""`` where nothing was run. Few seeds tell nothing, and a modality's
    gain nothing where not all that it must beat was run.

    Args:
        found: of one model.
    """
    own = _beats_what_is_asked(found, what)
    if what == "content" or own not in (USES, UNTOLD):
        return own
    whole = _beats_what_is_asked(found, "content")
    return own if whole == USES else whole or UNTOLD


def _beats_what_is_asked(found: Sequence[KnockOut], what: str) -> str:
    asked = [one for one in found if one.left in ASKED[what]]
    if not asked:
        return ""
    if all(one.beaten for one in asked):
        incomplete = what != "content" and len(asked) < len(ASKED[what])
        return UNTOLD if incomplete else USES
    if any(one.gain.n < LEAST_SEEDS for one in asked):
        return FEW
    if any(one.gain.mean <= 0 for one in asked):
        return UNUSED
    return UNCERTAIN


def hardest(found: Sequence[KnockOut]) -> dict[str, KnockOut]:
    """By model, the control of its whole content that it gains least over."""
    controls = [one for one in found if one.left in ASKED["content"]]
    return {
        model: min((one for one in controls if one.model == model), key=lambda one: one.gain.mean)
        for model in dict.fromkeys(one.model for one in controls)
    }


def verdict_table(found: Sequence[KnockOut]) -> pd.DataFrame:
    """One row per model: a verdict on everything that is asked, and the gain over every knock-out,
    in percent with its 95 % interval."""
    rows = {}
    for model in dict.fromkeys(one.model for one in found):
        own = [one for one in found if one.model == model]
        rows[model] = {what: verdict(own, what) for what in ASKED} | {
            f"over {one.left}, %": gain_cell(one.gain) for one in own
        }
    return pd.DataFrame.from_dict(rows, orient="index").fillna("").rename_axis("model")


def sentence(found: Sequence[KnockOut], where: str) -> str:
    """How many models use their content, their text, their picture."""
    models = dict.fromkeys(one.model for one in found)
    if not models:
        return f"{where}: no ranker was run on what is left of its content."
    seeds = min(one.gain.n for one in found)
    if seeds < LEAST_SEEDS:
        return (
            f"{where}: {seeds} seed{'s' * (seeds > 1)}, too few to tell whether {len(models)} "
            "rankers use their content."
        )
    words = {
        what: [verdict([one for one in found if one.model == model], what) for model in models]
        for what in ASKED
    }
    used = {what: sum(word == USES for word in said) for what, said in words.items()}
    untold = {what: sum(word == UNTOLD for word in said) for what, said in words.items()}
    parts = [
        f"{used[what]} their {what}" + (f" ({untold[what]} not told)" if untold[what] else "")
        for what in ("text", "picture")
    ]
    return (
        f"{where}: of {len(models)} rankers, {used['content']} use their content beyond every "
        f"control, {', '.join(parts)}."
    )


def drawable(found: Sequence[KnockOut]) -> bool:
    """Whether any gain has an interval; dots alone would pass for evidence."""
    return any(one.gain.n >= LEAST_SEEDS for one in found)


def gain_table(found: Sequence[KnockOut]) -> pd.DataFrame:
    """What every model gains over each of its other forms, in percent with its 95 % interval; with
    Holm's p-value among the model's forms."""
    rows = [
        {"model": one.model, "over": one.left, "gain, %": gain_cell(one.gain), "p": one.adjusted}
        for one in found
    ]
    return pd.DataFrame(rows, columns=["model", "over", "gain, %", "p"]).set_index("model").round(3)
