"""Where learning curves meet, and what intervals cannot exclude."""

import numpy as np
import pytest

from bonmf_lib.errors import RecordError
from bonmf_lib.evaluation import Estimate
from bonmf_lib.evaluation.catch_up import NEVER, catch_up

REVEALED = (0, 1, 2, 5, 10)


def leads(values, half=0.0):
    return [Estimate(value, value - half, value + half, 5) for value in values]


def log_line(zero: float) -> np.ndarray:
    """A lead that is linear in log(1 + n) and gone at ``zero`` ratings."""
    return 1 - np.log1p(REVEALED) / np.log1p(zero)


@pytest.mark.parametrize("zero", [1.0, 3.0, 7.5])
def test_lines_over_the_logarithm_are_met_exactly(zero):
    assert catch_up(REVEALED, leads(log_line(zero))).ratings == pytest.approx(zero)


def test_the_interval_is_where_the_bounds_meet_zero():
    lead = log_line(3.0)
    found = catch_up(REVEALED, leads(lead, 0.1))
    grid = np.linspace(0, 10, 200_001)
    mean = np.interp(np.log1p(grid), np.log1p(REVEALED), lead)
    open_ = grid[np.abs(mean) <= 0.1]  # numbers of ratings that the test does not reject
    assert (found.low, found.high) == pytest.approx((open_.min(), open_.max()), abs=1e-3)
    assert found.low < found.ratings < found.high
    assert str(found) == f"3.0 ({found.low:.1f} to {found.high:.1f})"


def test_never_and_at_once():
    assert catch_up(REVEALED, leads([1, 1, 1, 1, 1])).ratings == NEVER
    assert str(catch_up(REVEALED, leads([1, 1, 1, 1, 1]))) == ("more than 10 (surely more than 10)")
    assert catch_up(REVEALED, leads([-0.1, 1, 1, 1, 1])).ratings == 0
    open_end = catch_up(REVEALED, leads([0.5, 0.3, 0.2, 0.1, -0.05], 0.2))
    assert open_end.high == NEVER and open_end.low == pytest.approx(2)
    assert "at least 2.0" in str(open_end)


def test_few_seeds_have_no_interval():
    nothing = float("nan")
    found = catch_up((0, 2), [Estimate(1, nothing, nothing, 1), Estimate(-1, nothing, nothing, 1)])
    assert np.isnan(found.low) and np.isnan(found.high)
    assert str(found) == f"{found.ratings:.1f}"


def test_a_difference_is_needed_for_every_number():
    with pytest.raises(RecordError, match="got 1 for 2"):
        catch_up((0, 1), leads([1]))
    with pytest.raises(RecordError, match="got 0 for 0"):
        catch_up((), [])
