"""10: does what texts tell of ratings in one domain hold in another? A content tower (ridge
regression from text vectors to how an item is liked) learned on one domain and asked about the cold
items of another, whose ratings it has never seen.

    z_ui  = (r_ui - mean) / deviation                   of the domain's own training ratings
    m_u   = sum_i z_ui / (n_u + lambda)                 the user's mean, shrunken
    y_i   = sum_u (z_ui - m_u) / (n_i + lambda)         how the item is liked, what the tower learns
    r^_ui = mean + deviation (m_u + tower(t_i))         on the other domain, with its own mean,
                                                        deviation and user means

Text vectors are standardised by column within each domain, which needs no ratings. y counts in
standard deviations of the domain's ratings, so that a tower of a scale from 1 to 10 can be asked on
one from 1 to 5. Both data sets of MovieLens hold the same movies, so neither is another domain to
the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.linear_model import RidgeCV
from threadpoolctl import threadpool_limits

from ..encoders import get_encoder
from ..encoders.controls import Shuffled
from ..encoders.features import Features
from ..encoders.text import TfidfEncoder
from ..evaluation.overlap import ALPHAS
from ..experiments.protocols import COLD_ITEM_SHARE
from ..models.rating.bias import UserItemBiasConfig
from ..progress import progress
from ..runs.run import Run
from ..splits.rules import ColdItems, resampling_share

SHRINKAGE = UserItemBiasConfig().regularisation  # lambda, in ratings
OWN, OTHERS, AMAZON = "its own", "all others", "Amazon"  # what a tower learned from, besides one
GLOBAL_MEAN, USER_MEAN, ITEM_MEAN = "global mean", "user mean", "item mean"
LEAST_RATINGS = 5  # of a cold item whose place among others is compared with the tower's


@dataclass(frozen=True, eq=False)
class Domain:
    """One data set on one seed's split of cold items, ratings in standard deviations.

    Attributes:
        text: float32 (items, dim), standardised by column; 0 where there is no text.
        shuffled: the same, each vector given to another item.
        liked, weight: y and n / (n + lambda) of every item, (items,); weight 0 without training
            ratings or text.
        users: shrunken mean of the user of every test rating, (N,). items: of every test rating,
            int64 (N,). truth: test ratings, (N,).
        ends: lowest and highest rating of the scale.
        share: what intervals over seeds rest on.
    """

    text: np.ndarray
    shuffled: np.ndarray
    liked: np.ndarray
    weight: np.ndarray
    users: np.ndarray
    items: np.ndarray
    truth: np.ndarray
    ends: tuple[float, float]
    share: float

    def error(self, predicted: np.ndarray) -> float:
        """MSE of predictions (N,) of the test ratings, clipped to the scale; 1 is the variance of
        the training ratings."""
        return float(np.mean((predicted.clip(*self.ends) - self.truth) ** 2))


def towers_possible(runs: Mapping[str, Run]) -> dict[str, Run]:
    """Those that have ratings and texts which one encoder reads in the same way everywhere: vectors
    that data came with, and encoders that are fitted to their texts, are no common language."""
    return {
        name: run
        for name, run in runs.items()
        if run.dataset.scale.rates
        and run.dataset.has("text")
        and not isinstance(get_encoder(run.settings.encoders.text, "text"), TfidfEncoder)
    }


def domain_of(run: Run, seed: int) -> Domain:
    """A run's data, split for one seed."""
    split = run.split(ColdItems(COLD_ITEM_SHARE), seed)
    ratings, dataset = run.dataset.ratings, run.dataset
    user, item = (ratings[side].to_numpy() for side in ("user", "item"))
    train, test = split.train, split.test
    known = ratings["rating"].to_numpy(np.float64)
    mean, deviation = known[train].mean(), known[train].std()
    z = (known - mean) / deviation
    user_mean = _shrunken(user[train], z[train], dataset.n_users)
    liked = _shrunken(item[train], z[train] - user_mean[user[train]], dataset.n_items)
    count = np.bincount(item[train], minlength=dataset.n_items)
    features = run.features("text", encoder=run.settings.encoders.text)
    return Domain(
        features.standardized(),
        _shuffled(run, features),
        liked,
        features.present * count / (count + SHRINKAGE),
        user_mean[user[test]],
        item[test],
        z[test],
        ((dataset.scale.low - mean) / deviation, (dataset.scale.high - mean) / deviation),
        resampling_share(split.rule, split.test_share),
    )


def _shrunken(ids: np.ndarray, values: np.ndarray, total: int) -> np.ndarray:
    """Sum of the values of every id over their number plus ``SHRINKAGE``, (total,)."""
    return np.bincount(ids, values, total) / (np.bincount(ids, minlength=total) + SHRINKAGE)


