"""Tables for readers, made from records: means with intervals, paired differences, the papers'
values."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..claims.judge import LEAST_SEEDS, LEVEL, LOWER_IS_BETTER, NOT_TOLD, SEEDS_ONLY, better_sign
from ..claims.reading import claims_by_id, read_claims
from ..errors import RecordError
from ..evaluation import Estimate, holm, mean_interval, paired_difference, percent_better
from ..evaluation.names import metric_name
from ..experiments.names import row_name
from ..runs.records import comparable, interval_share, values_by_seed

# whose rows the report lists one by one
MAIN_EXPERIMENTS = (
    "03_model_training",
    "04_table1",
    "04_tuned",
)


def estimates(records: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean, low, high (95 %, corrected for overlapping splits), seeds, variant and protocol per
    row, in order of appearance."""
    chosen = comparable(records[records["metric"] == metric])
    rows = {}
    for (variant, protocol), group in chosen.groupby(["variant", "protocol"], sort=False):
        found = mean_interval(group["value"].to_numpy(), interval_share(group))
        rows[row_name(variant, protocol)] = {
            "mean": found.mean, "low": found.low, "high": found.high, "seeds": found.n,
            "variant": variant, "protocol": protocol,
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def metric_table(records: pd.DataFrame, metrics: dict[str, str], digits: int = 3) -> pd.DataFrame:
    """One row per model, one column per metric with ``mean ± half-width`` of the 95 % interval.

    Args:
        metrics: column title by metric name; one that no row has is left out. Seconds of training
        are always added.
    """
    columns = {}
    measured = set(records["metric"])
    for metric, title in (
        (metric, title) for metric, title in metrics.items() if metric in measured
    ):
        found = estimates(records, metric)
        columns[title] = found.apply(lambda row: plus_minus(row, digits), axis=1)
    seconds = (
        comparable(records)
        .drop_duplicates(["variant", "protocol", "seed"])
        .groupby(["variant", "protocol"], sort=False)
    )
    means = seconds["seconds"].mean()
    columns["training, s"] = pd.Series(
        {row_name(*key): f"{value:.1f}" for key, value in means.items()}
    )
    return pd.DataFrame(columns).fillna("").rename_axis("model")


def plus_minus(row: pd.Series, digits: int) -> str:
    """A row of :func:`estimates`: its mean, and half its interval."""
    return _shown(Estimate(row["mean"], row["low"], row["high"], row["seeds"]), digits)


def _shown(found: Estimate, digits: int) -> str:
    text = f"{found.mean:.{digits}f}"
    return text if found.n < LEAST_SEEDS else f"{text} ± {(found.high - found.low) / 2:.{digits}f}"


def gain_cell(gain: Estimate) -> str:
    """A gain in percent, with its interval if it is over at least three seeds."""
    span = f" [{gain.low:+.1f}, {gain.high:+.1f}]" if gain.n >= LEAST_SEEDS else ""
    return f"{gain.mean:+.1f}{span}"


def differences(records: pd.DataFrame, metric: str, reference: tuple[str, str]) -> pd.DataFrame:
    """Paired difference of every row to the reference row (variant, protocol) over the same seeds.

    Returns:
        index model; columns difference, low, high (95 %), percent (of the reference's mean), effect
        (difference over the standard deviation of the differences, Cohen's d_z), p_value, p_holm
        (adjusted over the rows), favours (whether the mean does the row), seeds.
    """
    groups, share = values_by_seed(records, metric)
    rows = {}
    for key, values in groups.items():
        if key == reference:
            continue
        ours, theirs = values.align(groups[reference], join="inner")
        found = paired_difference(ours.to_numpy(), theirs.to_numpy(), share)
        better = better_sign(metric) * found.mean > 0
        spread = (ours - theirs).std()
        rows[row_name(*key)] = {
            "difference": found.mean, "low": found.low, "high": found.high,
            "percent": 100 * found.mean / theirs.mean(),
            "effect": found.mean / spread if spread > 0 else float("nan"),
            "p_value": found.p_value, "favours": better, "seeds": found.n,
        }  # fmt: skip
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")
    table.insert(table.columns.get_loc("p_value") + 1, "p_holm", holm(table["p_value"].tolist()))
    return table


def beside_controls(records: pd.DataFrame, metric: str, endings: Sequence[str]) -> pd.DataFrame:
    """Every row that has controls, beside them, on the seeds that all of them have: what it gains
    over each is what its content tells.

    Args:
        endings: of the controls' names, ``<row>, <ending>``.

    Returns:
        index model; columns ``real`` and the endings with ``mean ± half-width``, then by how much
        real content is better than each control, in percent with its 95 % interval.
    """
    values, share = values_by_seed(records, metric)
    lower_is_better, rows = metric in LOWER_IS_BETTER, {}
    for (variant, protocol), own in values.items():
        keys = {ending: (f"{variant}, {ending}", protocol) for ending in endings}
        controls = {ending: values[key] for ending, key in keys.items() if key in values}
        if not controls:
            continue
        both = pd.DataFrame({"real": own, **controls}).dropna()
        cells = {name: _shown(mean_interval(both[name].to_numpy(), share), 4) for name in both}
        for ending in controls:
            better = percent_better(both["real"], both[ending], lower_is_better)
            gain = mean_interval(better, share)
            cells[f"better than {ending}, %"] = gain_cell(gain)
        rows[row_name(variant, protocol)] = cells
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def told_apart(table: pd.DataFrame) -> pd.Series:
    """Which rows of :func:`differences` differ from the reference: adjusted p < 0.05 over at least
    three seeds."""
    return (table["p_holm"] < LEVEL) & (table["seeds"] >= LEAST_SEEDS)


def side_by_side(
    records: pd.DataFrame, metric: str, protocols: Sequence[str], paper: pd.DataFrame
) -> pd.DataFrame:
    """One row per variant: the paper's value and ours under each protocol, ``mean ± half-width`` of
    the 95 % interval.

    A variant without training (closed form) stands in the first protocol's column.
    """
    rows = comparable(records)
    rows = rows.assign(protocol=rows["protocol"].replace("closed form", protocols[0]))
    rows = rows[rows["protocol"].isin(protocols) & (rows["metric"] == metric)]
    cells = {}
    for (variant, protocol), group in rows.groupby(["variant", "protocol"], sort=False):
        found = mean_interval(group["value"].to_numpy(), interval_share(group))
        cells[variant, protocol] = _shown(found, 4)
    variants = rows["variant"].drop_duplicates()
    table = pd.DataFrame(
        {p: [cells.get((v, p), "") for v in variants] for p in protocols}, index=variants
    )
    table.insert(
        0, "paper", [f"{paper.loc[v, metric]:.4f}" if v in paper.index else "" for v in variants]
    )
    return table.rename_axis("model")


def chosen_settings(trials: pd.DataFrame, metric: str = "mse") -> pd.DataFrame:
    """Per row of a search: its settings with the best value on validation, that value, and how many
    trials ended how.

    Args:
        trials: of one seed; columns variant, params (JSON), state, value, best_epoch. metric: what
            the searches watched; a ranking's is better when higher.
    """
    out, errs = {}, metric in LOWER_IS_BETTER
    for variant, group in trials.groupby("variant", sort=False):
        done = group[group["state"] == "COMPLETE"]
        values = done["value"].astype(float)
        best = done.loc[values.idxmin() if errs else values.idxmax()]
        params = json.loads(best["params"])
        settings = ", ".join(
            f"{name.partition('.')[2]} = {_short(value)}" for name, value in params.items()
        )
        out[variant] = {
            "settings": settings, "epochs": best["best_epoch"],
            f"validation {metric_name(metric)}": round(float(best["value"]), 4),
            "trials": len(group), "pruned": int((group["state"] == "PRUNED").sum()),
        }  # fmt: skip
    return pd.DataFrame(out).T.rename_axis("model")


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def search_curves(trials: pd.DataFrame, seed: int) -> pd.DataFrame:
    """One seed's trials for a figure: model, trial (from 0), value, best (lowest value so far)."""
    rows = trials[trials["seed"] == seed].rename(columns={"variant": "model", "number": "trial"})
    rows = rows.drop_duplicates(["model", "trial"]).astype({"value": float})
    return rows.assign(best=rows.groupby("model")["value"].cummin())[
        ["model", "trial", "value", "best"]
    ]


def by_subset(
    records: pd.DataFrame, variants: dict[frozenset[str], Any], metric: str
) -> list[dict]:
    """Per seed, the metric of the row that stands for each subset: what Shapley values are made
    from.

    Raises:
        RecordError: a subset has no row of a seed, or there are no records at all.
    """
    rows = records[records["metric"] == metric].set_index(["variant", "seed"])["value"]
    seeds = rows.index.unique("seed")
    lacking = [
        variant.name
        for variant in variants.values()
        for seed in seeds
        if (variant.name, seed) not in rows
    ]
    if lacking or not len(seeds):
        missing = f"the row {lacking[0]!r} lacks a seed" if lacking else "there are none"
        raise RecordError(
            f"Subsets of inputs need records of {metric} of every subset and seed; {missing}."
        )
    return [
        {subset: rows[variant.name, seed] for subset, variant in variants.items()} for seed in seeds
    ]


def shapley_sentence(table: pd.DataFrame, metric: str) -> str:
    """Which inputs improve a metric and which hurt it, by the tests of
    :func:`~bonmf_lib.evaluation.shapley.shapley_table`, Holm-adjusted over the inputs."""
    values = table[table["kind"] == "value"]
    gain, told = values["mean"] * better_sign(metric), values["p_holm"] < LEVEL
    found = {
        "improves": told & (gain > 0),
        "worsens": told & (gain < 0),
        "is not told from zero": ~told,
    }
    parts = [
        f"{', '.join(values.index[rows])}: {what}" for what, rows in found.items() if rows.any()
    ]
    return (
        f"{metric_name(metric)}, share of each input in the gain over nothing: "
        + "; ".join(parts)
        + "."
    )


def last_step_sentence(per_seed: list[dict], metric: str, test_share: float) -> str:
    """What each input adds to all the others, in words chosen by the paired differences over seeds,
    Holm-adjusted.

    Args:
        per_seed: of :func:`by_subset`.
    """
    everything = max(per_seed[0], key=len)
    sign, gains = better_sign(metric), {}
    for player in sorted(everything):
        pairs = [(values[everything], values[everything - {player}]) for values in per_seed]
        gains[player] = paired_difference(
            *(sign * np.array(side) for side in zip(*pairs, strict=True)), test_share
        )
    parts = []
    for (player, gain), p in zip(
        gains.items(), holm([gain.p_value for gain in gains.values()]), strict=True
    ):
        side = "improves" if gain.mean > 0 else "worsens"
        parts.append(f"{player}: {side if p < LEVEL else 'is not told from zero'}")
    return f"{metric_name(metric)}, added to the other inputs: " + "; ".join(parts) + "."


def paper_values(table: str) -> pd.DataFrame:
    """A paper's table out of ``claims.yaml``: one row per variant of ours, one column per
    metric."""
    cells = [
        claim
        for claim in read_claims()
        if claim.kind == "value" and claim.id.startswith(f"{table}: ")
    ]
    frame = pd.DataFrame(
        [(cell.variant, cell.metric, cell.value) for cell in cells],
        columns=["model", "metric", "value"],
    )
    order = frame["model"].unique()
    wide = frame.set_index(["model", "metric"])["value"].unstack()  # noqa: PD010 - one value per cell, nothing to pool
    return wide.loc[order, frame["metric"].unique()].rename_axis(columns=None)


def interpret(table: pd.DataFrame, *claims: str) -> str:
    """One sentence per data set for each claim of the ledger, chosen by its verdict; a line per
    claim."""
    return "\n".join(_interpreted(table[table["claim"] == claim]) for claim in claims)


def _interpreted(rows: pd.DataFrame) -> str:
    sentences = []
    for row in rows.itertuples():
        said = (
            _SENTENCES[row.verdict]
            if row.verdict != "not testable on this data"
            else _untestable(row)
        )
        sentences.append(
            said.format(
                claim=row.claim, data=f"{row.dataset}, content {row.content}", why=_why(row)
            )
            + (_OVER_SEEDS if row.across == SEEDS_ONLY else "")
        )
    return " ".join(sentences)


def _why(row) -> str:
    """What holds where a claim is not reproduced, by the ledger's own test of it."""
    claim = claims_by_id()[row.claim]
    if claim.kind == "value":
        return f"ours, {row.ours:.4f}, is {'higher' if row.ours > claim.value else 'lower'}"
    if claim.kind == "equivalent":
        inside = row.verdict == "direction only"
        return (
            "all means are inside the margin, not all intervals"
            if inside
            else "the means of a pair differ by more"
        )
    return not_certain(row) or _QUALIFIERS.get(row.qualifier, "")


def not_certain(row) -> str:
    """Of a comparison in the ledger whose own interval leaves out zero and whose adjusted test does
    not tell it: that, in words; "" of others."""
    if row.qualifier == NOT_TOLD and (row.low > 0 or row.high < 0):
        return "its own interval leaves out zero, which is not certain among many tests"
    return ""  # NaN leaves out nothing


def _untestable(row) -> str:
    claim = claims_by_id()[row.claim]
    if claim.untestable:
        return f"{{claim}}: cannot be judged. {claim.untestable}"
    if row.dataset.startswith("ml-"):
        return _SENTENCES[row.verdict]
    return f"{{claim}}: cannot be judged on {{data}}; it is about {' and '.join(claim.datasets)}."


_OVER_SEEDS = " Told over seeds only, which are initialisations of one split, not across users."
_QUALIFIERS = {
    "reversed": "the opposite holds",
    "another size": "the sign is the claimed one, the size is not",
    NOT_TOLD: "no difference is told from zero",
}
_SENTENCES = {
    "reproduced": "{claim}: holds on {data}.",
    "inconclusive": "{claim}: the interval on {data} is too wide to tell.",
    "direction only": "{claim}: direction only on {data}; {why}.",
    "not reproduced": "{claim}: not reproduced on {data}; {why}.",
    "not testable on this data": (
        "{claim}: cannot be judged on {data}; it needs other data, or real plots and posters."
    ),
    "not run": "{claim}: was not run on {data}.",
}
