"""Colours of verdicts: each is told from the others, with colour blindness too, and text on it is
read."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from bonmf_lib.claims.judge import VERDICTS
from bonmf_lib.report.chips import CHIPS, READABLE, contrast, text_on
from bonmf_lib.report.figures.general import verdict_bars

# from linear RGB, of full strength (Machado et al., 2009)
SIGHT = {
    "full": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
TO_XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]


def as_seen(colour, sight):
    """CIE L*a*b* of a colour for an eye."""
    value = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    xyz = np.array(TO_XYZ) @ (np.array(SIGHT[sight]) @ linear).clip(0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_every_verdict_has_its_colours():
    assert tuple(CHIPS) == VERDICTS


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
    assert contrast("#123456", "#123456") == 1


@pytest.mark.parametrize("verdict", VERDICTS)
def test_text_on_a_verdict_is_read(verdict):
    chip = CHIPS[verdict]
    assert contrast(chip.fill, chip.text) >= READABLE
    assert text_on(chip.fill) == chip.text


@pytest.mark.parametrize("sight", SIGHT)
def test_verdicts_are_told_apart(sight):
    for one, other in combinations(VERDICTS, 2):
        apart = as_seen(CHIPS[one].fill, sight) - as_seen(CHIPS[other].fill, sight)
        assert np.linalg.norm(apart) > 12, (one, other)


def test_bars_have_the_colours_and_their_title_counts_what_is_judged():
    counts = pd.Series(dict(zip(VERDICTS, (3, 1, 0, 2, 5, 7), strict=True)))
    figure = verdict_bars(counts)
    assert [to_hex(bar.get_facecolor()) for bar in figure.axes[0].patches] == [
        CHIPS[verdict].fill for verdict in reversed(VERDICTS)
    ]
    assert figure.get_label() == (
        "Of 18 claims, 6 are judged: 3 reproduced, 1 direction only, 0 inconclusive "
        "and 2 not reproduced"
    )
