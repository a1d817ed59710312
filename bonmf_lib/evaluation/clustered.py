"""Gains of one model over another told from single predictions, where folds test every rating once.

Ratings of one user, or of one item, are alike, so users and items are what is drawn, not ratings
(two-way clustered standard errors: Cameron, Gelbach and Miller, 2011). The models of the folds
share most of their training ratings, for which the variance is widened as that of repeated splits
is (:mod:`~bonmf_lib.evaluation.significance`; Nadeau and Bengio, 2003).
"""

import math
from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm
from statsmodels.stats.sandwich_covariance import cov_cluster

from .significance import Estimate, t_interval


@dataclass(frozen=True, eq=False)
class Clusters:
    """Whom the tested values are of, and how the folds overlap.

    Attributes:
        users: ids (N,). items: ids (N,), or None where the values are of whole users.
        folds: how many tested. test_share: test ratings per rating in each, in (0, 1).
    """

    users: np.ndarray
    items: np.ndarray | None
    folds: int
    test_share: float

    @property
    def smallest(self) -> int:
        """How many users or items there are, whichever are fewer."""
        sides = [self.users] if self.items is None else [self.users, self.items]
        return min(len(np.unique(side)) for side in sides)

    def of(self, chosen: np.ndarray) -> "Clusters":
        """Those of some values, bool (N,)."""
        items = None if self.items is None else self.items[chosen]
        return Clusters(self.users[chosen], items, self.folds, self.test_share)


def relative_gain(
    ours: np.ndarray, theirs: np.ndarray, clusters: Clusters, lower_is_better: bool = True
) -> Estimate:
    """By how many percent the mean of ours is better than that of theirs, with its 95 % interval.

    The ratio of the means is linearised (delta method), so that its error is that of a mean.

    Args:
        ours, theirs: of the same N predictions, such as squared errors, (N,) each.
        lower_is_better: as of errors; else as of shares found.

    Returns:
        above 0 = ours is better; NaN bounds and p-value with fewer than three users or items, or
        where theirs is 0.
    """
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    level = float(theirs.mean()) if len(theirs) else 0.0
    nothing = float("nan")
    if not level:
        return Estimate(nothing, nothing, nothing, clusters.folds)
    share = 1 - float(ours.mean()) / level
    values = 100 * (share + ((theirs - ours) - share * theirs) / level)  # their mean is the gain
    return clustered_mean(values if lower_is_better else -values, clusters)


def clustered_mean(values: np.ndarray, clusters: Clusters) -> Estimate:
    """The mean of values (N,), its 95 % t interval and two-sided p-value against 0.

    The variance is that of users plus that of items less that of single values, and at least that
    of either.
    """
    mean, nothing = float(np.mean(values)), float("nan")
    if clusters.smallest < 3:
        return Estimate(mean, nothing, nothing, clusters.folds)
    fitted = sm.OLS(values, np.ones(len(values))).fit()
    of_users = float(cov_cluster(fitted, clusters.users)[0, 0])
    variance = of_users
    if clusters.items is not None:
        of_items = float(cov_cluster(fitted, clusters.items)[0, 0])
        of_values = float(np.var(values, ddof=1)) / len(values)
        variance = max(of_users + of_items - of_values, of_users, of_items)
    share = clusters.test_share
    error = math.sqrt(variance * (1 + clusters.folds * share / (1 - share)))
    return t_interval(mean, error, clusters.smallest - 1, clusters.folds)
