"""Intervals and paired tests over repeated random splits.

Random splits of one data set overlap, so plain t intervals over seeds are too narrow. All intervals
here use the corrected resampled variance of Nadeau & Bengio (2003): s^2 (1/J + n_test / n_train)
over J splits.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats


@dataclass(frozen=True)
class Estimate:
    """Mean over seeds with its 95 % interval (NaN bounds when there is only one seed)."""

    mean: float
    low: float
    high: float
    n: int
    p_value: float = float("nan")  # two-sided, against 0

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def t_interval(mean: float, error: float, freedom: float, n: int, level: float = 0.95) -> Estimate:
    """A mean with the t interval and the two-sided p-value that follow from its standard error.

    Args:
        error: NaN where it is not known, which leaves the bounds and the p-value NaN.
        freedom: degrees of freedom of the error. n: of what there are so many, such as seeds.
    """
    if np.isnan(error):
        return Estimate(mean, float("nan"), float("nan"), n)
    if error == 0:
        return Estimate(mean, mean, mean, n, float(mean == 0))
    half = half_width(error, freedom, level)
    p_value = float(2 * stats.t.sf(abs(mean) / error, freedom))
    return Estimate(mean, mean - half, mean + half, n, p_value)


def half_width(error: float, freedom: float, level: float = 0.95) -> float:
    """Of the t interval around a mean with this standard error."""
    return _quantile(freedom, level) * error


def standard_error(found: Estimate, level: float = 0.95) -> float:
    """Of a mean over seeds, read off its t interval; NaN where one seed has none."""
    half = (found.high - found.low) / 2
    return half / _quantile(found.n - 1, level) if found.n > 1 else float("nan")


def _quantile(freedom: float, level: float) -> float:
    return float(stats.t.ppf((1 + level) / 2, freedom))


def mean_interval(values: np.ndarray, test_share: float, level: float = 0.95) -> Estimate:
    """Mean of one metric over J random splits, with the corrected resampled t interval and p-value.

    Args:
        values: (J,), one per seed.
        test_share: test ratings per rating, in [0, 1); 0 gives the plain t interval.
    """
    values = np.asarray(values, np.float64)
    n = len(values)
    mean = float(values.mean()) if n else float("nan")
    if n < 2:
        return Estimate(mean, float("nan"), float("nan"), n)
    error = float(values.std(ddof=1) * np.sqrt(1 / n + test_share / (1 - test_share)))
    return t_interval(mean, error, n - 1, n, level)


def percent_better(ours: pd.Series, theirs: pd.Series, lower_is_better: bool) -> np.ndarray:
    """By how many percent of theirs each of ours is better, float64 (J,): the values, all above 0,
    of the same J splits in the same order."""
    ratios = (ours / theirs).to_numpy()
    return 100 * (1 - ratios if lower_is_better else ratios - 1)


def paired_difference(
    ours: np.ndarray, theirs: np.ndarray, test_share: float, level: float = 0.95
) -> Estimate:
    """Mean of ours - theirs over the same seeds (J,), (J,); interval and p-value as
    :func:`mean_interval`."""
    return mean_interval(
        np.asarray(ours, np.float64) - np.asarray(theirs, np.float64), test_share, level
    )


def equivalence(ours: np.ndarray, theirs: np.ndarray, margin: float, test_share: float) -> Estimate:
    """Two one-sided tests (Schuirmann, 1987) that the mean of ours - theirs lies within (-margin,
    margin).

    Args:
        ours, theirs: (J,), (J,), over the same seeds. margin: above 0, in their unit.

    Returns:
        the mean difference with its 90 % interval, which lies inside the margins exactly when the
        p-value is below 0.05; the p-value is the larger of the two tests', with the corrected
        variance of :func:`mean_interval`.
    """
    found = paired_difference(ours, theirs, test_share, level=0.90)
    if np.isnan(found.low):
        return found
    distance = margin - abs(found.mean)  # the nearer margin decides
    error = standard_error(found, level=0.90)
    p_value = (
        float(distance <= 0) if error == 0 else float(stats.t.sf(distance / error, found.n - 1))
    )
    return replace(found, p_value=p_value)


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down adjusted p-values (Holm 1979), NaN where the input is NaN.

    Of m known values the k-th smallest is multiplied by m - k + 1, and none may be below a smaller
    one's. Not statsmodels' own, which collects garbage at every call: most of a report's time.
    """
    p = np.asarray(p_values, np.float64)
    ascending = np.argsort(p, kind="stable")[: np.count_nonzero(~np.isnan(p))]  # NaN are last
    factors = np.arange(len(ascending), 0, -1)
    out = np.full(len(p), np.nan)
    out[ascending] = np.minimum(np.maximum.accumulate(factors * p[ascending]), 1)
    return out.tolist()
