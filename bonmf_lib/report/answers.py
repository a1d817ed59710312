"""Answers to the paper's open questions in words, chosen by verdicts; they read records, published
ones or a run's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..claims.judge import LEAST_SEEDS, LEVEL
from ..datasets.words import shown_name
from ..evaluation import holm
from ..experiments.language_models import NATIVE
from ..experiments.names import (
    FUSION_CONTROLS,
    FUSION_NO_PICTURE,
    FUSION_PLAIN,
    NO_PICTURE,
    NO_TEXT,
    OVERLAP_CONTROLS,
    READING_CONTROLS,
    TEXT_CONTROLS,
)
from .relative import equivalence_sentence, equivalences, row_of, short_names
from .tables import differences, told_apart

MARGIN = 0.5  # percent; the paper's for swapping language models


def text_equivalences(
    records: pd.DataFrame, metric: str, reference: tuple[str, str], prefix: str = "BoNMF, "
) -> pd.DataFrame:
    """:func:`~bonmf_lib.report.relative.equivalences` with short names at the paper's margin.
    Language models (are they alike?) and controls (does the text matter?) are two families of
    tests.

    Args:
        prefix: of all rows' names.
    """
    names = [
        name for name in records["variant"].unique() if is_text_control(name.removeprefix(prefix))
    ]
    controls = [name.removeprefix("BoNMF, ") for name in names]
    return short_names(equivalences(records, metric, reference, MARGIN, controls), prefix)


def is_text_control(name: str) -> bool:
    """Whether a row's short name is that of a control: no text, or one that tells nothing of its
    item."""
    return name in (*TEXT_CONTROLS, "no text") or name.endswith(("-shuffled", "-noise"))


def swap_sentence(table: pd.DataFrame, margin: float, where: str) -> str:
    """What swapping text encoders means, by the verdicts on the models and on the controls.

    Args:
        table: of :func:`bonmf_lib.report.relative.equivalences`, with short names.
    """
    verdicts = table["verdict"]
    control = np.array([is_text_control(name) for name in verdicts.index], bool)
    controls, models = verdicts[control], verdicts[~control]
    alike = (
        f"{(models == 'equivalent').sum()} of {len(models)} other models are within {margin:g} %"
    )
    if (controls == "equivalent").all():
        return f"On {where} the text hardly matters: every control is within {margin:g} %; {alike}."
    if (controls == "worse").all():
        cost = (
            table.loc["no text", ["percent", "low", "high"]].abs()
            if "no text" in table.index
            else None
        )
        size = (
            ""
            if cost is None
            else f", no text by {cost['percent']:.2f} % [{cost.min():.2f}, {cost.max():.2f}; 90 %]"
        )
        small = cost is not None and cost["percent"] < 2 * margin
        caution = f"; so small an effect makes a margin of {margin:g} % say little" if small else ""
        return (
            f"In the network of 06, on {where}, the text has an effect: "
            f"every control is worse{size}; {alike}{caution}."
        )
    if (controls == "undecided").any():
        return (
            f"On {where} it stays undecided whether the text matters: "
            f"not every control differs clearly; {alike}."
        )
    listed = ", ".join(f"{name} is {verdict}" for name, verdict in controls.items())
    return f"On {where} the text is not shown to help: {listed}; {alike}."


def picture_evidence(
    records: pd.DataFrame, metric: str, none: str, controls: Sequence[str], prefix: str
) -> pd.DataFrame:
    """Every use of the picture against no picture and against each control, paired over seeds.

    Args:
        none: the row without a picture. controls: rows whose pictures tell nothing; those that the
            records lack are passed over. prefix: of row names, left out.

    Returns:
        the table of :func:`~bonmf_lib.report.tables.differences` to ``none`` with short names and,
        besides, verdict: *helps* (better than none and than every control, each after Holm),
        *worse* (than none) or *not shown to help*.
    """
    table = short_names(differences(records, metric, row_of(records, none)), prefix)
    told = told_apart(table)
    helps = told & table["favours"].astype(bool)
    controls = [name for name in controls if (records["variant"] == name).any()]
    for control in controls:
        against = short_names(
            differences(records, metric, row_of(records, control)), prefix
        ).reindex(table.index)
        better = told_apart(against) & against["favours"].eq(True)
        helps &= better | (table.index == control.removeprefix(prefix))
    table["control"] = table.index.isin([name.removeprefix(prefix) for name in controls])
    table["verdict"] = "not shown to help"
    table.loc[helps & ~table["control"], "verdict"] = "helps"
    table.loc[told & table["favours"].eq(False), "verdict"] = "worse"
    return table


VERDICT_COLUMNS = ["difference", "low", "high", "percent", "p_holm", "verdict"]


def picture_verdicts(found: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Tables of :func:`picture_evidence` below each other, by where they were found."""
    return pd.concat(found, names=["on", "picture"])[VERDICT_COLUMNS].round(4)


def picture_sentences(found: Mapping[str, pd.DataFrame]) -> str:
    """:func:`picture_sentence` of each table, a line each."""
    return "\n".join(picture_sentence(table, where) for where, table in found.items())


