"""How verdicts hang on the rules that give them: every claim judged again with one rule changed at
a time."""

import pandas as pd

from ..datasets.words import shown_name
from .judge import VERDICTS, Judgement, Rules, judge, qualifier
from .reading import read_claims

AS_JUDGED = "as judged"
VARIATIONS: dict[str, Rules] = {
    "tolerance 1 %": Rules(tolerance=0.01),
    "tolerance 2 %": Rules(tolerance=0.02),
    "tolerance 3 %": Rules(tolerance=0.03),
    "all tests one family": Rules(families="together"),
    "unadjusted": Rules(families="unadjusted"),
    "easiest competitor": Rules(competitor="easiest"),
}


def verdicts_by_rule(records: pd.DataFrame, across: pd.DataFrame | None = None) -> pd.DataFrame:
    """Verdicts, with what lies behind them, under the study's rules and under each of
    ``VARIATIONS``.

    Args:
        across: differences across users, as of :func:`~bonmf_lib.claims.ledger.ledger`.

    Returns:
        index claim, dataset, content; columns ``AS_JUDGED`` and the variations; only what was
        judged.
    """
    rules = {AS_JUDGED: Rules(), **VARIATIONS}
    claims = read_claims()
    return pd.DataFrame(
        {name: verdicts(judge(claims, records, own, across)) for name, own in rules.items()}
    )


def verdicts(judgements: list[Judgement]) -> pd.Series:
    """Verdicts on what was judged, with what lies behind them; index claim, dataset, content."""
    said = {
        (j.claim.id, j.dataset, j.content): ": ".join(filter(None, (j.verdict, qualifier(j))))
        for j in judgements
        if j.ours is not None
    }
    index = pd.MultiIndex.from_tuples(list(said), names=["claim", "dataset", "content"])
    return pd.Series(list(said.values()), index, dtype="str")


def changed_verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`verdicts_by_rule` that some rule changes; cells that agree with the
    verdict are empty."""
    others = table.drop(columns=AS_JUDGED)
    differ = others.ne(table[AS_JUDGED], axis=0)
    moved = differ.any(axis=1)
    found = pd.concat(
        [table.loc[moved, [AS_JUDGED]], others[moved].where(differ[moved], "")], axis=1
    )
    return found.rename(index=shown_name, level="dataset")


def sensitivity_sentence(table: pd.DataFrame) -> str:
    """How many verdicts stay the same under every rule, and how many each rule changes."""
    if table.empty:
        return "Nothing was judged, so that no rule can change a verdict."
    moved = table.drop(columns=AS_JUDGED).ne(table[AS_JUDGED], axis=0)
    counts = ", ".join(f"{name}: {count}" for name, count in moved.sum().items())
    kinds = table[AS_JUDGED].str.partition(":")[0]
    turned = (moved.any(axis=1) & (kinds == VERDICTS[0])).sum()
    return (
        f"Of {len(table)} verdicts, "
        f"{int((~moved.any(axis=1)).sum())} are the same under every rule; "
        f"of the {(kinds == VERDICTS[0]).sum()} that say {VERDICTS[0]}, {turned} are not. "
        f"Changed by rule: {counts}."
    )
