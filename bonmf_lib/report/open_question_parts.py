"""What is published of the paper's open questions: language models, pictures, overlap. The answers,
and what stands behind each."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from ..studies import overlap as overlap_studies
from ..studies.pictures import spoiling_sentence
from . import answers, tables
from .figures import (
    comparison as comparison_figures,
    overlap as overlap_figures,
    pictures as visual_figures,
)
from .published import NotPublishedError, Parts, Published
from .relative import short_names

_QUESTIONS = {
    "text": "Language models (06)",
    "picture": "Uses of the picture (07)",
    "overlap": "Ways to take overlap out (08)",
}
# what the columns of an answer's table are called: intervals of texts are in percent
_IN_PERCENT = {"percent": "added MSE, %", "low": "low, %", "high": "high, %", "verdict": "verdict"}
_IN_MSE = {
    "difference": "added MSE", "low": "low", "high": "high", "percent": "added MSE, %",
    "p_holm": "p (Holm)", "verdict": "verdict",
}  # fmt: skip


def full_answers(published: Published) -> list[answers.Answer]:
    """The answers to the paper's open questions, on real plots and posters."""
    records = published.records
    return answers.open_answers(records[records["content"] == published.content], published.dataset)


def open_question(found: Sequence[answers.Answer], question: str) -> Parts:
    """The answer to one of the paper's open questions, with one figure where anything was found.

    Args:
        found: of :func:`full_answers`. question: ``text``, ``picture`` or ``overlap``.
    """
    own = _answers_to(found, question)
    if question == "overlap":
        yield _overlap_finding(own)
    else:
        yield "\n".join(answer.sentences[-1] for answer in own)
    yield from (_answer_figure(answer) for answer in _telling(own)[:1])


def open_question_in_full(found: Sequence[answers.Answer], question: str) -> Parts:
    """Everything behind :func:`open_question`: sentences, tables and the other figures."""
    own = _answers_to(found, question)
    shown = next(iter(_telling(own)), None)
    for answer in own:
        yield "\n".join(answer.sentences)
        if not answer.nothing_found:
            called = _IN_PERCENT if question == "text" else _IN_MSE
            columns = [name for name in called if name in answer.table]
            table = answer.table[columns].rename(columns=called)
            yield table.round(4).rename_axis(answer.where)
            if answer.drawn and answer is not shown:
                yield _answer_figure(answer)
    if any(answer.families for answer in own):
        yield answers.families_sentence(own)


def _answers_to(found: Sequence[answers.Answer], question: str) -> list[answers.Answer]:
    own = [answer for answer in found if answer.question == question]
    if not own:
        raise NotPublishedError(_QUESTIONS[question])
    return own


def _telling(found: Sequence[answers.Answer]) -> list[answers.Answer]:
    return [answer for answer in found if not answer.nothing_found]


def _overlap_finding(found: Sequence[answers.Answer]) -> str:
    families = sum(answer.families for answer in found)
    telling = [answer.where for answer in found if answer.telling]
    if not telling:
        return f"No way to take overlap out is shown to help, in {families} families of tests."
    return (
        f"A way to take overlap out differs from concatenation on {'; '.join(telling)}: in "
        f"{sum(answer.telling for answer in found)} of {families} families of tests. "
        f"Chance alone would do so at least once with probability "
        f"{answers.chance_of_any(families):.2f}."
    )


def _answer_figure(answer: answers.Answer) -> Figure:
    against = f"{answer.reference} ({answer.where})"
    if answer.question == "text":
        return comparison_figures.equivalence_plot(answer.table, against, "mse", answers.MARGIN)
    return comparison_figures.forest_plot(
        answer.table.rename(columns={"difference": "mean"}), against, "mse"
    )


def text_choice(published: Published, question: str) -> Parts:
    """A choice about the text (``pooling``, ``content`` or ``size``) on random splits and on cold
    items."""
    what = f"Text, {question}"
    rows, on_cold = (published.rows(f"06_{question}{end}", what) for end in ("", "_cold"))
    table = short_names(tables.metric_table(rows, {"mse": "MSE", "ndcg@10": "NDCG@10"}, digits=4))
    cold = short_names(tables.metric_table(on_cold, {"mse": "MSE"}, digits=4))["MSE"]
    table["MSE, cold items"] = cold.reindex(table.index)
    yield table.drop(columns="training, s").rename_axis(question)


def picture_use(published: Published) -> Parts:
    """Attention to regions of pictures, and what spoilt pictures do to predictions."""
    what = "Regions and spoilt pictures"
    regions, spoilt = (
        published.table(name, what) for name in ("picture_regions", "spoilt_pictures")
    )
    yield visual_figures.region_heat(dict(iter(regions.groupby("fusion", sort=False))))
    spoiling = spoilt.set_index("pictures")
    yield spoiling_sentence(spoiling)
    yield visual_figures.spoiling_plot(spoiling)


def overlap(published: Published) -> Parts:
    """How much modalities say the same: by estimator, item by item, by genre."""
    names = ("overlap", "item_overlap", "genre_overlap", "overlap_extremes")
    pairs, by_item, genres, extremes = (published.table(name, "Overlap") for name in names)
    yield pairs.set_index(["pair", "estimator"]).round(3)
    per_item, gain = by_item["overlap"].to_numpy(), by_item["gain"].dropna()
    by_rank = overlap_studies.overlap_gain_correlation(per_item, gain)
    yield (
        f"Spearman over {by_rank.items} items: "
        f"{by_rank.value:+.3f} [{by_rank.low:+.3f}, {by_rank.high:+.3f}]."
    )
    yield overlap_studies.correlation_sentence(by_rank)
    yield overlap_figures.overlap_gain_scatter(per_item, gain, genres.set_index("genre"))
    ends = extremes.set_index("title")[["overlap", "gain"]].round(2)
    yield ends[:8].rename_axis("most redundant poster")
    yield ends[8:].rename_axis("least redundant poster")


def overlap_left(published: Published) -> Parts:
    """What is left of overlap after taking it out."""
    left = published.table("overlap_left", "What is left of overlap")
    yield left.set_index(["estimator", "way"]).round(3)
