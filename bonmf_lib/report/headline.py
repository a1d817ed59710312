"""The README's table, sentences and comparisons: MovieLens-1M with real plots and posters, against
the paper."""

import pandas as pd

from ..claims.judge import OWN_SOURCE, judge, read_claims
from ..claims.ledger import ledger, readable
from ..runs.profiles import read_profile
from .answers import limit_sentence
from .specification_curve import centre_sentence, published_effects
from .tables import (
    MAIN_EXPERIMENTS,
    fusion_sentence,
    lowest_sentence,
    own_model_sentence,
    paper_values,
    side_by_side,
)


def headline_markdown(published: pd.DataFrame) -> str:
    """The README's table and comparisons: MovieLens-1M with real plots and posters, against the
    paper."""
    records = published[(published["dataset"] == "ml-1m") & (published["content"] == "full")]
    main, paper = (
        records[records["experiment"].isin(MAIN_EXPERIMENTS)],
        paper_values("BoNMF Table 1"),
    )
    table_of_claims = ledger(records)
    judged = readable(table_of_claims, everything=True).set_index("claim")
    errors = {
        c.variant: c.id
        for c in read_claims()
        if c.id.startswith("BoNMF Table 1") and c.metric == "mse"
    }
    verdicts = {variant: judged["verdict"].get(claim, "") for variant, claim in errors.items()}
    table = side_by_side(main, "mse", ("as published", "tuned"), paper)
    rankings = side_by_side(main, "ndcg@10", ("as published",), paper)["as published"]
    lines = [
        "| model | MSE in the paper | MSE as published | MSE tuned | NDCG@10 as published "
        "| the paper's MSE is |",
        "|---|---|---|---|---|---|",
    ]
    lowest = main[main["metric"] == "mse"].groupby("variant")["value"].min()
    rest = [variant for variant in lowest.sort_values().index if variant not in paper.index]
    for variant in [*paper.index, *rest]:
        cells = [variant, *table.loc[variant], rankings.get(variant, ""), verdicts.get(variant, "")]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", reproduction_sentence(verdicts), strict_sentence(records)]
    tuned = main[main["protocol"] == "tuned"]
    budget = read_profile("paper")
    lines += [
        f"Tuned rows, {budget.tuning.trials} trials each: "
        f"{limit_sentence(tuned, budget.tuning.epochs)}"
    ]
    lines += [lowest_sentence(main, "mse"), own_model_sentence(records), fusion_sentence(records)]
    effects, centres = published_effects(records, "paper")
    if len(effects):
        lines += [
            _DEPENDENCE,
            *(f"- {centre_sentence(effects, name, centre)}" for name, centre in centres.items()),
        ]
    lines += [
        "",
        f"| comparison | the paper | measured: {_IMPROVEMENT} | verdict |",
        "|---|---|---|---|",
    ]
    chosen = [c.id for c in read_claims() if c.kind != "value" and c.id.startswith("BoNMF (")]
    compared = table_of_claims[table_of_claims["claim"].isin(chosen)]
    idle_checks = (compared["source"] == OWN_SOURCE) & (compared["verdict"] == "not run")
    # they wait for their rows; a paper's claim stands there whether run or not
    compared = compared[~idle_checks]
    lines += [
        f"| {row.statement} | {row.paper} | {judged['ours'][row.claim]} | {qualified(row)} |"
        for row in compared.itertuples()
    ]
    return "\n".join(lines)


_DEPENDENCE = (
    "\n"
    "The rows above read standardised features. "
    "The same networks on features at the encoders' own scale, beside the texts\n"
    "and pictures of other items (*shuffled*):\n"
)
_IMPROVEMENT = "improvement (+ = better), with its 95 % interval"


def qualified(row) -> str:
    """The verdict of a ledger's row, with what its adjusted test says where the verdict alone
    leaves that open."""
    return f"{row.verdict}: {row.qualifier}" if row.qualifier else row.verdict


def reproduction_sentence(verdicts: dict[str, str]) -> str:
    """Which of the paper's rows have the printed error, from their verdicts."""
    found = [variant for variant, verdict in verdicts.items() if verdict == "reproduced"]
    names = ", ".join(found) or "none"
    return (
        f"Of the {len(verdicts)} values of MSE that the paper's table prints, reproduced: {names}."
    )


def strict_sentence(records: pd.DataFrame) -> str:
    """The same values judged at half the tolerance."""
    cells = [c for c in read_claims() if c.id.startswith("BoNMF Table 1") and c.metric == "mse"]
    strict = tuple(cell.model_copy(update={"tolerance": cell.tolerance / 2}) for cell in cells)
    found = {judgement.claim.variant: judgement.verdict for judgement in judge(strict, records)}
    names = [
        f"{variant} {verdict}"
        for variant, verdict in found.items()
        if verdict in ("reproduced", "inconclusive")
    ]
    return (
        f"At half the tolerance ({strict[0].tolerance:.0%}): "
        f"{', '.join(names) or 'none reproduced'}."
    )
