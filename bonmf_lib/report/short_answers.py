"""What an answer comes to in a word or two, and what is said of that word elsewhere."""

from dataclasses import dataclass

from .chips import CHIPS, Chip


@dataclass(frozen=True)
class ShortAnswer:
    """One of the answers that a question can get.

    Attributes:
        word: what a chip says. lead: the study's title answered with it, ``{}`` being what is asked
        about. worth: what it says to somebody who would pay for it. tone: the colours of its chip.
    """

    word: str
    lead: str
    worth: str
    tone: Chip


HELPS = ShortAnswer("helps", "{} helps", "worth trying", CHIPS["reproduced"])
DEPENDS = ShortAnswer(
    "depends",
    "{} helps in some training setups, not in all",
    "worth a try, depending on the training setup",
    CHIPS["direction only"],
)
NOT_BY_CONTENT = ShortAnswer(
    "not by content",
    "{} helps, but is not shown to by what it says",
    "not shown to pay by what it says",
    CHIPS["inconclusive"],
)
NO_CLEAR_GAIN = ShortAnswer(
    "no clear gain", "{} is not shown to help", "not shown to pay", CHIPS["inconclusive"]
)
HARMS_BESIDE_TEXT = ShortAnswer(
    "harms beside text",
    "{} is not shown to help, and harms beside text",
    "leave it out where there is text",
    CHIPS["not reproduced"],
)
HARMS = ShortAnswer("harms", "{} harms", "leave it out", CHIPS["not reproduced"])
DOES_NOT_HELP = ShortAnswer(
    "does not help", "{} does not help", "not worth its cost here", CHIPS["direction only"]
)
TOO_FEW = ShortAnswer(
    "too few ratings to tell",
    "{} may help or not: too few ratings tell",
    "not known yet",
    CHIPS["not run"],
)
NOT_RUN = ShortAnswer("not run", "{} was not run", "not tried yet", CHIPS["not run"])
SHORT_ANSWERS = (
    HELPS, DEPENDS, NOT_BY_CONTENT, NO_CLEAR_GAIN, HARMS_BESIDE_TEXT, HARMS, DOES_NOT_HELP, TOO_FEW,
    NOT_RUN,
)  # fmt: skip
