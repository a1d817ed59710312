"""One colour for each verdict, wherever verdicts are shown, and how well text is read on it."""

from dataclasses import dataclass

from ..claims.judge import VERDICTS

READABLE = 4.5  # least contrast of text (WCAG 2.2, level AA)


@dataclass(frozen=True)
class Chip:
    """Colours of a verdict as ``#rrggbb``: of the chip or bar, and of text upon it."""

    fill: str
    text: str


# Blue to brown and greys: told apart with every common colour blindness, and by lightness.
CHIPS = dict(
    zip(
        VERDICTS,
        (
            Chip("#00517d", "#ffffff"),
            Chip("#7cc4ee", "#000000"),
            Chip("#f5dc6b", "#000000"),
            Chip("#b04a00", "#ffffff"),
            Chip("#c4c4c4", "#000000"),
            Chip("#efefef", "#000000"),
        ),
        strict=True,
    )
)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours ``#rrggbb`` as WCAG 2.2 defines it, from 1 to 21."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` as WCAG 2.2 defines it, from 0 (black) to 1 (white)."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def text_on(colour: str) -> str:
    """Black or white, whichever is read better on ``#rrggbb``."""
    return max(("#000000", "#ffffff"), key=lambda text: contrast(colour, text))
