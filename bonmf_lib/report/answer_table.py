"""The table of answers: questions, what the paper says, what was measured, and where."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from ..claims.ledger import qualified
from ..claims.reading import claims_by_id
from ..experiments.table1 import ON_FRESH_SPLITS
from . import domain_counts, domains
from .conclusions import Card, cards
from .measured import SHUFFLED, STOPPED, WIDE, Measured, doubt
from .questions import (
    BESIDE_TEXT,
    NEW_ITEMS,
    PICTURE,
    PICTURES_CONTENT,
    PLOTS,
    TEXT,
    UNRATED_PICTURE,
    UNRATED_TEXT,
    claimed,
)
from .relative import gains, percent, percent_with_interval, row_of, span
from .tables import MAIN_EXPERIMENTS, estimates, paper_values

OWN_MODEL = "BoNMF+ is ours; other splits test on ratings that chose its parts"
OTHER_DATA = "Does it hold on other data?"
_TABLE, _ERROR = "BoNMF Table 1: ", ", MSE"


@dataclass(frozen=True)
class AnswerRow:
    """A line of the table of answers."""

    question: str
    paper: str
    measured: str
    verdict: str
    notebooks: tuple[str, ...]


def answer_rows(found: Measured) -> list[AnswerRow]:
    """The table of answers: the cards, then other data, language models, simple factorisation,
    printed numbers and the best model."""
    more = {
        NEW_ITEMS: _unrated(found),
        TEXT: "; ".join(filter(None, (_why_text_matters_more(found), *_plots(found)))),
        PICTURE: "; ".join(_picture_beside_text(found)),
    }
    asked = [_of_card(one, more.get(one.question, "")) for one in cards(found)]
    others: tuple[Callable[[Measured], AnswerRow], ...] = (
        _other_data,
        _language_models,
        _factorisation,
        _printed,
        _best,
    )
    return [*asked, *(make(found) for make in others)]


def _of_card(one: Card, more: str) -> AnswerRow:
    measured = "; ".join(filter(None, (one.measured, more)))
    question = one.question
    return AnswerRow(
        question.asked, claimed()[question.paper], measured, one.verdict, question.notebooks
    )


def _unrated(found: Measured) -> str:
    """What text and picture gain on movies without any rating in training, over IDs and over the
    control that they gain least on, and how that stands to a ridge; "" where it was not run."""
    parts = []
    names = {"unrated movies, texts": UNRATED_TEXT, "posters there": UNRATED_PICTURE}
    for called, claim in names.items():
        gain, content = found.effect(claim), found.effect(f"{claim}, content")
        if gain is not None and content is not None:
            parts.append(
                f"{called} {gain}{doubt(gain)}, over {found.control_of(claim)} {content}"
                f"{doubt(content)}"
            )
    if (simple := found.effect(claim := f"{UNRATED_TEXT}, simple")) is not None:
        parts.append(
            f"there the network on texts over {found.claims.loc[claim, 'against']} {simple}"
            f"{doubt(simple)}"
        )
    return "; ".join(parts)


def _why_text_matters_more(found: Measured) -> str:
    """That the claim on text holds because leaving the picture out helps, where that is so."""
    claim, whole, picture = (found.effect(f"BoNMF {name}") for name in ("(c)", "(c), whole", "(d)"))
    if not claim or not whole or not picture:
        return ""
    if (claim.outcome, picture.outcome) != ("better", "worse") or whole.outcome == "better":
        return ""
    return f"holds since leaving the picture out helps; texts added to posters {whole}"


def _plots(found: Measured) -> list[str]:
    """What plots add to title and genres; empty where it was not run."""
    return [
        f"over title and genres, {label}, {effect}{doubt(effect)}"
        for label, ending in (
            ("recipe", ""),
            (STOPPED, ", early stopped"),
            ("on unrated movies", ", unrated"),
        )
        if (effect := found.effect(f"{PLOTS}{ending}")) is not None
    ]


def _picture_beside_text(found: Measured) -> list[str]:
    """What posters give beside the text over other movies' posters there; likewise."""
    return [
        f"{BESIDE_TEXT}posters over {SHUFFLED} ones, {label}, {effect}{doubt(effect)}"
        for label, ending in (("recipe", ""), (STOPPED, ", early stopped"))
        if (effect := found.effect(f"{PICTURES_CONTENT}{ending}")) is not None
    ]


def _other_data(found: Measured) -> AnswerRow:
    """Text's and the picture's gains on other data."""
    records = found.published.records
    read = [domains.published_gains(records, places) for places in domains.READINGS]
    lines = domain_counts.in_few_words([gained for gained in read if gained])
    return AnswerRow(
        OTHER_DATA,
        "Expected, not measured",
        "; ".join([*lines, domain_counts.ALL_MEANS]) if lines else "not run",
        "",
        ("10_cross_domain",),
    )


def _language_models(found: Measured) -> AnswerRow:
    parts = [
        f"{label}, {_pair(found, claim)} {percent(effect.gain)} "
        f"({span(effect.low, effect.high)}, 90 %)"
        for label, claim in (
            ("standardised, beside pictures", "BoNMF (f), packaged"),
            ("own scale, IDs and texts", "BoNMF (f), native"),
            ("there, unrated movies", "BoNMF (f), native, cold items"),
            ("own scale", "BoNMF (f), native, control"),
        )
        if (effect := found.effect(claim)) is not None
    ]
    return AnswerRow(
        "Does the language model matter?",
        claimed()["BoNMF (f)"],
        "; ".join(parts) or "not run",
        found.verdict("BoNMF (f)"),
        ("06_llm_swap",),
    )