def picture_sentence(table: pd.DataFrame, where: str) -> str:
    """What pictures add, by the verdicts of :func:`picture_evidence`."""
    real = table[~table["control"]]
    helped, worse = (real.index[real["verdict"] == verdict] for verdict in ("helps", "worse"))
    against = "none and than every control" if table["control"].any() else "none"
    words = (
        f"On {where}, {len(helped)} of {len(real)} uses of the picture are better than {against}"
    )
    words += f" ({', '.join(helped)})" if len(helped) else ""
    return words + (f"; worse than none: {', '.join(worse)}." if len(worse) else ".")


def ways_told_apart(table: pd.DataFrame) -> pd.DataFrame:
    """Ways to take overlap out that differ from concatenation by the adjusted test; controls and no
    picture are no ways."""
    no_ways = [name.removeprefix("Fusion, ") for name in (FUSION_NO_PICTURE, *OVERLAP_CONTROLS)]
    return table[told_apart(table) & ~table.index.isin(no_ways)]


def resolution_sentence(table: pd.DataFrame, metric: str, where: str) -> str:
    """Whether taking overlap out helps, by the adjusted tests against plain concatenation. Controls
    and no picture are no ways to do so: a way that only beats concatenation may have silenced the
    picture.

    Args:
        table: of :func:`bonmf_lib.report.tables.differences`, with short names.
    """
    told = ways_told_apart(table)
    sides = {True: "better", False: "worse"}
    parts = [
        f"{name} is {sides[bool(row['favours'])]} ({abs(row['percent']):.1f} %)"
        for name, row in told.iterrows()
    ]
    said = "; ".join(parts) or "no way differs clearly"
    return f"{metric} on {where}, against concatenation: {said}."


def limit_sentence(records: pd.DataFrame, epochs: int) -> str:
    """How many trainings were still improving when they ran out of epochs, and of which rows at
    least half were."""
    best = records[records["metric"] == "best_epoch"]
    last = best["value"] >= epochs
    rows = last.groupby(best["variant"], sort=False).mean()
    often = rows.index[rows >= 0.5]
    said = f"{last.sum()} of {len(best)} trainings were best in their last allowed epoch ({epochs})"
    names = f", at least half of those of {', '.join(often)}" if 0 < len(often) < len(rows) else ""
    return f"{said}{names}."


_ALL_INPUTS = "BoNMF on ID + text + picture"
_WITH_AND_WITHOUT = {  # experiment, what it is, the row with the modality, the row without it
    "text": (
        ("04_table1", "as published", "BoNMF", "BoNMF, no text"),
        ("04_tuned", "tuned", "BoNMF", "BoNMF, no text"),
        ("05_modalities", "early stopped (05)", _ALL_INPUTS, "BoNMF on ID + picture"),
        ("06_encoders", "early stopped, principal components (06)", "BoNMF, minilm-l6", NO_TEXT),
    ),
    "picture": (
        ("04_table1", "as published", "BoNMF", NO_PICTURE),
        ("04_tuned", "tuned", "BoNMF", NO_PICTURE),
        ("05_modalities", "early stopped (05)", _ALL_INPUTS, "BoNMF on ID + text"),
        (
            "07_readings",
            "early stopped, principal components (07)",
            "BoNMF, dinov2-s, cls",
            NO_PICTURE,
        ),
        ("07_fusions", "early stopped, the fusions' network (07)", FUSION_PLAIN, FUSION_NO_PICTURE),
    ),
}


def added_by_experiment(records: pd.DataFrame, modality: str) -> pd.DataFrame:
    """What ``text`` or ``picture`` adds to the MSE of all other inputs, in every experiment that
    has both rows: the same question to differently trained networks.

    Args:
        records: of one data set and content.

    Returns:
        one row per experiment; columns without, with (mean MSE), difference, low, high (95 %,
        paired), p_holm (adjusted over the experiments), seeds.
    """
    rows = {}
    for experiment, name, full, without in _WITH_AND_WITHOUT[modality]:
        pair = records[
            (records["experiment"] == experiment) & records["variant"].isin([full, without])
        ]
        values = pair[pair["metric"] == "mse"].groupby("variant")["value"].mean()
        if len(values) == 2:
            (found,) = differences(pair, "mse", row_of(pair, without)).to_dict("records")
            means = {"without": values[without], "with": values[full]}
            rows[name] = means | {
                key: found[key] for key in ("difference", "low", "high", "p_value", "seeds")
            }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis(
        f"{modality}, added to the other inputs"
    )
    if len(table):
        table.insert(table.columns.get_loc("seeds"), "p_holm", holm(table.pop("p_value").tolist()))
    return table


