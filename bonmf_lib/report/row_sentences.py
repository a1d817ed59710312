"""What rows of tables come to, as sentences chosen by paired differences."""

from collections.abc import Sequence

import pandas as pd

from ..claims.judge import LEAST_SEEDS, LEVEL, better_sign
from ..evaluation import Estimate
from ..evaluation.names import metric_name
from ..experiments.names import row_name
from .relative import percent
from .tables import MAIN_EXPERIMENTS, differences, estimates, plus_minus, told_apart

MEMBERS = r", \d+ members$"  # ends of names of means of several networks
_NO_CONTENT = "BoNMF+, no content"  # no text, no picture, no side fields


def best_sentence(records: pd.DataFrame, metric: str, row: tuple[str, str]) -> str:
    """Whether a row beats every other one, in words chosen by the adjusted p-values and
    intervals."""
    found = differences(records, metric, row)  # other rows minus this one
    beaten = (better_sign(metric) * found["difference"] < 0) & (found["p_holm"] < LEVEL)
    rest, metric = ", ".join(found.index[~beaten]), metric_name(metric)
    if beaten.all():
        return (
            f"{row_name(*row)} is better than each of the other {len(found)} rows in {metric} "
            "(Holm-adjusted p < 0.05)."
        )
    if not beaten.any():
        return (
            f"{row_name(*row)} is better than none of the other {len(found)} rows in {metric} "
            "with certainty."
        )
    count = f"{int(beaten.sum())} of the other {len(found)} rows"
    return (
        f"{row_name(*row)} is better than {count} in {metric}; "
        f"not clearly different from, or worse than: {rest}."
    )


def difference_sentence(
    records: pd.DataFrame, metric: str, row: tuple[str, str], reference: tuple[str, str]
) -> str:
    """What one paired difference says, in words chosen by its interval: a single comparison,
    adjusted for no other."""
    pair = records[records[["variant", "protocol"]].apply(tuple, axis=1).isin([row, reference])]
    found = differences(pair, metric, reference).loc[row_name(*row)]
    estimate = Estimate(found["difference"], found["low"], found["high"], 0)
    ours, theirs = row_name(*row), row_name(*reference)
    metric = metric_name(metric)
    if found["seeds"] < LEAST_SEEDS:
        return (
            f"{ours} and {theirs} have {found['seeds']:.0f} seed(s): "
            f"too few to compare them in {metric}."
        )
    if not estimate.excludes_zero:
        return (
            f"{ours} and {theirs}: the unadjusted interval of the difference in {metric} "
            "includes zero: no clear difference."
        )
    side = "better" if found["favours"] else "worse"
    return (
        f"{ours} is {side} than {theirs}: the unadjusted interval of the difference in {metric} "
        "excludes zero."
    )


def own_model_sentence(records: pd.DataFrame) -> str:
    """Our model, searched and averaged (04) and at its default settings (05); the first of them
    that was run is compared with every row of the tables that is not ours, whatever its protocol,
    on all and on rare items; then what its content adds, if that was run."""
    main, ours = (
        records["experiment"].isin(MAIN_EXPERIMENTS),
        records["variant"].str.startswith("BoNMF+"),
    )
    default = (records["experiment"] == "05_bonmf_plus") & (records["variant"] == "BoNMF+")
    own, others = records[(main & ours) | default], records[main & ~ours]
    if own.empty:
        return "Our own model was not run on this data."
    found = estimates(own.sort_values("experiment", kind="stable"), "mse")
    numbers = ", ".join(f"{name} {plus_minus(row, 3)}" for name, row in found.iterrows())
    key = found["variant"].iloc[0], found["protocol"].iloc[0]
    first = own[(own["variant"] == key[0]) & (own["protocol"] == key[1])]
    sentences = [f"Our own model: {numbers}."]
    for metric in [name for name in ("mse", "mse-cold-items") if (first["metric"] == name).any()]:
        sentences.append(standing_sentence(pd.concat([first, others]), metric, key))
    parts = records[
        (records["experiment"] == "05_bonmf_plus")
        & records["variant"].isin(["BoNMF+", _NO_CONTENT])
    ]
    if parts["variant"].nunique() == 2:
        protocol = parts["protocol"].iloc[0]
        sentences.append(
            difference_sentence(parts, "mse", ("BoNMF+", protocol), (_NO_CONTENT, protocol))
        )
    return " ".join(sentences)


