"""The ledger: every claim with the paper's number, ours, its interval and the verdict."""

from functools import cache

import pandas as pd

from ..datasets.words import shown_name
from .judge import (
    NOT_RUN,
    SEEDS_ONLY,
    UNJUDGED,
    UNTESTABLE,
    VERDICTS,
    Judgement,
    awaited,
    judge,
    qualifier,
)
from .reading import OWN_SOURCE, claims_by_id, read_claims

COLUMNS = [
    "claim",
    "statement",
    "source",
    "paper",
    "ours",
    "against",
    "low",
    "high",
    "p_holm",
    "seeds",
    "dataset",
    "content",
    "verdict",
    "qualifier",
    "across",
    "note",
]

READABLE = [
    "claim",
    "statement",
    "source",
    "paper",
    "ours",
    "p_holm",
    "seeds",
    "dataset",
    "content",
    "verdict",
    "note",
]


def ledger(
    records: pd.DataFrame, across: pd.DataFrame | None = None, growing: bool = False
) -> pd.DataFrame:
    """One row per claim, data set and content. ``ours`` is in the metric's unit for values and the
    relative improvement in percent for comparisons (positive = better), over the competitor or of
    the pair ``against`` that decides where there are several; where gains over controls are
    compared, in percentage points; low and high bound its 95 % interval
    (90 % for equivalence), ``p_holm`` is the adjusted p-value that decides a comparison,
    ``qualifier`` what it says where the verdict leaves that open
    (:func:`~bonmf_lib.claims.judge.qualifier`), ``across`` what a difference on a fixed test part
    is told across, ``note`` what to know of the claim, and why it cannot be tested where that is
    the verdict.

    A claim that some data decide is not listed for data that do not; one that was run nowhere, or
    that no data can decide, is listed once.

    Args:
        across: differences across users that were kept with the records
            (:mod:`~bonmf_lib.claims.across_users`); without them, claims on fixed test parts are
            told over seeds only.
        growing: whether records of other data may still join these, as they join the published
        ones (:func:`~bonmf_lib.claims.judge.awaited`); those of one run are of data that it was
        given.
    """
    judged = judge(read_claims(), records, across=across)
    judged = [awaited(judgement) for judgement in judged] if growing else judged
    table = pd.DataFrame([_row(judgement) for judgement in judged], columns=COLUMNS)
    for verdict in reversed(UNJUDGED):
        idle = table["verdict"] == verdict
        elsewhere = table["claim"].isin(table.loc[~idle, "claim"]) | table.duplicated(
            ["claim", "verdict"]
        )
        table = table[~(idle & elsewhere)]
    return table.reset_index(drop=True)


SECOND_READING = r"BoNMF \([h-m]\)"  # its claims, and our checks of them
# ends of the ids of checks that ask what a claim says elsewhere
_OTHER_PROTOCOLS = (
    ", 7:3",
    ", implicit",
)


def second_reading_sentence(table: pd.DataFrame) -> str:
    """Where a check of the second reading's claims on other splits or feedback has another verdict
    than the claim on that source's own protocol; only where both were judged."""
    parts, own = [], table["claim"].str.match(SECOND_READING)
    for (dataset, content), group in table[own & ~table["verdict"].isin(UNJUDGED)].groupby(
        ["dataset", "content"]
    ):
        verdicts = group.set_index("claim")["verdict"]
        pairs = {
            check: (verdict, verdicts[claim])
            for check, verdict in verdicts.items()
            for end in _OTHER_PROTOCOLS
            if check.endswith(end) and (claim := check.removesuffix(end)) in verdicts
        }
        moved = [
            f"{check}: {verdict} instead of {other}"
            for check, (verdict, other) in pairs.items()
            if verdict != other
        ]
        if pairs:
            said = "; ".join(moved) or "none"
            parts.append(
                f"{dataset}, content {content}: of {len(pairs)} checks, another verdict has {said}."
            )
    return " ".join(parts) or "The second reading's own protocol has not been judged on this data."


def unrun_claims(table: pd.DataFrame, most: int = 6) -> pd.DataFrame:
    """How many claims of each source were not run, and the first of them."""
    left = table[table["verdict"] == NOT_RUN].drop_duplicates("claim").groupby("source")["claim"]
    names = left.agg(
        lambda claims: ", ".join(claims[:most]) + (", ..." if len(claims) > most else "")
    )
    return pd.DataFrame({"claims": left.count(), "which": names})


def _row(judgement: Judgement) -> dict:
    claim, ours = judgement.claim, judgement.ours
    row = {
        "claim": claim.id,
        "statement": claim.statement,
        "source": claim.source,
        "paper": claim.paper,
    }
    if not claim.verified:
        row["paper"] += " [unverified]"
    if ours is not None:
        row |= {
            "ours": ours.mean,
            "low": ours.low,
            "high": ours.high,
            "seeds": ours.n,
            "against": judgement.against,
        }
    return row | {
        "dataset": judgement.dataset,
        "content": judgement.content,
        "p_holm": judgement.p_holm,
        "verdict": judgement.verdict,
        "qualifier": qualifier(judgement),
        "across": judgement.across,
        "note": " ".join(filter(None, (claim.note, _why_untestable(judgement)))),
    }


