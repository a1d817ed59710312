"""What an audit says: the first paragraph, a card for each question, and why one was not asked."""

import shlex

from ..datasets import Dataset
from ..datasets.words import Words, shown_name, upper_first
from ..encoders.features import MODALITIES
from ..evaluation import Estimate
from ..report.html import Markup, card, cards, paragraph
from ..report.relative import percent_with_interval
from ..report.short_answers import HARMS, HELPS, TOO_FEW
from ..runs.run import Run
from . import rows as rows_of
from .files import PREDICTIONS, RECOMMENDATIONS, VECTOR_IDS, VECTORS
from .findings import MARGIN, Finding
from .hand_on import Handed
from .measured import Measured
from .situations import NEW, PAIRS, PAIRS_SEEDS, RATED, sampled_users, situations
from .units import OWN


def called(dataset: Dataset) -> str:
    """The data set's own name."""
    return shown_name(dataset.name)


def asked(what: str, words: Words) -> str:
    """What a question is about, as a subject in the singular."""
    return {
        "text": "the text",
        "image": f"the {words.picture}",
        "both": f"text and {words.picture} together",
    }[what]


def where(situation: str, words: Words) -> str:
    """On which items."""
    return {
        RATED: f"on {words.items} with ratings",
        NEW: f"on new {words.items}",
        PAIRS: f"where {words.items} are ranked",
    }[situation]


def lead(found: list[Finding], run: Run) -> Markup:
    """The first paragraph: every answer in words, then how it was asked. Its numbers are the
    data's, so that it is the same however the folds are dealt, unless an answer is another."""
    dataset = run.dataset
    words, name = dataset.words, called(dataset)
    if not found:
        why = " ".join(left_out(run)) if any(map(dataset.offers, MODALITIES)) else ""
        said = why or "There are no texts or pictures to ask about."
        return paragraph(f"**{name}: {said}**")
    said = [_answer(what, found, words) for what in rows_of.QUESTIONS]
    bold = " ".join(one for one in said if one)
    data, others = _counted(dataset)
    sampled = sampled_users(run)
    rest = [_packaged(words)] if dataset.content == "packaged" else []
    rest += [
        f"Measured on {data}."
        if sampled is None
        else f"Measured on {sampled:,} users drawn at random; there are {data}.",
        *others,
        "Help means: surely better than the strongest model without texts and pictures, and than "
        f"the same with those of other {words.items}.",
        f"Does not help means: a gain of {MARGIN:g} % is ruled out.",
    ]
    return paragraph(f"**{bold}** {' '.join(rest)}")


def _counted(dataset: Dataset) -> tuple[str, list[str]]:
    """Ratings or pairs, and the users and items that have any; a sentence on those that have none,
    if there are such."""
    words, unit = dataset.words, "ratings" if dataset.scale.rates else "pairs"
    users, items = (dataset.ratings[side].nunique() for side in ("user", "item"))

    def counted(users: int, items: int) -> list[str]:
        kinds = {"user": (users, "users"), words.item: (items, words.items)}
        return [f"{count:,} {one if count == 1 else more}" for one, (count, more) in kinds.items()]

    of = " and ".join(counted(users, items))
    data = f"{len(dataset.ratings):,} {unit} of {of} of {called(dataset)}"
    rest = counted(dataset.n_users - users, dataset.n_items - items)[::-1]
    none = [one for one in rest if not one.startswith("0 ")]
    return data, [f"Without {unit}: {' and '.join(none)}."] if none else []


def _packaged(words: Words) -> str:
    return (
        "Packaged content, a demonstration: texts are titles, years and genres, and each "
        f"{words.picture} is a drawn card."
    )


def _answer(what: str, found: list[Finding], words: Words) -> str:
    """The answers to one question in one sentence; "" where it was not asked."""
    own = [one for one in found if one.what == what]
    if not own:
        return ""
    subject = {"text": "Text", "image": upper_first(words.picture), "both": "Both together"}[what]
    if len({one.answer.word for one in own}) == 1:
        places = " and ".join(where(one.situation, words) for one in own)
        return f"{subject}: {own[0].answer.word} {places}."
    parts = [f"{one.answer.word} {where(one.situation, words)}" for one in own]
    return f"{subject}: {'; '.join(parts)}."


