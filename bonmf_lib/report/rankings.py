"""Tables of rankers for figures and sentences: what was told across users, by evaluation."""

from collections.abc import Mapping

import pandas as pd

from ..claims.across_users import intervals
from ..errors import RecordError

# how the evaluation's name begins, by the side that figures call it
SIDES = {"sampled": "given negatives", "full": "full ranking"}


def both_evaluations(
    across: pd.DataFrame, metric: str, sides: Mapping[str, str] = SIDES
) -> pd.DataFrame:
    """Models' means under two evaluations, of those that were run under both.

    Args:
        across: of :func:`~bonmf_lib.claims.across_users.across_users`. metric: of records.
        sides: the evaluation's name, or how it begins, by column.

    Returns:
        index model; columns the sides, and each with ``_low`` and ``_high``, 95 % intervals across
        users and seeds.
    """
    own = across[across["other"].eq("") & across["metric"].eq(metric)]
    columns = {}
    for side, evaluation in sides.items():
        found = intervals(_under(own, evaluation)).drop_duplicates("variant").set_index("variant")
        columns |= {side: found["mean"]}
        columns |= {f"{side}_{end}": found[end] for end in ("low", "high")}
    order = own["variant"].unique()
    return pd.DataFrame(columns).reindex(order).dropna(subset=list(sides)).rename_axis("model")


def pair_intervals(
    across: pd.DataFrame, metric: str, sides: Mapping[str, str] = SIDES
) -> dict[str, pd.DataFrame]:
    """Pairs' differences by side, as :func:`bonmf_lib.studies.sampled_metrics.pair_orders` takes
    them; arguments as of :func:`both_evaluations`."""
    pairs = across[across["other"].ne("") & across["metric"].eq(metric)]
    return {side: intervals(_under(pairs, evaluation)) for side, evaluation in sides.items()}


def _under(table: pd.DataFrame, evaluation: str) -> pd.DataFrame:
    """Rows of one evaluation.

    Raises:
        RecordError: several evaluations' names begin so, and none is that name.
    """
    named = table["evaluation"] == evaluation
    found = table[named if named.any() else table["evaluation"].str.startswith(evaluation)]
    names = found["evaluation"].unique()
    if len(names) > 1:
        raise RecordError(f"{evaluation!r} is {' and '.join(names)}; name one of them.")
    return found
