"""Tables of an audit: the models side by side, which metrics tell nothing, and gains by how often
an item was rated."""

from dataclasses import asdict

import numpy as np
import pandas as pd

from ..claims.judge import LOWER_IS_BETTER
from ..datasets.summary import coverage
from ..datasets.words import upper_first
from ..experiments.names import is_control
from ..runs.run import Run
from ..runs.training import Training
from ..runs.variant import VALID_SHARE
from . import rows as rows_of
from .measured import Measured
from .situations import LISTED
from .words import asked, shown, where

VACUOUS = 0.02  # relative: a metric on which the mean rating comes this near the best tells nothing
METRICS = {"mse": "MSE", "mae": "MAE", "precision@10": "Precision@10", "ndcg@10": "NDCG@10"}
_RANKED = {"recall@20": "Recall@20", "ndcg@20": "NDCG@20", "coverage@20": "coverage@20"}
SUPPORT = ((0, 0), (1, 4), (5, 9), (10, 19), (20, None))  # training ratings of an item


def model_table(measured: Measured) -> pd.DataFrame:
    """Means over folds of every row, controls last, and what validation chose by; metrics that tell
    nothing (:func:`vacuous`) in brackets."""
    metrics = METRICS if measured.situation.ranking is None else _RANKED
    records = measured.records
    wide = records.pivot_table("value", "variant", "metric", aggfunc="mean")
    names = sorted(measured.rows, key=is_control)
    table = wide.reindex(names)[[name for name in metrics if name in wide]].rename(columns=metrics)
    table.insert(0, "validation", measured.validation[names])
    strongest = measured.strongest
    index = [f"{name} (the one to beat)" if name == strongest else name for name in names]
    hollow = {name: table[name].map("({:.4f})".format) for name in vacuous(measured)}
    return table.round(4).assign(**hollow).set_axis(index).rename_axis("model")


def coverage_table(run: Run) -> pd.DataFrame:
    """Items that have a text or a picture, in the data's own words."""
    return coverage(run.dataset).rename({"picture": run.dataset.words.picture}).round(3)


def vacuous(measured: Measured) -> list[str]:
    """Names of metrics on which the mean rating, which knows nobody, comes within ``VACUOUS`` of
    the best row."""
    if rows_of.MEAN not in measured.rows:
        return []
    means = measured.records.pivot_table("value", "variant", "metric", aggfunc="mean")
    real = [name for name in measured.rows if name != rows_of.MEAN and not is_control(name)]
    found = []
    for metric, title in METRICS.items():
        if metric not in means:
            continue
        of_rows = means.loc[real, metric]
        best = of_rows.min() if metric in LOWER_IS_BETTER else of_rows.max()
        if abs(means.loc[rows_of.MEAN, metric] - best) <= VACUOUS * abs(best):
            found.append(title)
    return found


def by_chance(measured: Measured) -> float:
    """Which share of a user's tested items a random order of all that compete would list; mean over
    users and draws."""
    run, situation, tested = measured.run, measured.situation, measured.tested
    shares = []
    for seed in situation.seeds:
        train = run.split(situation.split, seed, VALID_SHARE).train
        known = np.bincount(run.dataset.ratings["user"].iloc[train], minlength=run.dataset.n_users)
        users = tested.loc[tested["seed"] == seed, "user"].to_numpy()
        shares.append(np.minimum(1, LISTED / (run.dataset.n_items - known[users])))
    return float(np.concatenate(shares).mean())


def vacuous_sentence(measured: Measured) -> str:
    """Which metrics tell nothing on these data; where items are ranked, what chance would find."""
    names, words = vacuous(measured), measured.run.dataset.words
    place = upper_first(where(measured.situation.name, words))
    if measured.situation.ranking is not None:
        return (
            f"{place}, a random order finds {100 * by_chance(measured):.1f} % of a user's tested "
            f"{words.items} with its first {LISTED}."
        )
    if not names:
        return f"{place}, no metric of the table is empty: each tells the best model from the mean."
    verb = "tells" if len(names) == 1 else "tell"
    return (
        f"{place}, {' and '.join(names)} (in brackets) {verb} nothing: predicting the mean rating "
        f"for everything comes within {VACUOUS:.0%} of the best."
    )


def support_table(measured: list[Measured]) -> pd.DataFrame:
    """Gain over the strongest model without content by training ratings of the item, beside its
    control's; ``RATED`` and ``NEW`` items together."""
    rows = {}
    for low, high in SUPPORT:
        cells: dict[str, str | int] = {}
        for one in measured:
            support = one.tested["support"].to_numpy()
            chosen = (support >= low) & (support <= (np.inf if high is None else high))
            # items without a training rating are those of the folds of items
            if not chosen.any() or (low == 0) != one.situation.is_new:
                continue
            cells = {"ratings": int(chosen.sum())} | _cells(one, chosen)
        if cells:
            rows["20 or more" if high is None else "none" if not high else f"{low} to {high}"] = (
                cells
            )
    table = pd.DataFrame.from_dict(rows, orient="index").fillna("")
    return table.rename_axis("training ratings of the item")


def _cells(one: Measured, chosen: np.ndarray) -> dict[str, str]:
    cells = {}
    for what in one.questions:
        has = rows_of.has(one.run, what)[one.tested["item"].to_numpy()] & chosen
        for control in (False, True):
            title = asked(what, one.run.dataset.words) + f", {rows_of.CONTROL}" * control
            gain = one.gain(one.row_name(what, control), one.strongest, has)
            cells[f"{title}, %"] = shown(gain) if gain.mean == gain.mean else ""
    return cells


def settings_table(measured: Measured) -> pd.DataFrame:
    """What the search chose for every row, and how long it trained."""
    shown_names = (
        "factors", "regularisation", "content_regularisation", "taste_regularisation",
    )  # fmt: skip
    rows = {}
    for name, row in measured.rows.items():
        if is_control(name):
            continue
        config = asdict(row.model_config)
        cells = {key: _setting(config[key]) for key in shown_names if key in config}
        epochs = [
            Training(measured.trained_on, row, seed).history().best_epoch
            for seed in measured.situation.seeds
        ]
        if row.training.patience is not None:
            cells["learning rate"] = _setting(row.training.learning_rate)
            cells["best epochs"] = f"{min(epochs)} to {max(epochs)}"
        rows[name] = {key.replace("_", " "): value for key, value in cells.items()}
    return pd.DataFrame.from_dict(rows, orient="index").fillna("").rename_axis("model")


def _setting(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return ", ".join(value) if isinstance(value, tuple) else str(value)
