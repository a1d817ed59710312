"""What a ranking gives: metrics of every list, and their means."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class Ranked:
    """Metrics of ranked lists.

    Attributes:
        users: whose list it is, int64 (lists,). per_list: values by metric, float64 (lists,).
        metrics: the means of these values, and what is said of all lists together; empty without
        lists.
    """

    users: np.ndarray
    per_list: dict[str, np.ndarray]
    metrics: dict[str, float]

    def per_user(self) -> pd.DataFrame:
        """One row per list: column user, then one per metric. A user has several rows where each
        test rating has a list of its own."""
        return pd.DataFrame({"user": self.users, **self.per_list})


NOTHING_RANKED = Ranked(np.zeros(0, np.int64), {}, {})
