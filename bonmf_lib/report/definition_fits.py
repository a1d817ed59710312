"""Which definitions of Precision@K and NDCG are consistent with a paper's printed column. Works on
tables only.

A table of values has one row per definition (index: :class:`MetricDefinition`, or its label) and
one column per model row of the paper. A near definition is evidence of how a number may have come
about, not proof.
"""

from collections.abc import Sequence
from itertools import permutations
from math import factorial

import numpy as np
import pandas as pd

from ..errors import RecordError
from ..evaluation import holm
from ..evaluation.definitions import definition_grid

TOLERANCE = 0.02  # relative: closer than this to a printed value counts as agreeing with it
FIELDS = ("metric", "k", "threshold", "candidates", "averaging", "variant", "empty", "gain")
# what precision and NDCG of one evaluation have in common
SHARED = (
    "k",
    "threshold",
    "candidates",
    "averaging",
)


def fit_to_paper(
    values: pd.DataFrame, paper: pd.Series, tolerance: float = TOLERANCE
) -> pd.DataFrame:
    """Distance of every definition to the paper's column, over the model rows that both have.

    Returns:
        index definition (label), nearest first, undefined ones last; columns: the definition's
        ``FIELDS`` (k, threshold NaN = none), ``rmse``, ``largest`` (absolute) and ``largest_at``
        (its row), ``spearman`` (NaN for a constant), ``within`` (rows closer than ``tolerance``,
        relative), ``rows``, ``rmse_as_set`` (both columns sorted: level and spread alone),
        ``distinct`` (False: a nearer or earlier one has the same values).
    """
    ours, printed = _aligned(values, paper)
    error = ours.to_numpy() - printed.to_numpy()
    worst = np.abs(error)
    fits = pd.DataFrame([{name: getattr(d, name) for name in FIELDS} for d in ours.index])
    fits = fits.astype({"k": float, "threshold": float, "empty": float})
    fits["rmse"] = np.sqrt(np.mean(error**2, axis=1))
    fits["largest"] = worst.max(axis=1)
    fits["largest_at"] = ours.columns.to_numpy()[np.nan_to_num(worst, nan=-1.0).argmax(axis=1)]
    fits["spearman"] = _spearman(ours, printed)
    fits["within"] = (worst <= tolerance * np.abs(printed.to_numpy())).sum(axis=1)
    fits["rows"] = len(printed)
    fits["rmse_as_set"] = np.sqrt(
        np.mean((np.sort(ours.to_numpy(), axis=1) - np.sort(printed)) ** 2, axis=1)
    )
    fits.index = pd.Index([d.label for d in ours.index], name="definition")
    order = np.argsort(fits["rmse"].to_numpy(), kind="stable")
    fits = fits.iloc[order]
    fits["distinct"] = ~pd.DataFrame(ours.to_numpy()[order]).round(12).duplicated().to_numpy()
    return fits


def order_evidence(
    values: pd.DataFrame, paper: pd.Series, draws: int = 5040
) -> tuple[float, float]:
    """Whether the paper's values belong to their rows: reordered, would they be met as closely?

    The paper's column is permuted over the rows (all orders up to 7 rows, ``draws`` random ones
    beyond). Under each order the nearest definition is chosen anew, so the choice among many
    definitions is paid for. Definitions that are constant over the rows are left out: they meet
    every order alike.

    Returns:
        rmse of the nearest definition; share of orders whose nearest definition is at least as near
        (a p-value). NaN and 1 where every definition is constant.
    """
    ours, printed = _aligned(values, paper)
    ours, printed = ours.dropna().to_numpy(), printed.to_numpy()
    ours = ours[np.ptp(ours, axis=1) > 1e-12]
    if not len(ours):
        return float("nan"), 1.0
    n = len(printed)
    if factorial(n) <= draws:
        orders = np.array(list(permutations(range(n))))
    else:
        random = np.random.default_rng(0)
        orders = np.array([np.arange(n), *(random.permutation(n) for _ in range(draws - 1))])
    shuffled = printed[orders]
    mean_squares = (
        np.mean(ours**2, axis=1)[:, None] + np.mean(printed**2) - 2 * ours @ shuffled.T / n
    )
    # of the definitions, per order; the first order is the paper's own
    nearest = mean_squares.min(axis=0)
    return float(np.sqrt(max(nearest[0], 0.0))), float(np.mean(nearest <= nearest[0] + 1e-12))


