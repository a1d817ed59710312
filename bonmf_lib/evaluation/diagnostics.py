"""What a rating model fails at: calibration, order, variance and overfitting, and three signatures
made of them.

Errors are divided by the spread of the true ratings and top-K metrics are placed between a random
order (0) and a perfect one (1), so that one set of thresholds serves every data set. The thresholds
are conventions of this library, set on constructed cases and on the user and item means of
MovieLens-100K; the numbers beside them are what counts.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..errors import RecordError
from ..training.loop import History
from .rating import (
    DEFINITION,
    TopKDefinition,
    defined_mean,
    places_in_groups,
    rating_gains,
    top_k,
)

# MSE / variance of the truth: less than a quarter of the variance is explained
HIGH_RELATIVE_MSE = 0.75
# of precision or NDCG: less than a quarter of the way from a random order to a perfect one
LOW_GAIN = 0.25
# of precision: two fifths of that way; user and item means reach 0.47 on MovieLens-100K
HIGH_GAIN = 0.4
LOW_RANK_CORRELATION = 0.2  # mean Spearman correlation within users
LARGE_BIAS = 0.1  # |mean error| and expected calibration error, in standard deviations of the truth
SLOPE_OFF = 0.1  # |slope - 1| of the truth on the prediction
LARGE_RUN_SPREAD = 0.02  # standard deviation of the MSE over runs / its mean
LARGE_SPREAD_TO_SAMPLING = (
    2.0  # standard deviation of the MSE over runs / what drawing the test ratings alone gives
)
LARGE_INITIALISATION_SHARE = 0.1  # variance of predictions over initialisations / MSE
LARGE_GAP = 0.25  # (validation - training loss) / validation loss, last epoch
LARGE_RISE = 0.02  # (last - best validation loss) / best
BINS = 15

SIGNATURES = {
    "high MSE, low P@K": "biased or badly calibrated",
    "low NDCG, high P@K": "wrong order",
    "large variance across runs": "overfitting or unstable training",
}
_COLUMNS = ("user", "item", "rating", "predicted")


def calibration_numbers(
    truth: np.ndarray, predicted: np.ndarray, bins: int = BINS
) -> dict[str, float]:
    """How predictions (N,) relate to true ratings (N,) on average, in rating units.

    slope, intercept: least squares of truth on prediction, 1 and 0 when calibrated; slope < 1 =
        predictions too extreme, > 1 = too timid; NaN for a constant prediction.
    bias: mean of predicted - truth.
    ece: sum over quantile bins b of the prediction of n_b / N * |mean truth - mean prediction|
        (expected calibration error, Naeini et al., 2015, for ratings); equal predictions share a
        bin.
    """
    truth, predicted = truth.astype(np.float64), predicted.astype(np.float64)
    away = predicted - predicted.mean()
    spread = float(away @ away)
    slope = float(away @ truth) / spread if np.ptp(predicted) > 0 else float("nan")
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(edges, predicted, side="right")
    return {
        "slope": slope,
        "intercept": float(truth.mean() - slope * predicted.mean()),
        "bias": float(np.mean(predicted - truth)),
        "ece": float(np.abs(np.bincount(place, truth - predicted)).sum() / len(truth)),
    }


def rank_correlation(users: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean over users of Spearman's correlation of truth and prediction, in [-1, 1]; all arguments
    (N,).

    Equal values share their mean rank. Users whose true ratings are all equal are left out (NaN
    when that is everybody); equal predictions for all items of a user count as 0.
    """
    ids, user = np.unique(users, return_inverse=True)
    ranks = pd.DataFrame({"truth": truth, "predicted": predicted}).groupby(user).rank().to_numpy()
    counts = np.bincount(user)
    centred = ranks - ((counts + 1) / 2)[user][:, None]
    products = (centred[:, 0] * centred[:, 1], centred[:, 0] ** 2, centred[:, 1] ** 2)
    both, first, second = (np.bincount(user, values, minlength=len(ids)) for values in products)
    varies = first > 0
    if not varies.any():
        return float("nan")
    scale = np.sqrt(first * second)[varies]
    return float(np.divide(both[varies], scale, out=np.zeros_like(scale), where=scale > 0).mean())


