"""One effect on several data sets: its mean over them, and how far it differs between them.

Random-effects model: the effect of data set i is theta_i ~ N(mu, tau^2), what was measured of it
y_i ~ N(theta_i, s_i^2). tau^2 by Paule and Mandel (1982), as statsmodels fits it; the interval of
mu by Hartung and Knapp (2001) and Sidik and Jonkman (2002), never narrower than without their
correction (Röver et al., 2015), since few data sets may agree by chance; the prediction interval of
a new data set's effect by Higgins et al. (2009, eq. 12).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from statsmodels.stats.meta_analysis import combine_effects

from ..errors import RecordError
from .significance import Estimate, half_width, standard_error, t_interval

LEAST_STUDIES = 2  # for a mean with an interval
LEAST_TO_PREDICT = 3  # for the interval of one more


@dataclass(frozen=True)
class Summary:
    """What several data sets say together.

    Attributes:
        effect: mu with its 95 % interval; ``n`` is the number of data sets, the p-value two-sided
            against 0.
        tau: standard deviation of the data sets' own effects, in the effect's unit.
        i2: share of the spread between data sets that is not the uncertainty within them, in
            [0, 1] (Higgins and Thompson, 2002).
        heterogeneity: p-value of Cochran's Q, that all data sets have one effect.
        low_new, high_new: 95 % prediction interval of another data set's effect (with eight data
            sets it holds 91 % of simulated ones, since tau is estimated); NaN with fewer than
            ``LEAST_TO_PREDICT``.
    """

    effect: Estimate
    tau: float
    i2: float
    heterogeneity: float
    low_new: float
    high_new: float


def random_effects(effects: Sequence[Estimate]) -> Summary | None:
    """The summary of an effect on several data sets; None of fewer than ``LEAST_STUDIES``.

    Raises:
        RecordError: an effect has no interval, or one without width: no weight follows from it.
    """
    if len(effects) < LEAST_STUDIES:
        return None
    means = np.array([found.mean for found in effects])
    errors = np.array([standard_error(found) for found in effects])
    if not (errors > 0).all():
        raise RecordError(
            "A summary over data sets needs the uncertainty of every effect; "
            f"got standard errors {errors.round(6).tolist()}. Use at least two seeds."
        )
    count = len(means)
    fitted = combine_effects(means, errors**2, method_re="iterated", use_t=True)
    tau2 = max(0.0, float(fitted.tau2))
    mean, error = _weighted(means, errors**2 + tau2)
    spread = np.sqrt(tau2 + error**2)
    reach = half_width(spread, count - 2) if count >= LEAST_TO_PREDICT else float("nan")
    return Summary(
        t_interval(mean, error, count - 1, count),
        float(np.sqrt(tau2)),
        max(0.0, float(fitted.i2)) if fitted.q > 0 else 0.0,
        float(fitted.test_homogeneity().pvalue),
        mean - reach,
        mean + reach,
    )


def _weighted(means: np.ndarray, variances: np.ndarray) -> tuple[float, float]:
    """Mean by inverse variances (k,), and its Hartung-Knapp standard error, at least the usual
    one."""
    weights = 1 / variances
    mean = float((weights * means).sum() / weights.sum())
    scale = float((weights * (means - mean) ** 2).sum() / (len(means) - 1))
    return mean, float(np.sqrt(max(1.0, scale) / weights.sum()))
