"""Title cards: drawn stand-in pictures for machines without posters.

A card shows nothing that the text does not say (title, year, one colour per genre), so it lets all
three inputs run but says nothing about posters; data with cards are labelled
``content="packaged"``.
"""

import colorsys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from textwrap import wrap

import pandas as pd
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from ..progress import progress
from ..storage import atomic_dir, cache_dir, is_whole, json_sha256

SIZE = (200, 300)  # width, height in pixels: the 2:3 of a film poster
_LAYOUT = 1  # raise when the drawing changes, so that cached cards are drawn anew


def draw_title_card(
    title: str, year: int | None, genres: Sequence[str], palette: dict[str, str]
) -> Image.Image:
    """One card: a horizontal band per genre in its colour, the title and the year."""
    card = Image.new("RGB", SIZE, "#f4f1ea")
    pen = ImageDraw.Draw(card)
    bands = [palette[genre] for genre in genres] or ["#999999"]
    height = SIZE[1] // 2 / len(bands)
    for row, colour in enumerate(bands):
        pen.rectangle((0, round(row * height), SIZE[0], round((row + 1) * height)), fill=colour)
    lines = wrap(title, 16)[:4]
    pen.multiline_text((10, SIZE[1] // 2 + 8), "\n".join(lines), "#111111", _font(20))
    if year is not None:
        pen.text((10, SIZE[1] - 32), str(year), "#555555", _font(20))
    return card


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)  # ships with matplotlib


def genre_palette(genres: pd.Series) -> dict[str, str]:
    """A colour per genre: hues spread evenly over the genres in alphabetical order."""
    names = sorted({genre for row in genres for genre in row})
    colours = {}
    for place, name in enumerate(names):
        red, green, blue = colorsys.hls_to_rgb(place / len(names), 0.45 + 0.2 * (place % 2), 0.6)
        colours[name] = f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"
    return colours


def title_cards(items: pd.DataFrame) -> list[str]:
    """Draw a card for every row (title, year, genres) into the cache; return the paths in order."""
    years = [None if pd.isna(year) else int(year) for year in items["year"]]
    rows = [
        list(row) for row in zip(items["title"], years, map(list, items["genres"]), strict=True)
    ]
    folder = cache_dir("cards") / json_sha256([_LAYOUT, SIZE, rows])[:16]
    if not is_whole(folder):
        palette = genre_palette(items["genres"])
        with atomic_dir(folder) as temporary:
            for number, (title, year, genres) in enumerate(progress(rows, "drawing title cards")):
                draw_title_card(title, year, genres, palette).save(temporary / f"{number}.png")
    return [str(Path(folder, f"{number}.png")) for number in range(len(rows))]
