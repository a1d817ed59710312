"""Runs made to explain the paper's numbers: leaks on purpose, readings of its metrics, variants of
SVD.

Nothing here is a recommendation. Each run answers under which practice or definition a printed
number would appear.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.sparse import csr_matrix
from sklearn.decomposition import TruncatedSVD

from ..config import config_hash
from ..device import device_name, pick_device
from ..errors import DamagedError
from ..evaluation.definitions import definition_grid, evaluate_all_items, evaluate_definitions
from ..evaluation.rating import rating_errors
from ..evaluation.rules import RATED_ITEMS
from ..models import RatingModel, build_model
from ..models.rating.svd import SVD, SVDConfig
from ..parallel import in_parallel
from ..progress import progress
from ..runs.records import (
    Record,
    add_records,
    code_version,
    fresh_wanted,
    is_recorded,
    mark_current,
    read_records,
)
from ..runs.run import Run
from ..runs.table_files import read_table, write_table
from ..runs.training import Training, member_seed
from ..runs.variant import Variant, training_hash, variant_hash
from ..splits.rules import Ratio
from ..splits.split import Split
from ..training.batches import Triples
from ..training.config import TrainingConfig
from ..training.loop import History, fit, predict

PROTOCOL = "forensics"
_ERROR = "MSE"  # beside the readings of the other metrics
LEAKS = {
    "held out": "none: trained on 70 %, evaluated on the other 30 %",
    "on its training ratings": "evaluated on the ratings it was trained on",
    "test ratings in training": "trained on all ratings, evaluated on 30 % of them",
    "9:1 split": "none, but easier: trained on 90 %, evaluated on 10 %",
}
SVD_FACTORS = (1, 2, 5, 10, 20, 50, 100)
SVD_CENTRES = ("none", "global", "user", "item")
SVD_ITERATIONS = (2, 5, 6, 7, 10)  # of the randomised solver; scikit-learn's default is 5
SVD_PARTS = ("held out", "in sample", "fitted on all ratings, scored on all")


def leak_curves(run: Run, experiment: str, variant: Variant, seed: int) -> pd.DataFrame:
    """MSE after each epoch under every practice of ``LEAKS``; kept as records ``mse-epoch-NN``.

    Returns:
        index epoch (from 1), one column per practice.
    """
    variant = replace(
        variant, training=replace(variant.training, epochs=2 * variant.training.epochs)
    )
    config = config_hash(variant_hash(run, variant), list(LEAKS))
    mark_current(run.run_dir, experiment, run.dataset, [config], [seed])
    if not is_recorded(run.run_dir, experiment, config, seed):
        half = Training(run, variant, seed).split
        # A split refuses a rating in two parts, so one rating stays out: all others train.
        everything = Split(
            np.delete(np.arange(half.n_ratings), half.test[0]), half.valid, half.test[:1],
            "all ratings but one train", seed, half.n_ratings,
        )  # fmt: skip
        easier = run.split(Ratio(0.1), seed)
        trainings = (
            (half, (half.test, half.train)),
            (everything, (half.test,)),
            (easier, (easier.test,)),
        )
        jobs = [(run, variant, split, parts, seed) for split, parts in trainings]
        curves = [curve for found in in_parallel(_curves, jobs) for curve in found]
        common = {
            "experiment": experiment, "protocol": PROTOCOL, "model": variant.model,
            "dataset": run.dataset.name, "fingerprint": run.dataset.fingerprint,
            "content": run.dataset.content, "config": config, "seed": seed,
            "device": device_name(pick_device()), "code": code_version(),
            "evaluation": RATED_ITEMS.name,
        }  # fmt: skip
        records = []
        for leak, (curve, seconds) in zip(LEAKS, curves, strict=True):
            split = easier if leak == "9:1 split" else half
            for epoch, value in enumerate(curve, start=1):
                records.append(Record(
                    variant=f"{variant.name}, {leak}", metric=f"mse-epoch-{epoch:02d}", value=value,
                    seconds=seconds, split=split.rule, test_share=split.test_share, **common,
                ))  # fmt: skip
        add_records(run.run_dir, records)
    records = read_records(run.run_dir, experiment)
    return leak_table(records[records["config"] == config])


def leak_table(records: pd.DataFrame) -> pd.DataFrame:
    """Records of :func:`leak_curves` as one column per practice, index epoch."""
    rows = records[records["metric"].str.startswith("mse-epoch-")]
    table = rows.assign(
        epoch=rows["metric"].str[-2:].astype(int),
        leak=rows["variant"].str.rsplit(", ", n=1).str[-1],
    )
    wide = table.pivot_table(index="epoch", columns="leak", values="value")
    return wide[[leak for leak in LEAKS if leak in wide]].rename_axis(columns=None)


def _curves(
    run: Run, variant: Variant, split: Split, parts: tuple[np.ndarray, ...], seed: int
) -> list[tuple[list[float], float]]:
    """Train on a split; per part, MSE of clipped predictions after each epoch, and seconds of
    training."""
    device = pick_device()
    model = build_model(
        variant.model, variant.model_config, Training(run, variant, seed).inputs(split), seed
    )
    curves: list[list[float]] = [[] for _ in parts]

    def evaluate(history: History) -> bool:
        for curve, rows in zip(curves, parts, strict=True):
            curve.append(_clipped_mse(run, model, rows))
        return False

    label = f"{variant.name}, {PROTOCOL}"
    history = fit(
        model, run.dataset, split, variant.training, seed, device, label=label, stop=evaluate
    )
    return [(curve, sum(history.seconds)) for curve in curves]


def _clipped_mse(run: Run, model: RatingModel, rows: np.ndarray) -> float:
    truth, predicted = _predicted(run, model, rows)
    return rating_errors(truth, predicted)["mse"]


def _predicted(run: Run, model: RatingModel, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    part, scale = Triples.of(run.dataset, rows, pick_device()), run.dataset.scale
    predicted = predict(model, part.users, part.items).clamp(scale.low, scale.high)
    return part.ratings.cpu().numpy(), predicted.cpu().numpy()


def weight_curves(run: Run, variant: Variant, seeds: Sequence[int], members: int) -> pd.DataFrame:
    """Test MSE after each epoch, from several initial weights on every split: what of a number is
    chance.

    Returns:
        columns split, weights (numbers from 0), epoch (from 1), mse.
    """
    jobs = [(run, variant, seed, member) for seed in seeds for member in range(members)]
    tables = list(
        progress(
            in_parallel(_weight_curve, jobs),
            f"{variant.name}, initial weights: trainings",
            len(jobs),
        )
    )
    return pd.concat(
        [
            table.assign(split=seed, weights=member)
            for table, (_, _, seed, member) in zip(tables, jobs, strict=True)
        ],
        ignore_index=True,
    )[["split", "weights", "epoch", "mse"]]


def _weight_curve(run: Run, variant: Variant, seed: int, member: int) -> pd.DataFrame:
    def make() -> pd.DataFrame:
        split = Training(run, variant, seed).split
        ((curve, _),) = _curves(run, variant, split, (split.test,), member_seed(seed, member))
        return pd.DataFrame({"epoch": range(1, len(curve) + 1), "mse": curve})

    key = config_hash(training_hash(run, variant), member)
    return _kept(run.run_dir / "forensics" / f"weights-{key}-{seed}.csv", make)


def definition_values(run: Run, variants: list[Variant], seed: int) -> dict[str, pd.DataFrame]:
    """Every reading of Precision@K and NDCG for every row, by the part it is evaluated on.

    The rows' weights are read, or trained again, since all pairs of users and items must be scored.
    Ratings on another scale are put on one of 1 to 5 first, so that thresholds mean the same.

    Returns:
        ``test`` and ``train`` (own ratings of that part) and ``all items`` (test ratings among all
        unrated items): index definition (label), one column per row.
    """
    rated, everything = definition_grid(("rated",)), definition_grid(("all",))
    columns: dict[str, dict[str, np.ndarray]] = {"test": {}, "train": {}, "all items": {}}
    jobs = [(run, variant, seed, rated, everything) for variant in variants]
    tables = progress(
        in_parallel(_definitions_of, jobs), "readings of the metrics: models", len(jobs)
    )
    for variant, table in zip(variants, tables, strict=True):
        for part, group in table.groupby("part"):
            columns[part][variant.name] = group.set_index("definition")["value"]
    return {part: pd.DataFrame(found).reindex(labels) for part, found, labels in (
        ("test", columns["test"], [d.label for d in rated]),
        ("train", columns["train"], [d.label for d in rated]),
        ("all items", columns["all items"], [d.label for d in everything]),
    )}  # fmt: skip


def errors_by_part(run: Run, variants: list[Variant], seed: int) -> pd.DataFrame:
    """MSE of every row on the ratings it is tested on and on those it was trained on, from the
    trainings of :func:`definition_values`.

    Returns:
        index row; columns ``held out`` and ``in sample``.
    """
    rated, everything = definition_grid(("rated",)), definition_grid(("all",))
    jobs = [(run, variant, seed, rated, everything) for variant in variants]
    tables = progress(in_parallel(_definitions_of, jobs), "errors by part: models", len(jobs))
    rows = {}
    for variant, table in zip(variants, tables, strict=True):
        errors = table[table["definition"] == _ERROR].set_index("part")["value"]
        rows[variant.name] = {"held out": errors["test"], "in sample": errors["train"]}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def _definitions_of(
    run: Run, variant: Variant, seed: int, rated: list, everything: list
) -> pd.DataFrame:
    labels = [_ERROR, *(d.label for d in rated + everything)]
    key = config_hash(training_hash(run, variant), labels, *_other_scale(run))
    make = partial(_evaluate_definitions, run, variant, seed, rated, everything)
    return _kept(run.run_dir / "forensics" / f"definitions-{key}-{seed}.csv", make)


def _other_scale(run: Run) -> list[str]:
    """What tells readings on ratings that were put on a scale of 1 to 5 from others; empty where
    that is the scale."""
    scale = run.dataset.scale
    return [] if (scale.low, scale.high) == (1, 5) else ["on a scale of 1 to 5"]


def _as_stars(run: Run, ratings: np.ndarray) -> np.ndarray:
    """Ratings on a scale of 1 to 5, which the readings' thresholds are made for."""
    scale = run.dataset.scale
    if not _other_scale(run):
        return ratings
    return (1 + 4 * (ratings - scale.low) / (scale.high - scale.low)).astype(ratings.dtype)


