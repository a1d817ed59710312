"""Overlap put to the test: estimators on planted data, modalities of real data, and what overlap
does to gains."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.stats import bootstrap, spearmanr
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from threadpoolctl import threadpool_limits

from ..datasets import Dataset, load_planted
from ..device import pick_device
from ..encoders import Features, encode_items
from ..errors import RecordError
from ..evaluation import mean_interval
from ..evaluation.overlap import ALPHAS, ESTIMATORS, hsic_test, information_shares
from ..experiments.protocols import early_stopped
from ..models import ModelInputs
from ..models.rating.biased_svd import BiasedSVDConfig
from ..models.rating.visual_fusion import VisualFusion
from ..parallel import in_parallel
from ..progress import progress
from ..runs.run import Run
from ..runs.training import Training
from ..runs.variant import Variant

FACTORS = 6  # that each planted modality tells; 0 to all of them are shared
WHITENED = 24  # principal components of planted features, twice the factors
RECOVERED = 0.95  # least rank correlation with the truth of an estimator that we recommend


def planted_recovery(
    sizes: Sequence[int] = (100, 300), seeds: Sequence[int] = (0, 1)
) -> pd.DataFrame:
    """Every estimator on planted data of every known overlap.

    Texts are read by TF-IDF and pictures by their pixels, so that encoders stand between the
    factors and the estimate; features are taken as encoded, and as models get them: principal
    components of equal variance.

    Returns:
        columns estimator, features (``as encoded`` or ``whitened``), items, seed, truth (share of
        factors that both modalities tell), found.
    """
    grid = [
        (size, seed, shared) for size in sizes for seed in seeds for shared in range(FACTORS + 1)
    ]
    parts = progress(in_parallel(_recovered, grid), "overlap estimators on planted data", len(grid))
    return pd.DataFrame([row for rows in parts for row in rows])


# small matrices: several threads wait for one another longer than they work
@threadpool_limits.wrap(1)
def _recovered(size: int, seed: int, shared: int) -> list[dict]:
    dataset, truth = load_planted(20, size, 10, FACTORS, shared, seed)
    encoded, rows = _planted_features(dataset), []
    kinds = {
        "as encoded": encoded,
        "whitened": [features.principal(WHITENED) for features in encoded],
    }
    for kind, (text, image) in kinds.items():
        given = {"features": kind, "items": size, "seed": seed, "truth": truth.overlap}
        x, y = text.standardized(), image.standardized()
        rows += [
            {"estimator": name, **given, "found": estimate(x, y)}
            for name, estimate in ESTIMATORS.items()
        ]
    return rows


def _planted_features(dataset: Dataset) -> tuple[Features, Features]:
    return encode_items(dataset, "text", "tfidf"), encode_items(dataset, "image", "pixels")


def recovery_table(recovered: pd.DataFrame) -> pd.DataFrame:
    """Per estimator, kind of features and number of items of :func:`planted_recovery`: how well
    overlap is ordered and how far it is off.

    Returns:
        index estimator, features, items; columns rank_correlation (Spearman, with the truth), bias
        (mean of found - truth), at_none, at_all (mean where nothing or everything is shared),
        recovers (rank correlation at least RECOVERED).
    """
    rows = {}
    for key, group in recovered.groupby(["estimator", "features", "items"], sort=False):
        varies = np.ptp(group["found"]) > 0
        rows[key] = {
            "rank_correlation": spearmanr(group["truth"], group["found"]).statistic
            if varies
            else float("nan"),
            "bias": (group["found"] - group["truth"]).mean(),
            "at_none": group.loc[group["truth"] == 0, "found"].mean(),
            "at_all": group.loc[group["truth"] == 1, "found"].mean(),
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis(
        ["estimator", "features", "items"]
    )
    return table.assign(recovers=table["rank_correlation"] >= RECOVERED)


def recommended_estimator(table: pd.DataFrame) -> str | None:
    """Of the estimators that recover the order in every condition, the one with the widest range
    between nothing and everything shared; None when none does."""
    sound = table.groupby("estimator").filter(lambda rows: rows["recovers"].all())
    ranges = (sound["at_all"] - sound["at_none"]).groupby("estimator").mean()
    return str(ranges.idxmax()) if len(ranges) else None


def recovery_sentence(table: pd.DataFrame) -> str:
    """Which estimators order planted overlap well in every condition, which do not, and which is
    recommended."""
    good = table.groupby("estimator", sort=False)["recovers"].all()
    words = (
        f"Rank correlation with the planted overlap of at least {RECOVERED} in every condition: "
    )
    words += ", ".join(good.index[good]) or "none"
    words += f"; not in every one: {', '.join(good.index[~good])}." if (~good).any() else "."
    best = recommended_estimator(table)
    return words if best is None else f"{words} Recommended, for its range: {best}."


def planted_information(
    seeds: Sequence[int] = (0, 1, 2), users: int = 60, items: int = 300
) -> pd.DataFrame:
    """What planted texts and pictures tell of planted ratings, together and apart, where the
    overlap is known.

    Everyone has rated everything; ridge regressions predict the ratings of held-out items (five
    folds) from text, picture and both. The ratings follow all factors alike, so ``shared / (2
    FACTORS - shared)`` of what content can tell is told by both modalities.

    Returns:
        columns truth (that share), seed, gain (what the picture adds to the text), redundant,
        co_information; the last three as shares of what both tell together.
    """
    grid = [(seed, shared, users, items) for seed in seeds for shared in range(FACTORS + 1)]
    return pd.DataFrame(
        progress(in_parallel(_information, grid), "information on planted data", len(grid))
    )


@threadpool_limits.wrap(1)
def _information(seed: int, shared: int, users: int, items: int) -> dict:
    dataset, _ = load_planted(users, items, items, FACTORS, shared, seed)
    text, image = (features.standardized() for features in _planted_features(dataset))
    ratings = np.zeros((items, users))
    ratings[dataset.ratings["item"], dataset.ratings["user"]] = dataset.ratings["rating"]
    ratings -= ratings.mean(axis=0)
    losses = [_ridge_loss(x, ratings) for x in (text, image, np.concatenate([text, image], axis=1))]
    shares = information_shares(1.0, *losses)
    together = 1 - losses[2]
    return {
        "truth": shared / (2 * FACTORS - shared), "seed": seed,
        "gain": (losses[0] - losses[2]) / together,
        "redundant": shares.redundant / together,
        "co_information": shares.co_information / together,
    }  # fmt: skip


def _ridge_loss(x: np.ndarray, y: np.ndarray) -> float:
    """Share of the variance of y that ridge regression on x does not predict on held-out rows."""
    predicted = cross_val_predict(RidgeCV(ALPHAS), x, y, cv=KFold(5, shuffle=True, random_state=0))
    return float(np.sum((y - predicted) ** 2) / np.sum(y**2))


def measured_overlap(
    pairs: dict[str, tuple[Features, Features]], most: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Every estimator on pairs of modalities of real items, beside the same after shuffling one of
    them.

    Args:
        pairs: by name; items that have both are used, at most ``most`` at random.

    Returns:
        index pair, estimator; columns overlap, by_chance (shuffled), items, p_value (of the
        independence test; only where the estimator has one).
    """
    jobs = [
        (*features, estimator, most, seed)
        for features in pairs.values()
        for estimator in ESTIMATORS
    ]
    rows = progress(in_parallel(_measured, jobs), "overlap estimators", len(jobs))
    index = pd.MultiIndex.from_product([pairs, ESTIMATORS], names=["pair", "estimator"])
    return pd.DataFrame(list(rows), index)