def joint_fit(precision: pd.DataFrame, ndcg: pd.DataFrame) -> pd.DataFrame:
    """Pairs of definitions that one evaluation could have used for both columns.

    They share K, threshold, candidates and averaging; graded gains have no threshold and go with
    any.

    Args:
        precision, ndcg: from :func:`fit_to_paper`.

    Returns:
        one row per pair, nearest first: ``SHARED``, ``precision`` and ``ndcg`` (labels),
        ``rmse_precision``, ``rmse_ndcg``, ``rmse`` (root mean square of both),
        ``within_precision``, ``within_ndcg``, ``rows``.
    """
    keys = ["k", "candidates", "averaging"]
    kept = [*SHARED, "rmse", "within", "rows"]
    left, right = (
        table[kept].rename_axis(name).reset_index()
        for table, name in ((precision, "precision"), (ndcg, "ndcg"))
    )
    pairs = left.merge(right, on=keys, suffixes=("_precision", "_ndcg"))
    pairs = pairs[
        pairs["threshold_ndcg"].isna() | (pairs["threshold_ndcg"] == pairs["threshold_precision"])
    ]
    pairs = pairs.rename(columns={"threshold_precision": "threshold", "rows_precision": "rows"})
    pairs["rmse"] = np.sqrt((pairs["rmse_precision"] ** 2 + pairs["rmse_ndcg"] ** 2) / 2)
    wanted = [
        "precision",
        "ndcg",
        *SHARED,
        "rmse",
        "rmse_precision",
        "rmse_ndcg",
        "within_precision",
        "within_ndcg",
    ]
    return pairs.sort_values("rmse", kind="stable")[[*wanted, "rows"]].reset_index(drop=True)


def fit_sentence(fits: pd.DataFrame, name: str, tolerance: float = TOLERANCE) -> str:
    """How many definitions agree with the paper's column, and which is nearest, computed from the
    table.

    Args:
        fits: from :func:`fit_to_paper`.
        name: of the column, e.g. ``Precision@K``.
    """
    defined = fits[fits["distinct"] & fits["rmse"].notna()]
    if defined.empty:
        return f"{name}: no definition has a value on every row; nothing can be said."
    rows, near = int(fits["rows"].iloc[0]), defined.iloc[0]
    agreeing = int((defined["within"] == rows).sum())
    count = "None" if agreeing == 0 else "All" if agreeing == len(defined) else str(agreeing)
    rank = f"rank correlation {near['spearman']:.2f}"
    if pd.isna(near["spearman"]):
        rank = "the same value on every row, so it tells none apart"
    return (
        f"{name}: {count} of the {len(defined)} definitions with distinct values "
        f"{'comes' if agreeing == 1 else 'come'} within {tolerance:.0%} of the paper "
        f"on all {rows} rows. Nearest is {defined.index[0]}: rmse {near['rmse']:.4f}, "
        f"at most {near['largest']:.4f} away ({near['largest_at']}), "
        f"{near['within']} of {rows} rows within {tolerance:.0%}, {rank}."
    )


def joint_sentence(precision: pd.DataFrame, ndcg: pd.DataFrame) -> str:
    """Whether one K, threshold, candidate set and averaging serve both columns, computed from the
    two tables."""
    pairs = joint_fit(precision, ndcg)
    pairs = pairs[pairs["rmse"].notna()]
    if pairs.empty:
        return (
            "No definition of Precision@K shares its choices with one of NDCG; "
            "nothing can be said of both at once."
        )
    rows, best = int(pairs["rows"].iloc[0]), pairs.iloc[0]
    apart = [name for name in SHARED if not _same(name, precision.iloc[0], ndcg.iloc[0])]
    alone = (
        "The definitions nearest to each column share " + _listed(SHARED)
        if not apart
        else "The definitions nearest to each column differ in " + _listed(apart)
    )
    consistent = pairs[(pairs["within_precision"] == rows) & (pairs["within_ndcg"] == rows)]
    verdict = f"{len(consistent) or 'no'} of {len(pairs)} pairs that share them all"
    return (
        f"{alone}. Of both columns at once, {verdict} {'is' if len(consistent) == 1 else 'are'} "
        f"within {TOLERANCE:.0%} on all {rows} rows; "
        f"the nearest pair is {best['precision']} with {best['ndcg']} "
        f"(rmse {best['rmse_precision']:.4f} and {best['rmse_ndcg']:.4f})."
    )