def _why_untestable(judgement: Judgement) -> str:
    return judgement.claim.untestable if judgement.verdict == UNTESTABLE else ""


def untestable_reasons(table: pd.DataFrame) -> pd.Series:
    """Why nothing at hand can test claims, by the rows of a ledger whose verdict is for that
    reason."""
    rows = table[table["verdict"] == UNTESTABLE]
    reasons = rows["claim"].map(lambda claim: claims_by_id()[claim].untestable)
    return reasons[reasons != ""]


def untestable_lines(table: pd.DataFrame) -> list[str]:
    """The claims of a ledger that nothing at hand can test, a line for each reason; cells of a
    table by its title and their number."""
    reasons = untestable_reasons(table)
    return [
        f"{UNTESTABLE.capitalize()}: {_named(table.loc[own.index, 'claim'])}. {reason}"
        for reason, own in reasons.groupby(reasons, sort=False)
    ]


def _named(claims: pd.Series) -> str:
    by_title = claims.groupby(claims.str.partition(": ")[0], sort=False)
    return "; ".join(
        own.iloc[0] if len(own) == 1 else f"{title} ({len(own)})" for title, own in by_title
    )


def verdict_counts(table: pd.DataFrame) -> pd.Series:
    """Number of the papers' claims per verdict, in the order of ``VERDICTS``; neither our own
    checks are counted nor numbers whose definition the paper does not give."""
    counted = (table["source"] != OWN_SOURCE) & ~table["claim"].isin(undefined_claims())
    return (
        table.loc[counted, "verdict"]
        .value_counts()
        .reindex(VERDICTS, fill_value=0)
        .rename("claims")
    )


def uncounted_sentence(table: pd.DataFrame) -> str:
    """How many of a ledger's rows :func:`verdict_counts` leaves out because the paper does not
    define the number."""
    left_out = table.loc[table["claim"].isin(undefined_claims()), "claim"].nunique()
    return (
        f"Not counted: {left_out} numbers whose definition the paper does not give, "
        "judged as we read them."
    )


@cache
def undefined_claims() -> frozenset[str]:
    """Claims on numbers whose definition the paper does not give."""
    return frozenset(claim.id for claim in read_claims() if not claim.defined)


def readable(
    table: pd.DataFrame, everything: bool = False, untestable: bool = True
) -> pd.DataFrame:
    """The ledger for reading: our number and interval as one text, the adjusted p-value of
    comparisons, verdicts with their qualifier; without ``everything`` only what was run, and
    without ``untestable`` only what has a verdict."""
    hidden = (NOT_RUN,) if untestable else UNJUDGED
    shown = table if everything else table[~table["verdict"].isin(hidden)]
    shown = shown.assign(
        seeds=shown["seeds"].astype("Int64").astype(object).where(shown["seeds"].notna(), ""),
        dataset=shown["dataset"].map(shown_name, na_action="ignore"),
    )
    shown["ours"] = [_interval(row) for row in shown.itertuples()]
    shown["verdict"] = [qualified(row) for row in shown.itertuples()]
    shown["p_holm"] = ["" if pd.isna(p) else f"{p:.4f}" for p in shown["p_holm"]]
    return shown[READABLE]


def qualified(row) -> str:
    """The verdict of a ledger's row, with what lies behind it where the verdict alone leaves that
    open, and whether only other initialisations were asked."""
    said = f"{row.verdict}: {row.qualifier}" if row.qualifier else row.verdict
    return f"{said} ({SEEDS_ONLY})" if row.across == SEEDS_ONLY else said


def counts_sentence(table: pd.DataFrame) -> str:
    """:func:`verdict_counts` in one line."""
    return ", ".join(f"{count} {verdict}" for verdict, count in verdict_counts(table).items())


def ledger_text(table: pd.DataFrame, everything: bool = False) -> str:
    """:func:`readable` as lines of plain text, one per claim, without statements and notes; below,
    why some cannot be tested, and the counts of verdicts."""
    shown = readable(table, everything).drop(columns=["statement", "note"])
    lines = "No claim was run yet." if shown.empty else shown.to_string(index=False)
    return "\n\n".join([lines, *untestable_lines(table), counts_sentence(table)])


def _interval(row) -> str:
    if pd.isna(row.ours):
        return ""
    claim = claims_by_id()[row.claim]
    kind = claim.kind
    style = "{:.4f}" if kind == "value" else "{:+.2f} %"
    style = "{:+.2f} points" if kind == "better" and claim.gains_over else style
    text = style.format(row.ours)
    if pd.notna(row.low):
        text += f" [{style.format(row.low)}, {style.format(row.high)}]"
        text += " (90 %)" if kind == "equivalent" else ""
    return f"{row.against}: {text}" if row.against else text
