"""Answers to the paper's open questions in words, chosen by verdicts; they read records, published ones or a run's."""

from collections.abc import Sequence

import pandas as pd

from .relative import row_of, short_names
from .tables import differences, told_apart

TEXT_CONTROLS = ("random-text", "minilm-l6-shuffled", "tfidf-shuffled")
NO_TEXT, NO_PICTURE = "BoNMF, no text", "BoNMF, no picture"
FUSION_NO_PICTURE, FUSION_PLAIN, FUSION_SHUFFLED = (
    "Fusion, no picture",
    "Fusion, concatenation",
    "Fusion, shuffled pictures",
)


def swap_sentence(table: pd.DataFrame, margin: float, where: str) -> str:
    """What swapping text encoders means, by the verdicts on the models and on the controls.

    Args:
        table: of :func:`bonmf_lib.study.relative.equivalences`, with short names.
    """
    verdicts = table["verdict"]
    control = verdicts.index.isin([*TEXT_CONTROLS, "no text"])
    controls, models = verdicts[control], verdicts[~control]
    alike = f"{(models == 'equivalent').sum()} of {len(models)} other models are within {margin:g} %"
    if (controls == "equivalent").all():
        return f"On {where} the text hardly matters: every control is within {margin:g} %; {alike}."
    if (controls == "worse").all():
        return f"On {where} the text matters: every control is worse; {alike}."
    if (controls == "undecided").any():
        return f"On {where} it stays undecided whether the text matters: not every control is told apart; {alike}."
    listed = ", ".join(f"{name} is {verdict}" for name, verdict in controls.items())
    return f"On {where} the text is not shown to help: {listed}; {alike}."


def picture_evidence(
    records: pd.DataFrame, metric: str, none: str, controls: Sequence[str], prefix: str
) -> pd.DataFrame:
    """Every use of the picture against no picture and against each control, paired over seeds.

    Args:
        none: the row without a picture. controls: rows whose pictures tell nothing; those that the records lack are
            passed over. prefix: of row names, left out.

    Returns:
        the table of :func:`~bonmf_lib.study.tables.differences` to ``none`` with short names and, besides, verdict:
        *helps* (better than none and than every control, each after Holm), *worse* (than none) or *not shown to help*.
    """
    table = short_names(differences(records, metric, row_of(records, none)), prefix)
    told = told_apart(table)
    helps = told & table["favours"].astype(bool)
    controls = [name for name in controls if (records["variant"] == name).any()]
    for control in controls:
        against = short_names(differences(records, metric, row_of(records, control)), prefix).reindex(table.index)
        better = told_apart(against) & against["favours"].eq(True)
        helps &= better | (table.index == control.removeprefix(prefix))
    table["control"] = table.index.isin([name.removeprefix(prefix) for name in controls])
    table["verdict"] = "not shown to help"
    table.loc[helps & ~table["control"], "verdict"] = "helps"
    table.loc[told & table["favours"].eq(False), "verdict"] = "worse"
    return table


def picture_sentence(table: pd.DataFrame, where: str) -> str:
    """What pictures add, by the verdicts of :func:`picture_evidence`."""
    real = table[~table["control"]]
    helped, worse = (real.index[real["verdict"] == verdict] for verdict in ("helps", "worse"))
    against = "none and than every control" if table["control"].any() else "none"
    words = f"On {where}, {len(helped)} of {len(real)} uses of the picture are better than {against}"
    words += f" ({', '.join(helped)})" if len(helped) else ""
    return words + (f"; worse than none: {', '.join(worse)}." if len(worse) else ".")


def resolution_sentence(table: pd.DataFrame, metric: str, where: str) -> str:
    """Whether taking overlap out helps, by the adjusted tests against plain concatenation.

    Args:
        table: of :func:`bonmf_lib.study.tables.differences`, with short names.
    """
    told = table[told_apart(table)]
    sides = {True: "better", False: "worse"}
    parts = [f"{name} is {sides[bool(row['favours'])]} ({row['percent']:+.1f} %)" for name, row in told.iterrows()]
    return f"{metric} on {where}, against concatenation: {'; '.join(parts) or 'no way is told apart'}."


def limit_sentence(records: pd.DataFrame, epochs: int) -> str:
    """How many trainings were still improving when they ran out of epochs."""
    best = records[records["metric"] == "best_epoch"]
    return (
        f"{(best['value'] >= epochs).sum()} of {len(best)} trainings were best in their last allowed epoch ({epochs})."
    )