def _evaluate_definitions(
    run: Run, variant: Variant, seed: int, rated: list, everything: list
) -> pd.DataFrame:
    training = Training(run, variant, seed)
    model, split = training.model(), training.split
    users, items = (run.dataset.ratings[side].to_numpy() for side in ("user", "item"))
    out = []
    for part, rows in (("test", split.test), ("train", split.train)):
        truth, predicted = _predicted(run, model, rows)
        out.append((part, _ERROR, rating_errors(truth, predicted)["mse"]))
        values = evaluate_definitions(
            users[rows], _as_stars(run, truth), _as_stars(run, predicted), rated
        )
        out += [(part, d.label, value) for d, value in zip(rated, values, strict=True)]
    model.eval()
    everybody = torch.arange(run.dataset.n_users, device=pick_device()).split(512)
    scores = torch.cat([model.score_all_items(block).cpu() for block in everybody]).numpy()
    truth = _as_stars(run, run.dataset.ratings["rating"].to_numpy()[split.test])
    test = (users[split.test], items[split.test], truth)
    values = evaluate_all_items(
        _as_stars(run, scores), (users[split.train], items[split.train]), test, everything
    )
    out += [("all items", d.label, value) for d, value in zip(everything, values, strict=True)]
    return pd.DataFrame(out, columns=["part", "definition", "value"])