def evidence_sentences(
    tables: dict[tuple[str, str], pd.DataFrame], paper: pd.DataFrame, level: float = 0.05
) -> list[str]:
    """What :func:`order_evidence` says of each column, in words chosen by its share, adjusted over
    the columns (Holm), and by the largest share when one row of the paper is left out.

    Args:
        tables: of one part of :func:`by_metric`.
    """
    found = [order_evidence(table, paper[column]) for (_, column), table in tables.items()]
    adjusted = holm([share for _, share in found])
    sentences = []
    for ((name, column), table), (rmse, share), p in zip(
        tables.items(), found, adjusted, strict=True
    ):
        rows = [row for row in paper.index if row in table.columns]
        without = (
            {row: order_evidence(table, paper[column].drop(row))[1] for row in rows}
            if len(rows) > 2
            else {}
        )
        row = max(without, key=without.get, default=None)
        verb = "is" if p <= level else "is not"
        sentence = (
            f"{name}: the order of the paper's rows {verb} told from a random one: "
            f"the nearest definition that tells rows apart (rmse {rmse:.4f}) "
            f"is matched by {share:.1%} of the orders of the paper's values over the rows "
            f"(adjusted for {len(found)} columns: {p:.1%}"
        )
        sentences.append(
            sentence + (f"; without the row {row}: {without[row]:.0%})." if row else ").")
        )
    return sentences


def _aligned(values: pd.DataFrame, paper: pd.Series) -> tuple[pd.DataFrame, pd.Series]:
    """Both on the shared model rows, the index as definitions."""
    shared = [model for model in paper.index if model in values.columns]
    if not shared:
        raise RecordError("The table of values has no model row of the paper.")
    known = (
        {d.label: d for d in definition_grid()}
        if any(isinstance(d, str) for d in values.index)
        else {}
    )
    unknown = [d for d in values.index if isinstance(d, str) and d not in known]
    if unknown:
        raise RecordError(f"Not a definition of the grid: {unknown[0]!r}.")
    index = pd.Index(
        [known.get(d, d) if isinstance(d, str) else d for d in values.index], dtype=object
    )
    return values[shared].set_axis(index).astype(float), paper[shared].astype(float)


def _spearman(values: pd.DataFrame, paper: pd.Series) -> np.ndarray:
    """Rank correlation (definitions,) over the rows, ties at their mean rank; NaN for a constant or
    undefined one."""
    ranks, printed = values.round(12).rank(axis=1).to_numpy(), paper.rank().to_numpy()
    ranks, printed = ranks - ranks.mean(axis=1, keepdims=True), printed - printed.mean()
    scale = np.sqrt((ranks**2).sum(axis=1) * (printed**2).sum())
    return np.divide(ranks @ printed, scale, out=np.full(len(ranks), np.nan), where=scale > 0)


def _same(name: str, precision: pd.Series, ndcg: pd.Series) -> bool:
    ours, theirs = precision[name], ndcg[name]
    return ours == theirs or (pd.isna(theirs) and (name == "threshold" or pd.isna(ours)))


def _listed(names: Sequence[str]) -> str:
    words = [{"k": "K"}.get(name, name) for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


# names here and in claims.yaml
COLUMNS = {
    "precision": ("Precision@K", "precision@10"),
    "ndcg": ("NDCG", "ndcg@10"),
}


def by_metric(values: dict[str, pd.DataFrame]) -> dict[str, dict[tuple[str, str], pd.DataFrame]]:
    """Readings (index label) by part, split into the paper's two columns, each by its name and its
    key in the paper's table; the parts with own ratings come first. ``test`` joins own ratings and
    all items, which one evaluation of the test part could have used."""
    parts = {"test": pd.concat([values["test"], values["all items"]]), "train": values["train"]}
    metric_of = {d.label: d.metric for d in definition_grid()}
    return {
        part: {
            name: table[table.index.map(metric_of) == metric] for metric, name in COLUMNS.items()
        }
        for part, table in parts.items()
    }


def fits_by_name(
    values: dict[tuple[str, str], pd.DataFrame], paper: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """:func:`fit_to_paper` of each of the paper's columns, by the column's name.

    Args:
        values: of one part of :func:`by_metric`. paper: its table.
    """
    return {name: fit_to_paper(table, paper[column]) for (name, column), table in values.items()}


def fit_sentences(fits: dict[str, pd.DataFrame]) -> list[str]:
    """:func:`fit_sentence` of each column, then :func:`joint_sentence` of both."""
    return [
        *(fit_sentence(fit, name) for name, fit in fits.items()),
        joint_sentence(*fits.values()),
    ]


def part_sentences(
    values: dict[str, dict[tuple[str, str], pd.DataFrame]], paper: pd.DataFrame
) -> list[str]:
    """:func:`fit_sentences` of every part of :func:`by_metric`, indented below the part's name."""
    said = {part: fit_sentences(fits_by_name(tables, paper)) for part, tables in values.items()}
    return [
        line
        for part, lines in said.items()
        for line in (f"[{part}]", *(f"  {line}" for line in lines))
    ]