def ordering_numbers(
    users: np.ndarray,
    truth: np.ndarray,
    predicted: np.ndarray,
    definition: TopKDefinition = DEFINITION,
) -> dict[str, float]:
    """Order within each user's own test items: precision, ndcg (as in :func:`.rating.top_k`),
    spearman, and gains.

    gain = (metric - metric of a random order) / (metric of a perfect order - metric of a random
    order), each metric averaged over the users for whom it is defined; 1 = perfect, 0 = random,
    below 0 = worse. The random order's metric is its exact expectation: precision = the user's
    share of relevant items, DCG@K = mean gain * sum of the discounts. NaN when every order is
    equally good.
    """
    found = top_k(users, truth, predicted, definition)
    perfect = top_k(users, truth, truth, definition)
    _, user = np.unique(users, return_inverse=True)
    counts = np.bincount(user)
    chance = np.bincount(user, truth >= definition.threshold) / counts
    gains = rating_gains(truth, definition)
    discount = np.cumsum(1 / np.log2(np.arange(2, definition.k + 2)))
    ideal_dcg = _ideal_dcg(user, gains, definition.k)
    random_dcg = np.bincount(user, gains) / counts * discount[np.minimum(counts, definition.k) - 1]
    random_ndcg = np.divide(
        random_dcg, ideal_dcg, out=np.full(len(counts), np.nan), where=ideal_dcg > 0
    )
    out = {"precision": float(found["precision"].mean()), "ndcg": defined_mean(found["ndcg"])}
    out["precision gain"] = _gain(
        out["precision"], float(chance.mean()), float(perfect["precision"].mean())
    )
    out["ndcg gain"] = _gain(out["ndcg"], defined_mean(random_ndcg), 1.0)
    return out | {"spearman": rank_correlation(users, truth, predicted)}


def _ideal_dcg(user: np.ndarray, gains: np.ndarray, k: int) -> np.ndarray:
    counts = np.bincount(user)
    order = np.lexsort((-gains, user))
    rank = places_in_groups(counts)
    first = order[rank < k]
    return np.bincount(
        user[first], gains[first] / np.log2(rank[rank < k] + 2), minlength=len(counts)
    )


def _gain(value: float, chance: float, perfect: float) -> float:
    return (value - chance) / (perfect - chance) if perfect - chance > 1e-12 else float("nan")


def run_spread(mse: Sequence[float]) -> float:
    """Standard deviation of the runs' MSE (J,), with J - 1 in its denominator, / their mean; NaN
    for one run."""
    values = np.asarray(mse, np.float64)
    return (
        float(values.std(ddof=1) / values.mean())
        if len(values) > 1 and values.mean() > 0
        else float("nan")
    )