def randomised_svd(run: Run, seed: int, states: int = 3) -> pd.DataFrame:
    """MSE of scikit-learn's ``TruncatedSVD`` of the matrix whose unknown ratings are zeros, with
    BoNMF's number of embeddings: a randomised solver stops short of the best fit, the less so the
    more iterations it is given. Predictions are not clipped to the scale.

    Args:
        states: of its random numbers.

    Returns:
        columns solver (``exact``, ``5 iterations``), fitted (``training ratings`` or ``all
        ratings``), scored (``test ratings`` or ``all ratings``), state, mse.
    """
    key = config_hash(
        run.dataset.fingerprint, *run.dataset.order, SVD_ITERATIONS, states, SVDConfig().factors
    )
    make = partial(_randomised_svd, run, seed, states)
    return _kept(run.run_dir / "forensics" / f"randomised-svd-{key}-{seed}.csv", make)


def _randomised_svd(run: Run, seed: int, states: int) -> pd.DataFrame:
    ratings = run.dataset.ratings
    place, value = (
        (ratings["user"].to_numpy(), ratings["item"].to_numpy()),
        ratings["rating"].to_numpy(np.float64),
    )
    shape = (run.dataset.n_users, run.dataset.n_items)
    split = run.split(Ratio(), seed)
    parts = {
        "training ratings": split.train,
        "test ratings": split.test,
        "all ratings": np.arange(len(value)),
    }
    factors = min(SVDConfig().factors, min(shape) - 1)
    solvers = {"exact": [TruncatedSVD(factors, algorithm="arpack", random_state=0)]}
    for n in SVD_ITERATIONS:
        solvers[f"{n} iterations"] = [
            TruncatedSVD(factors, n_iter=n, random_state=state) for state in range(states)
        ]
    out = []
    for fitted in ("training ratings", "all ratings"):
        rows = parts[fitted]
        matrix = csr_matrix((value[rows], tuple(side[rows] for side in place)), shape=shape)
        for solver, models in progress(solvers.items(), f"SVD of {fitted}: solvers"):
            for state, model in enumerate(models):
                users = model.fit_transform(matrix)
                for scored in (
                    ("test ratings", "all ratings")
                    if fitted == "all ratings"
                    else ("test ratings",)
                ):
                    left, right = (side[parts[scored]] for side in place)
                    predicted = (users[left] * model.components_.T[right]).sum(1)
                    mse = rating_errors(value[parts[scored]], predicted)["mse"]
                    out.append((solver, fitted, scored, state, mse))
    return pd.DataFrame(out, columns=["solver", "fitted", "scored", "state", "mse"])


