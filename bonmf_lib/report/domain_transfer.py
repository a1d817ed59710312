"""What texts gain as data get sparser, and content towers on the cold items of other domains."""

from collections.abc import Mapping

import pandas as pd

from ..evaluation import Estimate, holm, mean_interval
from ..evaluation.meta_analysis import random_effects
from ..evaluation.significance import standard_error
from ..experiments.domains import (
    CONTROL,
    IDS,
    TEXT,
    density,
    thinned_name,
    thinnings,
)
from ..runs.run import Run
from ..splits.rules import Ratio
from ..studies.transfer import GLOBAL_MEAN, ITEM_MEAN, OTHERS, OWN, USER_MEAN
from .domains import (
    HARMS,
    HELPS,
    OPEN,
    OVER_IDS,
    OVER_SHUFFLED,
    WARM,
    by_row,
    domain_gains,
    percent_gain,
    shown,
)
from .tables import LEAST_SEEDS, LEVEL

CONTROL_OVER_IDS = f"{CONTROL} over {OVER_IDS}"


# Thinned data


def thinned_gains(
    runs: Mapping[str, Run],
    thinned: Mapping[str, pd.DataFrame],
    whole: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    """What texts gain by how many pairs are known, on the data sets that were thinned.

    Args:
        thinned, whole: records of thinned and of whole data by data set.

    Returns:
        columns data, known (share of pairs), per_user (training ratings of a user, mean), over (one
        of ``OVER``, or ``CONTROL_OVER_IDS``: what other items' texts gain), mean, low, high (in
        percent), seeds; sparsest first within a data set.
    """
    rows = []
    for name, records in thinned.items():
        run = runs[name]
        ratings, own = run.dataset.ratings, density(run)
        trained = (1 - Ratio().test) * len(ratings) / ratings["user"].nunique()
        parts = {own: (whole[name], "", 1.0)}
        for known, rule in thinnings(run).items():
            parts[known] = records, thinned_name("", known), rule.keep
        for known, (found, suffix, keep) in sorted(parts.items()):
            terms = {"data": name, "known": known, "per_user": keep * trained}
            rows += [terms | row for row in _of_density(found, name, suffix)]
    columns = ["data", "known", "per_user", "over", "mean", "low", "high", "seeds"]
    return pd.DataFrame(rows, columns=columns)


def _of_density(records: pd.DataFrame, name: str, suffix: str) -> list[dict]:
    found = {one.over: one.found for one in domain_gains(records, name, TEXT, WARM, suffix)}
    values, share = by_row(records)
    control, ids = (values.get(f"{row}{suffix}") for row in (TEXT.control, IDS))
    if control is not None and ids is not None:
        found[CONTROL_OVER_IDS] = percent_gain(control, ids, share)
    return [
        {"over": over, "mean": one.mean, "low": one.low, "high": one.high, "seeds": one.n}
        for over, one in found.items()
    ]


def thinned_sentences(table: pd.DataFrame) -> str:
    """A line per data set: what text gains over IDs, and over other items' texts, on the sparsest
    and on the whole data."""
    lines = []
    for name, own in table.groupby("data", sort=False):
        ends = {
            over: (by_density.iloc[0], by_density.iloc[-1])
            for over, by_density in own.groupby("over", sort=False)
        }
        first, last = ends[OVER_IDS]
        if first["seeds"] < LEAST_SEEDS:
            lines.append(f"{name}: {first['seeds']} seeds, too few to tell.")
            continue
        rival = ends.get(OVER_SHUFFLED)
        control = f"; over shuffled {_compared(*rival)}" if rival else ""
        lines.append(
            f"{name}: text gains over IDs {_span(first)} with {100 * first['known']:.2g} % of "
            f"pairs known, {_span(last)} with {100 * last['known']:.2g} %: {_compared(first, last)}"
            f"{control}."
        )
    return "\n".join(lines) or "No data set is denser than those that it would be thinned to."


def _compared(first: pd.Series, last: pd.Series) -> str:
    apart = first["low"] > last["high"] or first["high"] < last["low"]
    side = "more" if first["mean"] > last["mean"] else "less"
    return f"clearly {side}" if apart else "no clear difference"


def _span(row: pd.Series) -> str:
    return f"{row['mean']:+.1f} % ({row['low']:+.1f} to {row['high']:+.1f})"


# Towers on other domains


def tower_gains(transferred: pd.DataFrame) -> pd.DataFrame:
    """What towers gain over the user's mean on cold items, and over themselves on other items'
    texts.

    Args:
        transferred: of :func:`~bonmf_lib.studies.transfer.transferred`.

    Returns:
        columns target, source, over (``USER_MEAN`` or ``shuffled``), mean, low, high (percent of
        that error), p_value, p_holm (over all rows of one ``over``), seeds, correlation (mean over
        seeds).
    """
    means = transferred[transferred["model"] == USER_MEAN].set_index(["target", "seed"])["mse"]
    rows = []
    asked = transferred[transferred["source"] != ""]
    for (target, source), own in asked.groupby(["target", "source"], sort=False):
        by_model = {model: group.set_index("seed") for model, group in own.groupby("model")}
        tower, share = by_model["tower"], float(own["share"].mean())
        rivals = {USER_MEAN: means[target], CONTROL: by_model[CONTROL]["mse"]}
        for over, theirs in rivals.items():
            found = percent_gain(tower["mse"], theirs, share)
            rows.append({
                "target": target, "source": source, "over": over, "mean": found.mean,
                "low": found.low, "high": found.high, "p_value": found.p_value, "seeds": found.n,
                "correlation": tower["correlation"].mean(),
            })  # fmt: skip
    table = pd.DataFrame(
        rows,
        columns=["target", "source", "over", "mean", "low", "high", "p_value", "seeds",
                 "correlation"],
    )  # fmt: skip
    adjusted = table.groupby("over")["p_value"].transform(lambda p: holm(p.tolist()))
    table.insert(table.columns.get_loc("p_value") + 1, "p_holm", adjusted.astype(float))
    return table


def transfers(gains: pd.DataFrame) -> pd.DataFrame:
    """One row per target and source: both gains with intervals (percent), the rank correlation, and
    a verdict: ``HELPS`` where the tower beats both the user's mean and itself on other items'
    texts, ``HARMS`` where it is worse than the mean, both by adjusted p-values."""
    rows = {}
    for (target, source), own in gains.groupby(["target", "source"], sort=False):
        by_over = own.set_index("over")
        told = (by_over["p_holm"] < LEVEL) & (by_over["seeds"] >= LEAST_SEEDS)
        rows[target, source] = {
            **{f"over {over}, %": _cell(row) for over, row in by_over.iterrows()},
            "rank correlation": round(float(by_over["correlation"].iloc[0]), 2),
            "verdict": _verdict(told, by_over["mean"]),
        }
    index = pd.MultiIndex.from_tuples(list(rows), names=["cold items of", "tower from"])
    return pd.DataFrame(list(rows.values()), index)


def _cell(row: pd.Series) -> str:
    return shown(Estimate(row["mean"], row["low"], row["high"], row["seeds"]))


def _verdict(told: pd.Series, means: pd.Series) -> str:
    if (told & (means > 0)).all():
        return HELPS
    return HARMS if told[USER_MEAN] and means[USER_MEAN] < 0 else OPEN


def baseline_table(transferred: pd.DataFrame) -> pd.DataFrame:
    """Mean error on cold items by target: of the means, of the domain's own tower, and of the tower
    from all others where there are several; 1 is the variance of the training ratings."""
    shown_as = {
        (GLOBAL_MEAN, ""): GLOBAL_MEAN,
        (USER_MEAN, ""): USER_MEAN,
        (ITEM_MEAN, ""): f"user and {ITEM_MEAN} (sees test ratings)",
        ("tower", OWN): "own tower",
        ("tower", OTHERS): "tower from all others",
    }
    columns = {}
    for (model, source), title in shown_as.items():
        own = transferred[(transferred["model"] == model) & (transferred["source"] == source)]
        columns[title] = {
            target: _error(group) for target, group in own.groupby("target", sort=False)
        }
    return pd.DataFrame(columns).dropna(axis=1, how="all").fillna("").rename_axis("cold items of")


def _error(rows: pd.DataFrame) -> str:
    found = mean_interval(rows["mse"].to_numpy(), float(rows["share"].mean()))
    span = "" if pd.isna(found.low) else f" ± {(found.high - found.low) / 2:.3f}"
    return f"{found.mean:.3f}{span}"


def transfer_sentences(gains: pd.DataFrame, transferred: pd.DataFrame) -> str:
    """How often towers hold at home and elsewhere, and what those from all others gain over the
    data sets."""
    if gains.empty:
        return "No two data sets have texts that one encoder reads in the same way."
    judged = transfers(gains).reset_index()
    lines = []
    for home, words in ((True, "At home"), (False, "On another domain")):
        own = judged[(judged["tower from"] == OWN) == home]
        if len(own):
            helped, harmed = ((own["verdict"] == word).sum() for word in (HELPS, HARMS))
            lines.append(
                f"{words}, {helped} of {len(own)} towers beat the user's mean and shuffled texts; "
                f"{harmed} do worse than the mean."
            )
    if gains["seeds"].max() < LEAST_SEEDS:
        lines.append(f"{gains['seeds'].max()} seeds are too few to tell any of them.")
    return "\n".join([*lines, *_pooled(transferred)])


def _pooled(transferred: pd.DataFrame) -> list[str]:
    """The mean gain of towers from all others over the user's mean, with its interval."""
    means = transferred[transferred["model"] == USER_MEAN].set_index(["target", "seed"])["mse"]
    lines = []
    for source, words in ((OWN, "at home"), (OTHERS, "on all other data")):
        asked = transferred[(transferred["source"] == source) & (transferred["model"] == "tower")]
        found = [
            percent_gain(own.set_index("seed")["mse"], means[target], float(own["share"].mean()))
            for target, own in asked.groupby("target", sort=False)
        ]
        summary = random_effects([one for one in found if standard_error(one) > 0])
        if summary is not None:
            effect = summary.effect
            lines.append(
                f"Towers learned {words} gain {effect.mean:+.1f} % ({effect.low:+.1f} to "
                f"{effect.high:+.1f}) over the user's mean, on average over {effect.n} data sets."
            )
    return lines