def sampling_spread(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Standard error of the MSE / the MSE, from N independent test ratings: sd(e^2) / (sqrt(N)
    mean(e^2)).

    What :func:`run_spread` shows of a perfectly stable model when every run has other test ratings;
    NaN without error.
    """
    squared = (predicted.astype(np.float64) - truth) ** 2
    return (
        float(squared.std() / np.sqrt(len(squared)) / squared.mean())
        if squared.any()
        else float("nan")
    )


def initialisation_variance(predictions: np.ndarray) -> float:
    """Variance of predictions over R >= 2 initial weights on the same rows (R, N), averaged over
    the rows.

    Mean squared error = error of the mean prediction + this variance * (R - 1) / R (bias-variance
    decomposition).
    """
    if predictions.ndim != 2 or len(predictions) < 2:
        raise RecordError(
            "The spread over initialisations needs (R >= 2, N) predictions, "
            f"got {predictions.shape}."
        )
    return float(predictions.astype(np.float64).var(axis=0, ddof=1).mean())


def overfitting_numbers(history: History) -> dict[str, float]:
    """gap: (validation - training loss) / validation loss of the last epoch; rise: validation loss
    of the last epoch over the lowest one - 1. NaN without validation. The training loss, the mean
    over the epoch's batches, must be an MSE for the gap to mean anything; an early-stopped run
    rises on purpose and keeps its best weights.
    """
    valid = np.asarray(history.valid, np.float64)
    if not len(valid) or np.isnan(valid).any():
        return {"gap": float("nan"), "rise": float("nan")}
    return {
        "gap": float((valid[-1] - history.train_loss[-1]) / valid[-1]),
        "rise": float(valid[-1] / valid.min() - 1),
    }


def diagnose(
    tables: pd.DataFrame | Sequence[pd.DataFrame],
    histories: Sequence[History] = (),
    initialisations: np.ndarray | None = None,
    definition: TopKDefinition = DEFINITION,
) -> pd.DataFrame:
    """The three failure signatures of a rating model, number by number.

    A signature is present when all its conditions hold. The evidence rows say whether the cause
    named in the reading is there; they do not decide. A constant bias, for instance, leaves every
    order and so P@K as it is: it shows in the evidence, not in the first signature.

    Args:
        tables: test predictions of one model, one table (columns user, item, rating, predicted) per
            seed; numbers of several tables are averaged.
        histories: of the same runs.
        initialisations: predictions (R, N) on the rows of the first table, from R initial weights.

    Returns:
        columns signature, reading, role (``condition`` or ``evidence``), quantity, value,
        comparison (``>`` or ``<``), threshold, holds (False for a NaN value), present (of the whole
        signature).

    Raises:
        RecordError: no table, or one that lacks a column, is empty or holds numbers that are not
        finite.
    """
    tables = [tables] if isinstance(tables, pd.DataFrame) else list(tables)
    if not tables:
        raise RecordError("A diagnosis needs at least one test table.")
    numbers = pd.DataFrame([_numbers(table, definition) for table in tables]).mean()
    over = pd.DataFrame(
        [overfitting_numbers(history) for history in histories], columns=["gap", "rise"]
    ).mean()
    mse = [float(((table["predicted"] - table["rating"]) ** 2).mean()) for table in tables]
    share = float("nan")
    if initialisations is not None:
        if initialisations.shape[1:] != (len(tables[0]),):
            raise RecordError(
                f"initialisations {initialisations.shape} do not fit {len(tables[0])} test rows."
            )
        errors = (initialisations.astype(np.float64) - tables[0]["rating"].to_numpy()) ** 2
        share = (
            float(initialisation_variance(initialisations) / errors.mean())
            if errors.any()
            else float("nan")
        )
    k = definition.k
    spread, sampling = run_spread(mse), numbers["sampling spread"]
    precision, ndcg, spearman = numbers[["precision gain", "ndcg gain", "spearman"]]
    rows = {
        "high MSE, low P@K": [
            (
                "condition",
                "MSE / variance of the ratings",
                numbers["relative mse"],
                ">",
                HIGH_RELATIVE_MSE,
            ),
            ("condition", f"P@{k}, from random (0) to perfect (1)", precision, "<", LOW_GAIN),
            ("evidence", "|bias| / sd of the ratings", numbers["relative bias"], ">", LARGE_BIAS),
            ("evidence", "|calibration slope - 1|", numbers["slope off"], ">", SLOPE_OFF),
            (
                "evidence",
                "calibration error / sd of the ratings",
                numbers["relative ece"],
                ">",
                LARGE_BIAS,
            ),
        ],
        "low NDCG, high P@K": [
            ("condition", f"NDCG@{k}, from random (0) to perfect (1)", ndcg, "<", LOW_GAIN),
            ("condition", f"P@{k}, from random (0) to perfect (1)", precision, ">", HIGH_GAIN),
            ("evidence", "rank correlation within users", spearman, "<", LOW_RANK_CORRELATION),
        ],
        "large variance across runs": [
            ("condition", "sd of the MSE over runs / mean", spread, ">", LARGE_RUN_SPREAD),
            (
                "evidence",
                "that sd / sd from drawing the test ratings",
                spread / sampling,
                ">",
                LARGE_SPREAD_TO_SAMPLING,
            ),
            (
                "evidence",
                "variance over initialisations / MSE",
                share,
                ">",
                LARGE_INITIALISATION_SHARE,
            ),
            ("evidence", "validation - training loss, relative", over["gap"], ">", LARGE_GAP),
            (
                "evidence",
                "rise of the validation loss after its best",
                over["rise"],
                ">",
                LARGE_RISE,
            ),
        ],
    }
    columns = ["signature", "role", "quantity", "value", "comparison", "threshold"]
    out = pd.DataFrame(
        [(name, *row) for name, found in rows.items() for row in found], columns=columns
    )
    out.insert(1, "reading", out["signature"].map(SIGNATURES))
    above = out["comparison"] == ">"
    out["holds"] = (above & (out["value"] > out["threshold"])) | (
        ~above & (out["value"] < out["threshold"])
    )
    conditions = out[out["role"] == "condition"].groupby("signature")["holds"].all()
    out["present"] = out["signature"].map(conditions)
    return out


def _numbers(table: pd.DataFrame, definition: TopKDefinition) -> dict[str, float]:
    missing = [column for column in _COLUMNS if column not in table]
    if missing or table.empty:
        raise RecordError(
            f"A test table needs rows and the columns {', '.join(_COLUMNS)}; "
            f"got {list(table.columns)}."
        )
    users, truth, predicted = (table[name].to_numpy() for name in ("user", "rating", "predicted"))
    if not (np.isfinite(truth).all() and np.isfinite(predicted).all()):
        raise RecordError("A test table holds ratings or predictions that are not finite.")
    found = calibration_numbers(truth, predicted)
    spread = float(truth.astype(np.float64).std()) or float("nan")
    return {
        "relative mse": float(np.mean((predicted.astype(np.float64) - truth) ** 2)) / spread**2,
        "relative bias": abs(found["bias"]) / spread,
        "slope off": abs(found["slope"] - 1),
        "relative ece": found["ece"] / spread,
        "sampling spread": sampling_spread(truth, predicted),
        **ordering_numbers(users, truth, predicted, definition),
    }