def finding_cards(found: list[Finding], run: Run) -> Markup:
    """A card for every question: the answer, the gain with its interval, and the control's."""
    return cards([_card(one, run) for one in found])


def _card(one: Finding, run: Run) -> Markup:
    words = run.dataset.words
    what, place = asked(one.what, words), where(one.situation, words)
    question = f"{'Do' if one.what == 'both' else 'Does'} {what} help {place}?"
    measured = "; ".join(
        [
            f"gain over {in_sentence(one.strongest)}: {shown(one.gain)}",
            f"with content of other {words.items}: {shown(one.control)}",
            f"own content over that: {shown(one.over_control)}",
            f"over the same model without: {shown(one.over_itself)}",
            f"{one.ratings:,} {'lists' if one.situation == PAIRS else 'ratings'} of "
            f"{one.items:,} {words.items} that have it",
        ]
    )
    return card(question, one.answer.word, sentence(one, run), measured)


def sentence(one: Finding, run: Run) -> str:
    """What an answer means, by the answer."""
    words = run.dataset.words
    if one.answer is HELPS:
        error = "finds" if one.situation == PAIRS else "errs"
        more = "more" if one.situation == PAIRS else "less"
        return f"A model with it {error} {_size(one.least.mean)} {more}, by what it says."
    if one.answer is HARMS:
        return f"The same model without it is {_size(-one.over_itself.mean)} better."
    if one.answer is TOO_FEW:
        return _needed(one, run)
    if one.gain.high < MARGIN:
        return f"A gain of {MARGIN:g} % over the strongest model without it is ruled out."
    return f"A gain of {MARGIN:g} % over other {words.items}' is ruled out."


def _needed(one: Finding, run: Run) -> str:
    words = run.dataset.words
    if one.needed is None:
        return f"Too few users or {words.items} to compute an interval."
    unit = {RATED: f"ratings of such {words.items}", NEW: f"such {words.items}", PAIRS: "users"}
    there = one.tested if one.situation != PAIRS else one.tested // len(PAIRS_SEEDS)
    return (
        f"An estimate: about {_round(one.needed * there // one.tested):,} {unit[one.situation]} "
        f"would tell; {there:,} were compared."
    )


def in_sentence(row: str) -> str:
    """A row's name within a sentence: what is written in capitals stays so."""
    first, _, _ = row.partition(" ")
    return row if first[1:] != first[1:].lower() else row[0].lower() + row[1:]


def _round(number: int) -> int:
    """To two digits."""
    return int(float(f"{number:.2g}"))


def _size(gain: float) -> str:
    return f"{gain:.1f} %"


def shown(gain: Estimate) -> str:
    """A gain in percent with its 95 % interval."""
    return percent_with_interval(gain.mean, gain.low, gain.high)


def left_out(run: Run) -> list[str]:
    """A sentence for every question that these data do not allow to ask, or that there is none."""
    words = run.dataset.words
    said = [
        f"Not asked: whether {asked(what, words)} {'help' if what == 'both' else 'helps'}, "
        f"since {why}."
        for what in rows_of.QUESTIONS
        if (why := rows_of.lacking(run, what)) is not None
    ]
    if not run.dataset.scale.rates:
        said.append(
            f"Not asked: new {words.items}, and errors of ratings, since these are pairs without "
            "ratings."
        )
    elif not any(one.is_new for one in situations(run)):
        said.append(f"Not asked: new {words.items}, since there are too few {words.items}.")
    return said or ["Every question could be asked of these data."]