def _shuffled(run: Run, features: Features) -> np.ndarray:
    return Shuffled(run.settings.encoders.text, "text").dealt(features).standardized()


def tower(sources: Sequence[Domain]) -> RidgeCV:
    """Ridge regression of how items are liked on their texts, items with more ratings counting
    more; its penalty by leave-one-out validation on these same domains."""
    rows = [np.flatnonzero(source.weight) for source in sources]
    parts = list(zip(sources, rows, strict=True))
    x, y, weight = (
        np.concatenate([getattr(source, what)[own] for source, own in parts])
        for what in ("text", "liked", "weight")
    )
    return RidgeCV(ALPHAS).fit(x, y, sample_weight=weight)


def sources_of(target: str, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What towers for a domain learn from: itself, each other domain, all others together, and
    Amazon's together where the target is not one of them."""
    others = tuple(name for name in names if name != target and not _same_items(name, target))
    found = {OWN: (target,)} | {name: (name,) for name in others}
    amazon = tuple(name for name in others if name.startswith("amazon-"))
    if len(amazon) > 1 and not target.startswith("amazon-"):
        found[AMAZON] = amazon
    if len(others) > 1:
        found[OTHERS] = others
    return found


def _same_items(*names: str) -> bool:
    return all(name.startswith("ml-") for name in names)


def transferred(runs: Mapping[str, Run], seeds: Sequence[int]) -> pd.DataFrame:
    """Errors on the cold items of every domain, by what a tower learned from, and of means.

    Returns:
        columns target, source (``""`` of means), model (``tower``, ``shuffled`` or a mean), seed,
        mse (in variances of the target's training ratings), correlation (Spearman's, of the tower's
        values and how cold items with at least ``LEAST_RATINGS`` test ratings turn out to be liked;
        NaN of means), share. Empty without a text in any domain.
    """
    possible, rows = towers_possible(runs), []
    for seed in progress(seeds, "content towers", len(seeds)):
        domains = {name: domain_of(run, seed) for name, run in possible.items()}
        rows += [row | {"seed": seed} for row in _on_seed(domains)]
    columns = ["target", "source", "model", "seed", "mse", "correlation", "share"]
    return pd.DataFrame(rows, columns=columns)


@threadpool_limits.wrap(1)
def _on_seed(domains: Mapping[str, Domain]) -> list[dict]:
    fitted: dict[tuple[str, ...], RidgeCV] = {}
    rows = []
    for target, domain in domains.items():
        rows += [{"target": target, "source": "", **row} for row in _means(domain)]
        for source, names in sources_of(target, list(domains)).items():
            if names not in fitted:
                fitted[names] = tower([domains[name] for name in names])
            rows += [
                {"target": target, "source": source, **row} for row in _asked(domain, fitted[names])
            ]
    return rows


def _asked(domain: Domain, fitted: RidgeCV) -> list[dict]:
    """A tower on a domain's cold items, and on the same with other items' texts."""
    rows = []
    for model, text in (("tower", domain.text), ("shuffled", domain.shuffled)):
        values = fitted.predict(text)
        values[~text.any(axis=1)] = 0.0  # an item without text is nobody's favourite
        rows.append(
            {
                "model": model,
                "mse": domain.error(domain.users + values[domain.items]),
                "correlation": _agreement(domain, values),
                "share": domain.share,
            }
        )
    return rows


def _agreement(domain: Domain, values: np.ndarray) -> float:
    residual, total = domain.truth - domain.users, len(values)
    count = np.bincount(domain.items, minlength=total)
    rated = count >= LEAST_RATINGS
    if rated.sum() < 3 or np.ptp(values[rated]) == 0:
        return float("nan")
    found = np.bincount(domain.items, residual, total)[rated] / count[rated]
    return float(spearmanr(values[rated], found).statistic)


def _means(domain: Domain) -> list[dict]:
    """The global mean, the user's, and the user's with the item's: of a cold item, the mean of its
    other test ratings, which no model may see: what content could at best replace."""
    residual, total = domain.truth - domain.users, len(domain.liked)
    sums = np.bincount(domain.items, residual, total)[domain.items] - residual
    others = np.bincount(domain.items, minlength=total)[domain.items] - 1
    predicted = {
        GLOBAL_MEAN: np.zeros_like(residual),
        USER_MEAN: domain.users,
        ITEM_MEAN: domain.users + sums / (others + SHRINKAGE),
    }
    return [
        {
            "model": name,
            "mse": domain.error(values),
            "correlation": float("nan"),
            "share": domain.share,
        }
        for name, values in predicted.items()
    ]