def svd_variants(run: Run, seed: int) -> pd.DataFrame:
    """MSE of truncated SVD over filling (centring), factors, clipping and the part it is evaluated
    on.

    Returns:
        columns centre, factors, part (of ``SVD_PARTS``), clipped, mse.
    """
    key = config_hash(
        run.dataset.fingerprint, *run.dataset.order, list(SVD_FACTORS), list(SVD_CENTRES), SVD_PARTS
    )
    return _kept(
        run.run_dir / "forensics" / f"svd-{key}-{seed}.csv", partial(_svd_variants, run, seed)
    )


def _svd_variants(run: Run, seed: int) -> pd.DataFrame:
    jobs = [(run, centre, seed) for centre in SVD_CENTRES]
    tables = progress(in_parallel(_svd_variants_of, jobs), "SVD: ways to fill", len(jobs))
    return pd.concat(tables, ignore_index=True)


def _svd_variants_of(run: Run, centre: str, seed: int) -> pd.DataFrame:
    split, everything = run.split(Ratio(), seed), np.arange(len(run.dataset.ratings))
    rows = []
    for factors in SVD_FACTORS:
        config = SVDConfig(factors=factors, centre=centre)
        fitted = _svd_errors(run, config, split, split.train, (split.test, split.train))
        fitted += _svd_errors(run, config, split, everything, (everything,))
        for part, errors in zip(SVD_PARTS, fitted, strict=True):
            rows += [(centre, factors, part, clipped, mse) for clipped, mse in errors.items()]
    return pd.DataFrame(rows, columns=["centre", "factors", "part", "clipped", "mse"])


def _svd_errors(
    run: Run, config: SVDConfig, split: Split, fitted_on: np.ndarray, parts: tuple[np.ndarray, ...]
) -> list[dict[bool, float]]:
    """MSE of an SVD of the chosen ratings on each part, by whether predictions are clipped to the
    scale."""
    variant = Variant("SVD", "closed form", "svd", config, TrainingConfig())
    model, cpu, scale = (
        SVD(config, Training(run, variant, split.seed).inputs(split)),
        torch.device("cpu"),
        run.dataset.scale,
    )
    known = Triples.of(run.dataset, fitted_on, cpu)
    model.solve(known.users, known.items, known.ratings)
    out = []
    for rows in parts:
        asked = Triples.of(run.dataset, rows, cpu)
        predicted, truth = predict(model, asked.users, asked.items).numpy(), asked.ratings.numpy()
        shown = {False: predicted, True: predicted.clip(scale.low, scale.high)}
        out.append(
            {clipped: rating_errors(truth, values)["mse"] for clipped, values in shown.items()}
        )
    return out


def _kept(path: Path, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """The table kept in a run folder; made first where there is none, where it was damaged since,
    or where ``BONMF_FRESH=1`` asks for it."""
    if not fresh_wanted():
        with suppress(DamagedError):
            return read_table(path)
    write_table(path, make(), "%.17g")
    return read_table(path)
