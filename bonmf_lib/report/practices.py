"""Which practices of training and evaluation reach a paper's printed error: leaks, epochs, initial
weights, solvers of the SVD. Works on tables only."""

import numpy as np
import pandas as pd

from .definition_fits import TOLERANCE


def leak_sentence(curves: pd.DataFrame, paper: float, published_epochs: int) -> str:
    """Which practices of a leak figure reach the paper's value, and when; computed from the
    curves."""
    limit, parts = paper * (1 + TOLERANCE), []
    in_time = [
        name for name in curves.columns if (curves[name].loc[:published_epochs] <= limit).any()
    ]
    for name in curves.columns:
        curve = curves[name].dropna()
        lowest, reached = curve.min(), curve.index[curve <= limit]
        at = f"{curve.get(published_epochs, np.nan):.4f} after {published_epochs} epochs"
        verdict = f"from epoch {reached[0]} on" if len(reached) else f"never (at best {lowest:.4f})"
        parts.append(f"{name}: {verdict}, {at}")
    whether = f"reached by: {', '.join(in_time)}" if in_time else "reached by no practice"
    return (
        f"At most {TOLERANCE:.0%} above the paper's {paper:.4f} is, "
        f"within {published_epochs} epochs, {whether}. Each practice: {'; '.join(parts)}."
    )


def spread_by_epoch(curves: pd.DataFrame) -> pd.DataFrame:
    """What initial weights, and what splits, make of an error.

    Args:
        curves: of :func:`bonmf_lib.studies.practices.weight_curves`.

    Returns:
        index epoch; columns mean, lowest, highest, and the standard deviations between initial
        weights on one split (pooled over splits) and between splits (of their means, less what the
        weights' spread puts there).
    """
    groups = curves.groupby(["epoch", "split"])["mse"].agg(["mean", "var", "count"])
    within = groups["var"].groupby("epoch").mean()
    between = (
        groups["mean"].groupby("epoch").var()
        - (groups["var"] / groups["count"]).groupby("epoch").mean()
    )
    table = curves.groupby("epoch")["mse"].agg(["mean", "min", "max"])
    table.columns = ["mean", "lowest", "highest"]
    table["sd between initial weights"], table["sd between splits"] = (
        within**0.5,
        between.clip(lower=0) ** 0.5,
    )
    return table


def spread_sentence(curves: pd.DataFrame, name: str, paper: float) -> str:
    """How far apart initial weights alone put a row's last error, and whether the paper's lies
    among them."""
    last = curves[curves["epoch"] == curves["epoch"].max()]
    ends = last.groupby("split")["mse"].agg(["min", "max"])
    widest = (ends["max"] - ends["min"]).idxmax()
    low, high = ends.loc[widest]
    whole = spread_by_epoch(curves).iloc[-1]
    inside = "inside" if whole["lowest"] <= paper <= whole["highest"] else "outside"
    splits = f", between splits {whole['sd between splits']:.4f}" if len(ends) > 1 else ""
    return (
        f"{name} after {int(curves['epoch'].max())} epochs: "
        f"on split {widest}, {last['weights'].nunique()} initial weights "
        f"give {low:.3f} to {high:.3f}; "
        f"over {len(ends)} splits {whole['lowest']:.3f} to {whole['highest']:.3f}, "
        f"the paper's {paper:.4f} {inside}. "
        "Standard deviation between initial weights "
        f"{whole['sd between initial weights']:.4f}{splits}."
    )


def svd_sentence(table: pd.DataFrame, paper: float, unit: str = "stars") -> str:
    """Which variant of SVD lands nearest to the paper's value, by part, and between which numbers
    of factors a part passes it; computed from the table.

    Args:
        unit: of the ratings, as :class:`~bonmf_lib.datasets.words.Words` has it.
    """
    parts = []
    for part, rows in table.groupby("part", sort=False):
        near = rows.iloc[(rows["mse"] - paper).abs().argmin()]
        fill = f"0 {unit}" if near["centre"] == "none" else f"the mean ({near['centre']})"
        clipped = "clipped" if near["clipped"] else "not clipped"
        same = rows[
            (rows["centre"] == near["centre"]) & (rows["clipped"] == near["clipped"])
        ].sort_values("factors")
        above = same["mse"].to_numpy() > paper
        passed = np.flatnonzero(above[1:] != above[:-1])
        between = [
            f"{same['factors'].iloc[place]} and {same['factors'].iloc[place + 1]}"
            for place in passed
        ]
        passes = f" (passes it between {between[0]} factors)" if between else ""
        parts.append(
            f"{part}: {near['mse']:.3f} with {near['factors']} factors, "
            f"unknown ratings {fill}, {clipped}{passes}"
        )
    filled = table[table["centre"] != "none"]["mse"]
    return (
        f"Of {len(table)} variants, nearest to the paper's {paper:g}: " + "; ".join(parts) + ". "
        f"With unknown ratings at a mean, no variant is above {filled.max():.3f}."
    )