def handed_on(handed: Handed) -> list[str]:
    """What is handed on, and how it is used."""
    settings, user = handed.settings, handed.users.iloc[0]
    said = [f"Handed on: {in_sentence(settings['row'])}, for {len(handed.users):,} users."]
    if check := settings["check"]:
        said.append(
            f"On {check['ratings']:,} ratings that did not train it, its MSE is "
            f"{check['mse']:.3f}; other ratings test the models above."
        )
    return [
        *said,
        "It is the best on validation ratings, by however little; whether content helps is what "
        "the answers say, on test ratings.",
        f"{RECOMMENDATIONS} lists what each user has not rated, best first.",
        f"{PREDICTIONS} has every tested rating beside its prediction "
        "by a model that had not seen it."
        if settings["scale"]
        else "There are no ratings, so there is no table of predicted ratings.",
        f"{VECTORS} holds a vector for every row of {VECTOR_IDS}."
        if handed.scores.has_vectors
        else f"There are no vectors of {Words(**settings['words']).items}: this model has none, "
        "only a score of each.",
        f"Scores without training: python -m bonmf_lib predict FOLDER --user={shlex.quote(user)}",
    ]


def _how_sampled(measured: Measured) -> list[str]:
    """On whose ratings models of large data were compared, and what that does to items."""
    dataset, tested = measured.run.dataset, measured.tested
    words, rated = dataset.words, dataset.ratings["item"].nunique()
    mean, there = (len(part) / rated for part in (tested, dataset.ratings))
    return [
        f"The data are large: models are compared on {tested['user'].nunique():,} users drawn at "
        f"random, with all their ratings, {len(tested):,} of {len(dataset.ratings):,}.",
        f"{upper_first(words.items)} with ratings keep {mean:.1f} of their {there:.1f} on average: "
        "the fewer, the more is left for content to tell.",
        f"So on {words.items} with ratings, content may look better than on all the data.",
    ]


def _how_ranked(measured: Measured) -> list[str]:
    """How pairs without ratings were parted, and what intervals over their users tell."""
    given, words = measured.run.dataset.given, measured.run.dataset.words
    times = len(measured.situation.seeds)
    if given is None:
        parted = f"Each user's pairs are parted at random, {times} times."
        over = "over users, widened for the overlap of the draws' training pairs."
    else:
        parted = f"Pairs are parted as they came ({given.source}), whatever the seed; each model "
        parted += f"trains {times} times, and every time the same pairs test it."
        over = "over users; how other parts of these pairs would answer, they do not tell."
    return [
        parted,
        f"All {words.items} compete that the user has no training pair of.",
        "Epochs and the strongest model are chosen on validation pairs; settings are the models' "
        "usual ones.",
        f"Intervals are 95 %, {over}",
    ]


def how_measured(measured: list[Measured]) -> list[str]:
    """How it was measured, in sentences."""
    run = measured[0].run
    own, words = run.settings.audit, run.dataset.words
    if run.dataset.scale.rates:
        sampled = sampled_users(run) is not None
        said = _how_sampled(measured[0]) if sampled else []
        said += [
            f"Every rating{' of these users' if sampled else ''} is predicted once, "
            f"by a model that had not seen it ({own.folds} folds).",
        ]
        if any(one.situation.is_new for one in measured):
            said += [
                f"New {words.items}: all ratings of an item test together, "
                "so nothing but its content, genres and year tells of it.",
                "There every item counts alike, however often it was rated.",
            ]
        said += [
            "Settings, epochs and the strongest model are chosen on validation ratings; no test "
            "rating decides in its own fold.",
            f"Intervals are 95 %, over users and {words.items}, "
            "widened for the overlap of the folds' training ratings.",
        ]
        if measured[0].unit != OWN:
            said.append(
                "While models train, ratings are read as 1 to 5, so that no unit favours one; "
                "errors are on the data's own scale."
            )
    else:
        said = _how_ranked(measured[0])
    said += [
        "That something helps or harms is adjusted for the number of questions (Holm); "
        "that it does not help rests on each interval by itself.",
    ]
    if run.dataset.scale.rates and any(one.questions for one in measured):
        said.append("A factorisation reads content at the settings that were searched without it.")
        said.append(
            f"Texts and pictures are reduced to at most {own.feature_dim} principal components, "
            "which averages read at unit length, factorisations standardised. "
            "Another scale may give another answer."
        )
    if run.dataset.content == "packaged":
        said.append(_packaged(words))
    return said