def added_sentence(records: pd.DataFrame, modality: str) -> str:
    """In how many of the networks of :func:`added_by_experiment` the modality is told from zero; ""
    without any."""
    table = added_by_experiment(records, modality)
    if table.empty:
        return ""
    told = (table["p_holm"] < LEVEL) & (table["seeds"] >= LEAST_SEEDS)
    helps, harms = (list(table.index[told & (table["difference"] * sign > 0)]) for sign in (-1, 1))
    parts = [
        f"{what} {len(names)} of {len(table)} networks"
        + (f" ({'; '.join(names)})" if names else "")
        for what, names in (("lowers the MSE in", helps), ("raises it in", harms))
    ]  # fmt: skip
    return (
        f"On random splits, the {modality} added to the other inputs {', '.join(parts)} "
        "(Holm-adjusted p < 0.05)."
    )


@dataclass(frozen=True)
class Answer:
    """What records say to one open question on one kind of split.

    Attributes:
        question: ``text`` (which encoder, 06), ``picture`` (which use of it, 07) or ``overlap``
        (what to do, 08).
        table: rows against the reference: of :func:`~bonmf_lib.report.relative.equivalences` for
            ``text``, of :func:`~bonmf_lib.report.tables.differences` otherwise, in MSE and with
            short names.
        nothing_found: of ``overlap``, no way is told apart from concatenation and no use of the
        picture helps or harms.
        families: of adjusted tests against the reference, and ``telling``: how many of them told
        any way apart. drawn: its table has a figure beside it.
    """

    question: str
    reference: str
    where: str
    sentences: tuple[str, ...]
    table: pd.DataFrame
    nothing_found: bool = False
    families: int = 0
    telling: int = 0
    drawn: bool = True


_PLACES = {"random": "random splits", "cold": "cold items"}


def open_answers(records: pd.DataFrame, dataset: str) -> list[Answer]:
    """Answers of 06 to 08 that the records of one content give; the uses of text and picture on one
    data set, overlap on all of them. Questions without records are left out."""
    own = dict(iter(records[records["dataset"] == dataset].groupby("experiment")))
    found = [
        _text_answer(own[name], where, prefix)
        for name, where, prefix in (
            ("06_native", "random splits, own scale", NATIVE),
            ("06_native_cold", "cold items, own scale", NATIVE),
            ("06_encoders", "random splits, standardised", "BoNMF, "),
            ("06_cold_items", "cold items, standardised", "BoNMF, "),
        )
        if name in own
    ]
    readings = NO_PICTURE, READING_CONTROLS, "BoNMF, "
    for name, (none, controls, prefix), where in (
        ("07_readings", readings, "random splits, by reading"),
        ("07_cold_items", readings, "cold items, by reading"),
        (
            "07_fusions",
            (FUSION_NO_PICTURE, FUSION_CONTROLS, "Fusion, "),
            "random splits, by fusion",
        ),
    ):
        if name in own:
            table = picture_evidence(own[name], "mse", none, controls, prefix)
            found.append(
                Answer("picture", "no picture", where, (picture_sentence(table, where),), table)
            )
    resolved = records[records["experiment"].str.startswith("08_resolve_")]
    for (name, experiment), group in resolved.groupby(["dataset", "experiment"], sort=False):
        found.append(
            _overlap_answer(
                group, f"{shown_name(name)}, {_PLACES[experiment.removeprefix('08_resolve_')]}"
            )
        )
    return found


def _text_answer(records: pd.DataFrame, where: str, prefix: str) -> Answer:
    reference = "minilm-l6"
    table = text_equivalences(records, "mse", row_of(records, prefix + reference), prefix)
    said = (
        equivalence_sentence(table, f"MSE on {where}", reference, MARGIN),
        swap_sentence(table, MARGIN, where),
    )
    return Answer("text", reference, where, said, table, drawn=prefix == NATIVE)


def _overlap_answer(records: pd.DataFrame, where: str) -> Answer:
    plain = row_of(records, FUSION_PLAIN)
    mse, ndcg = (
        short_names(differences(records, metric, plain), "Fusion, ")
        for metric in ("mse", "ndcg@10")
    )
    heard = picture_evidence(records, "mse", FUSION_NO_PICTURE, OVERLAP_CONTROLS, "Fusion, ")
    said = resolution_sentence(mse, "MSE", where), resolution_sentence(ndcg, "NDCG@10", where)
    nothing = (heard.loc[~heard["control"], "verdict"] == "not shown to help").all()
    telling = sum(not ways_told_apart(table).empty for table in (mse, ndcg))
    said = (*said, picture_sentence(heard, where))
    return Answer(
        "overlap", "concatenation", where, said, mse, bool(nothing and not telling), 2, telling
    )


def families_sentence(found: Sequence[Answer]) -> str:
    """How many families of tests of ways to take overlap out told any apart, beside what chance
    alone would do."""
    families, telling = (
        sum(answer.families for answer in found),
        sum(answer.telling for answer in found),
    )
    return (
        f"Of {families} families of adjusted tests of ways to take overlap out "
        f"(data set, kind of split and metric), in {telling} some way differs clearly; "
        "were there nothing to find and were they independent, "
        f"at least one would with probability {chance_of_any(families):.2f}."
    )


def chance_of_any(families: int) -> float:
    """Probability that at least one of so many independent families of tests tells something where
    there is nothing."""
    return 1 - (1 - LEVEL) ** families