@threadpool_limits.wrap(1)
def _measured(one: Features, other: Features, name: str, most: int, seed: int) -> dict[str, float]:
    random, estimator = np.random.default_rng(seed), ESTIMATORS[name]
    both = np.flatnonzero(one.present & other.present)
    items = np.sort(random.permutation(both)[:most])
    x, y = one.standardized()[items], other.standardized()[items]
    shuffled = y[random.permutation(len(y))]
    row = {"overlap": estimator(x, y), "by_chance": estimator(x, shuffled), "items": len(items)}
    return row | ({"p_value": hsic_test(x, y).p_value} if name == "HSIC alignment" else {})


def collaborative_features(run: Run, seed: int) -> Features:
    """What item IDs know: the item factors of a biased SVD, trained early-stopped on one seed;
    items without training ratings are missing."""
    row = early_stopped(run, "Biased SVD", BiasedSVDConfig(), model="biased-svd")
    training = Training(run, row, seed)
    training.train(weights=True)
    factors = training.model().item_factors.weight.detach().cpu().numpy()
    seen = np.isin(
        np.arange(run.dataset.n_items), run.dataset.ratings["item"].to_numpy()[training.split.train]
    )
    return Features(
        np.where(seen[:, None], factors, 0), seen, "biased SVD's item factors", "1", training.key
    )