def searched_worse_sentence(records: pd.DataFrame, protocols: tuple[str, str]) -> str:
    """Which rows err more at searched settings than at fixed ones, mean over the splits that both
    have; "" where none does.

    Args:
        protocols: of fixed settings, and of searched ones.
    """
    errors = records[records["metric"] == "mse"].pivot_table(
        "value", ["variant", "seed"], "protocol", sort=False
    )
    if not set(protocols) <= set(errors):
        return ""
    fixed, searched = (errors[list(protocols)].dropna()[name] for name in protocols)
    more = (100 * (searched / fixed - 1)).groupby("variant", sort=False).mean()
    named = ", ".join(f"{name} {percent(gain)}" for name, gain in more[more > 0].items())
    if not named:
        return ""
    said = f"Searched settings have more error than those {protocols[0]} (means, not tested)"
    return f"{said} in: {named}."


def standing_sentence(records: pd.DataFrame, metric: str, row: tuple[str, str]) -> str:
    """How many other rows a row is better and worse than, by Holm-adjusted p-values; the worse ones
    by name."""
    found = differences(records, metric, row)  # other rows minus this one
    told, favours = told_apart(found), found["favours"].astype(bool)
    ahead = ", ".join(found.index[told & favours])
    return (
        f"{row_name(*row)}, {metric_name(metric)}: "
        f"better than {(told & ~favours).sum()} of {len(found)} other rows of all protocols, "
        f"worse than {(told & favours).sum()}{f' ({ahead})' if ahead else ''} "
        "(Holm-adjusted p < 0.05)."
    )


def lowest_sentence(
    records: pd.DataFrame, metric: str, protocols: Sequence[str] = ("as published", "tuned")
) -> str:
    """The best row per protocol, and whether the best tuned one is told apart from every other
    tuned one. Means of several networks are named but not compared: a fair comparison would average
    every row."""
    averaged = records["variant"].str.contains(MEMBERS)
    parts = []
    for protocol in [p for p in protocols if (records["protocol"] == p).any()]:
        found = estimates(
            records[records["protocol"].isin([protocol, "closed form"]) & ~averaged], metric
        )
        parts.append(f"{found['mean'].idxmin()} {found['mean'].min():.3f}")
    sentences = [f"Lowest {metric_name(metric)}: {'; '.join(parts)}."]
    tuned = records[(records["protocol"] == "tuned") & (records["metric"] == metric) & ~averaged]
    means = tuned.groupby("variant")["value"].mean()
    if len(means) > 1:
        sentences.append(best_sentence(tuned, metric, (means.idxmin(), "tuned")))
    for name, found in (
        estimates(records[averaged], metric) if averaged.any() else pd.DataFrame()
    ).iterrows():
        sentences.append(
            f"{name}, a mean of several networks, which no other row is: {found['mean']:.3f}."
        )
    return " ".join(sentences)


def fusion_sentence(records: pd.DataFrame) -> str:
    """Whether fusion, standardised, beats IDs alone under both protocols, and whether IDs alone
    overfit, in words chosen by the paired differences in MSE."""
    fixed, stopped = "as published", "early stopped"
    pairs = [
        (("BoNMF", fixed), ("NMD (ID only)", fixed)),
        (("BoNMF", stopped), ("NMD (ID only)", stopped)),
        (("NMD (ID only)", stopped), ("NMD (ID only)", fixed)),
    ]
    said = [difference_sentence(records, "mse", *pair) for pair in pairs]
    return "\n".join([f"On standardised features: {said[0]}", *said[1:]])