def _pair(found: Measured, claim: str) -> str:
    """Which text encoder is compared with which: the pair that decides on their equivalence, the
    better first where the number beside it is above zero."""
    decides = found.claims.loc[claim, "against"] or " / ".join(claims_by_id()[claim].variants)
    return " over ".join(name.rpartition(", ")[2] for name in decides.split(" / "))


def _factorisation(found: Measured) -> AnswerRow:
    first, second = found.effect("BoNMF (b)"), found.effect("BoNMF (b), biased SVD")
    wide = found.effect("Wide-search (b), biased SVD")
    said = [
        first and f"{first} over SVD as rebuilt",
        hollow_sentence(found.published.own),
        second and f"{second} over biased SVD, both tuned",
        wide and f"on texts {wide} over biased SVD, both {WIDE}",
    ]
    return AnswerRow(
        "Does it beat plain factorisation?",
        claimed()["BoNMF (b)"],
        "; ".join(filter(None, said)) or "not run",
        found.verdict("BoNMF (b)"),
        ("03_model_training", "04_table1"),
    )


def hollow_sentence(records: pd.DataFrame) -> str:
    """That beating the paper's SVD says little, where it is worse than the mean of all ratings; ""
    otherwise."""
    table = _means(records, "as published", "closed form")
    if not {"SVD", "Global mean"} <= set(table.index) or table["SVD"] <= table["Global mean"]:
        return ""
    return (
        f"predicting the mean rating errs less ({table['Global mean']:.2f}, that SVD "
        f"{table['SVD']:.2f})"
    )


def _means(records: pd.DataFrame, *protocols: str) -> pd.Series:
    """Mean MSE of the main rows of some protocols, by variant."""
    main = records[records["experiment"].isin(MAIN_EXPERIMENTS)]
    chosen = main[main["protocol"].isin(protocols) & (main["metric"] == "mse")]
    return chosen.groupby("variant")["value"].mean()


def _printed(found: Measured) -> AnswerRow:
    printed = found.claims.index.to_series()
    errors = found.claims[printed.str.startswith(_TABLE) & printed.str.endswith(_ERROR)]
    run = errors[errors["verdict"] != "not run"]
    names = {
        name.removeprefix(_TABLE).removesuffix(_ERROR): qualified(row)
        for name, row in run.iterrows()
    }
    verdicts = pd.Series(names, dtype=str)
    told = [
        f"{verdict} ({', '.join(own.index) if len(own) < 3 else f'{len(own)} rows'})"
        for verdict, own in verdicts.groupby(verdicts)
    ]
    return AnswerRow(
        "Do the printed errors reproduce?",
        f"{len(errors)} values of MSE",
        "; ".join(sorted(told, reverse=True)) or "not run",
        run["verdict"].mode().iloc[0] if len(run) else "not run",
        ("04_table1",),
    )


def _best(found: Measured) -> AnswerRow:
    own = found.published.own
    main = own[own["experiment"].isin(MAIN_EXPERIMENTS) & (own["protocol"] == "tuned")]
    table = _by_error(main[~main["variant"].str.contains("members")])
    shown = _shown(table)
    fresh = _on_fresh_splits(own)
    known = set(fresh.get("variant", ()))
    numbers = [_error(row) for row in shown if row["variant"] not in known]
    told = [f"MSE, tuned: {', '.join(numbers)}"] if numbers else []
    if known:
        first = ", ".join(map(_error, _shown(fresh)))
        content = found.effect("Best-model (content)")
        by = f"BoNMF+ there, over {SHUFFLED} content, {content}{doubt(content)}" if content else ""
        said = [f"MSE, searched on fresh splits: {first}", *told, by, "BoNMF+ is ours"]
    else:
        ours = any(row["variant"] == "BoNMF+" for row in shown)
        said = [*told, *_content_of_best(own), OWN_MODEL] if ours else told
    paper = paper_values("BoNMF Table 1")["mse"]
    return AnswerRow(
        "What predicts ratings best?",
        f"{paper.idxmin()} {paper.min():.4f}",
        "; ".join(filter(None, said)) or "not run",
        "",
        ("04_table1",),
    )


def _content_of_best(own: pd.DataFrame) -> list[str]:
    """What texts and pictures gain in BoNMF+; empty where it was not run."""
    rows = own[own["experiment"] == "05_bonmf_plus"]
    without = "BoNMF+, no content"
    if not {"BoNMF+", without} <= set(rows["variant"]):
        return []
    pair = rows[rows["variant"].isin(["BoNMF+", without])]
    (gain,) = gains(pair, "mse", row_of(pair, without)).itertuples()
    said = percent_with_interval(gain.percent, gain.low, gain.high)
    return [f"BoNMF+ by its content, stopped early, {said}"]


def _on_fresh_splits(own: pd.DataFrame) -> pd.DataFrame:
    """The best model and its rivals on splits by which nothing was chosen, the best first; empty
    where our own model was not run there."""
    rows = own[(own["protocol"] == ON_FRESH_SPLITS) & ~own["variant"].str.endswith(SHUFFLED)]
    return _by_error(rows if (rows["variant"] == "BoNMF+").any() else rows[:0])


def _by_error(rows: pd.DataFrame) -> pd.DataFrame:
    return estimates(rows, "mse").sort_values("mean") if len(rows) else pd.DataFrame()


def _error(row: pd.Series) -> str:
    return f"{row['variant']} {row['mean']:.3f} ({row['low']:.3f} to {row['high']:.3f})"


def _shown(table: pd.DataFrame) -> list[pd.Series]:
    """The best three, and the paper's network."""
    rows = [row for _, row in table.iterrows()]
    return [row for place, row in enumerate(rows) if place < 3 or row["variant"] == "BoNMF"]