def information_table(
    per_seed: Sequence[dict], given: frozenset[str], test_share: float
) -> pd.DataFrame:
    """What text and picture tell of ratings together and apart, on top of ``given``, with 95 %
    intervals over seeds.

    Args:
        per_seed: losses by subset of inputs, of :func:`bonmf_lib.report.tables.by_subset`.

    Returns:
        index text alone, picture alone, redundant, unique text, unique picture, synergy, together
        (both inputs), co-information; columns mean, low, high (reduction of the loss). Redundant,
        unique and synergy are NaN where an input alone does not lower the mean loss: information is
        not negative.

    Raises:
        RecordError: no seed.
    """
    if not per_seed:
        raise RecordError(
            "What inputs tell of ratings needs the losses of at least one seed, got none."
        )
    extras = [frozenset(extra) for extra in ((), ("text",), ("picture",), ("text", "picture"))]
    shares = [
        information_shares(*(losses[given | extra] for extra in extras)) for losses in per_seed
    ]
    names = {
        "redundant": "redundant",
        "unique_x": "unique text",
        "unique_y": "unique picture",
        "synergy": "synergy",
    }
    parts = {
        title: np.array([getattr(share, name) for share in shares]) for name, title in names.items()
    }
    columns = {
        "text alone": parts["redundant"] + parts["unique text"],
        "picture alone": parts["redundant"] + parts["unique picture"],
        **parts,
        "together": sum(parts.values()),
        "co-information": np.array([share.co_information for share in shares]),
    }
    found = {title: mean_interval(values, test_share) for title, values in columns.items()}
    rows = {title: {"mean": e.mean, "low": e.low, "high": e.high} for title, e in found.items()}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("information")
    if (table.loc[["text alone", "picture alone"], "mean"] <= 0).any():
        table.loc[list(parts)] = np.nan
    return table


_KNOWN = {"nothing else known": frozenset(), "on top of IDs": frozenset({"ID"})}


def information_tables(per_seed: Sequence[dict], test_share: float) -> dict[str, pd.DataFrame]:
    """:func:`information_table` with nothing else known and on top of IDs, by these titles."""
    return {
        title: information_table(per_seed, given, test_share) for title, given in _KNOWN.items()
    }


def item_gains(run: Run, without: Variant, with_it: Variant, seeds: Sequence[int]) -> pd.Series:
    """Reduction of the squared error per item, mean over its test ratings and seeds; index item."""
    gains = []
    for seed in seeds:
        tables = [Training(run, variant, seed).predictions() for variant in (without, with_it)]
        errors = [(table["predicted"] - table["rating"]) ** 2 for table in tables]
        gains.append(pd.DataFrame({"item": tables[0]["item"], "gain": errors[0] - errors[1]}))
    return pd.concat(gains).groupby("item")["gain"].mean()


def genre_table(
    dataset: Dataset, overlap: np.ndarray, gain: pd.Series, least: int = 20
) -> pd.DataFrame:
    """Mean overlap and mean gain per genre with at least ``least`` items that have both, highest
    overlap first.

    Args:
        overlap: of :func:`bonmf_lib.evaluation.overlap.item_overlap`. gain: of :func:`item_gains`.
    """
    table = pd.DataFrame(
        {"overlap": overlap, "gain": gain.reindex(range(dataset.n_items)).to_numpy()}
    ).dropna()
    exploded = (
        table.assign(genre=dataset.items["genres"].iloc[table.index].to_numpy())
        .explode("genre")
        .dropna()
    )
    rows = {}
    for genre, group in exploded.groupby("genre"):
        if len(group) >= least:
            row = {"items": len(group)}
            for name in ("overlap", "gain"):
                found = mean_interval(group[name].to_numpy(), test_share=0)
                row |= {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}
            rows[genre] = row
    frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("genre")
    return frame.sort_values("overlap", ascending=False) if len(frame) else frame


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation with a bootstrapped 95 % interval (percentiles)."""

    value: float
    low: float
    high: float
    items: int


def overlap_gain_correlation(overlap: np.ndarray, gain: pd.Series, seed: int = 0) -> Correlation:
    """Does the picture gain more where it says less of what the text says? Over items."""
    items = gain.index[np.isfinite(overlap[gain.index])]
    x, y = overlap[items], gain.loc[items].to_numpy()
    found = bootstrap(
        (x, y), lambda a, b: spearmanr(a, b).statistic, paired=True, vectorized=False,
        n_resamples=500, method="percentile", random_state=seed,
    )  # fmt: skip
    interval = found.confidence_interval
    return Correlation(
        float(spearmanr(x, y).statistic), float(interval.low), float(interval.high), len(items)
    )


def correlation_sentence(found: Correlation) -> str:
    """What the correlation says, in words chosen by its interval."""
    if found.low > 0:
        return "The picture gains more where the text predicts it: overlap is no handicap here."
    if found.high < 0:
        return (
            "The picture gains more where the text does not predict it, "
            "as redundancy would have it."
        )
    return "How well the text predicts a picture is not shown to decide what the picture gains."


@torch.no_grad()
def learned_overlap(
    model: VisualFusion, inputs: ModelInputs, estimator: str, seed: int = 0
) -> dict[str, float]:
    """An estimator's overlap of what a trained model hears of text and picture apart, over items
    that have both, and the same by chance (pictures shuffled)."""
    both = torch.from_numpy(np.flatnonzero(inputs.text.present & inputs.image.present)).to(
        pick_device()
    )
    text, image = (part.cpu().numpy() for part in model.eval().heard(both))
    shuffled = image[np.random.default_rng(seed).permutation(len(image))]
    return {
        "overlap": ESTIMATORS[estimator](text, image),
        "by chance": ESTIMATORS[estimator](text, shuffled),
    }