def solver_table(errors: pd.DataFrame) -> pd.DataFrame:
    """MSE by solver, and by what was fitted and scored, over the states of the solver's random
    numbers.

    Args:
        errors: of :func:`bonmf_lib.studies.practices.randomised_svd`.

    Returns:
        index solver; columns (fitted on, scored on); cells ``lowest to highest``, or one number.
    """

    def cell(mse: pd.Series) -> str:
        low, high = f"{mse.min():.4f}", f"{mse.max():.4f}"
        return low if low == high else f"{low} to {high}"

    return errors.pivot_table("mse", "solver", ["fitted", "scored"], aggfunc=cell, sort=False)


def solver_sentence(errors: pd.DataFrame, paper: float) -> str:
    """Which solver's errors include the paper's, over the states of its random numbers, or between
    which solvers it lies, by what was fitted and scored; computed from the table."""
    found = []
    for (fitted, scored), rows in errors.groupby(["fitted", "scored"], sort=False):
        ends = rows.groupby("solver", sort=False)["mse"].agg(["min", "max"]).sort_values("min")
        around = ends[(ends["min"] <= paper) & (paper <= ends["max"])]
        below, above = ends[ends["max"] < paper], ends[ends["min"] > paper]
        if len(around):
            ranges = [
                f"{name} ({end['min']:.4f} to {end['max']:.4f})" for name, end in around.iterrows()
            ]
            said = f"in the range of {' and of '.join(ranges)}"
        elif len(below) and len(above):
            last, first = below.index[-1], above.index[0]
            said = (
                f"between {last} ({below.loc[last, 'max']:.4f}) "
                f"and {first} ({above.loc[first, 'min']:.4f})"
            )
        else:
            near = rows.iloc[(rows["mse"] - paper).abs().argmin()]
            said = f"outside all ranges, nearest {near['mse']:.4f} ({near['solver']})"
        found.append(f"fitted on {fitted}, scored on {scored}: {said}")
    return f"The paper's {paper:g}, by solver: " + "; ".join(found) + "."


def practice_table(
    paper: pd.Series, errors: pd.DataFrame, randomised: pd.DataFrame
) -> pd.DataFrame:
    """Which practice gives each of the paper's errors.

    Args:
        paper: MSE by row. errors: index row, columns ``held out`` and ``in sample``. randomised: of
            :func:`bonmf_lib.studies.practices.randomised_svd`; scikit-learn's default solver of all
            ratings is the SVD that was fitted on what it is tested on.

    Returns:
        index row of the paper; columns paper, held out, in sample, fitted on all ratings (SVD
        only), fits (the practices within 2 % of the paper's value).
    """
    table = errors.reindex(paper.index)
    default = randomised[
        (randomised["solver"] == "5 iterations") & (randomised["fitted"] == "all ratings")
    ]
    table.loc["SVD", "fitted on all ratings"] = default.loc[
        default["scored"] == "test ratings", "mse"
    ].mean()
    near = table.sub(paper, axis=0).abs().le(TOLERANCE * paper, axis=0)
    fits = near.apply(lambda row: ", ".join(row.index[row]) or "none", axis=1)
    table.insert(0, "paper", paper)
    return table.assign(fits=fits).rename_axis("model")


def practice_sentence(table: pd.DataFrame) -> str:
    """Which rows each practice fits, and whether its errors are in the order of the paper's."""
    parts = []
    for practice in table.columns.drop(["paper", "fits"]):
        both = table[["paper", practice]].dropna()
        names = (
            ", ".join(row for row in both.index if practice in table.loc[row, "fits"].split(", "))
            or "no row"
        )
        order = (
            f", rank correlation with the paper {both.corr('spearman').iloc[0, 1]:+.2f}"
            if len(both) > 2
            else ""
        )
        parts.append(f"{practice}: {names} of {len(both)}{order}")
    return f"Within {TOLERANCE:.0%} of the paper's error, by practice: " + "; ".join(parts) + "."
