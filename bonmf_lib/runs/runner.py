"""Run model variants over seeds: split, train, evaluate once on test, record. Finished runs are not repeated."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..config import config_hash
from ..datasets import Dataset
from ..device import pick_device
from ..encoders import Features
from ..encoders.preparation import Preparation
from ..errors import ConfigError, DamagedError, TrainingError
from ..evaluation.overlap import item_overlap, residual
from ..evaluation.ranking import ranking_metrics
from ..evaluation.rating import cold_errors, definition_on, rating_metrics
from ..integrity import json_text, read_arrays, read_json, write_arrays, write_json
from ..models import Interactions, ModelInputs, RatingModel, build_model, item_fields, user_fields
from ..parallel import in_parallel
from ..progress import announce, progress
from ..splits.rules import Ratio, SplitRule
from ..splits.split import Split
from ..storage import keep_text
from ..training.batches import Triples
from ..training.config import TrainingConfig
from ..training.loop import History, fit, predict
from ..training.search import Search, Settings, choose
from .records import (
    Record,
    add_records,
    code_version,
    fresh_wanted,
    is_recorded,
    mark_current,
    notes_name,
    read_records,
)
from .run import Run

PAPERS_SPLIT = Ratio(test=0.3)
VALID_SHARE = 0.1  # of the training part, where a protocol needs validation


@dataclass(frozen=True)
class Variant:
    """One row of a table: a model, its settings and how it is trained.

    Attributes:
        name: the row's name; claims refer to it.
        protocol: ``as published`` (fixed epochs on the whole training part), ``early stopped`` or ``tuned``.
        model_config: may carry ``use_text``, ``use_image``, ``use_demographics``, ``use_fields``; what it does not
            use is neither computed nor hashed.
        text_encoder, image_encoder: instead of the run's.
        text_pooling, image_pooling: instead of the encoder's default. text_parts: what texts are made of.
        residual_picture: pictures without what texts predict of them, learned from the training part's items.
        feature_dim: principal components of text and picture that it reads; None = the features themselves.
        split: the rule by which ratings train and test; the paper's 7:3 unless another is given.
        search: what is chosen on validation first, anew for every seed; the model is then trained with the chosen
            settings on training and validation ratings together.
        members: trainings from different initial weights whose predictions are averaged.
    """

    name: str
    protocol: str
    model: str
    model_config: Any
    training: TrainingConfig
    text_encoder: str | None = None
    image_encoder: str | None = None
    text_pooling: str | None = None
    image_pooling: str | None = None
    text_parts: tuple[str, ...] | None = None
    residual_picture: bool = False
    feature_dim: int | None = None
    split: SplitRule = PAPERS_SPLIT
    search: Search | None = None
    members: int = 1

    def __post_init__(self) -> None:
        if self.training.loss == "bce" and (self.search or self.members > 1):
            raise ConfigError(f"{self.name}: a search and an average of members need ratings, loss 'bce' has none.")

    def uses(self, what: str) -> bool:
        return bool(getattr(self.model_config, f"use_{what}", False))

    def lacks(self, dataset: Dataset) -> list[str]:
        """What it reads of ``text``, ``image`` and ``demographics`` that the data set has not."""
        return [what for what in ("text", "image", "demographics") if self.uses(what) and not dataset.has(what)]

    def features(self, run: Run, modality: str) -> Features | None:
        """The item features it reads, or None."""
        if not self.uses(modality):
            return None
        standardised = self.preparation(modality) in ("standardised", "whitened")
        pooling, encoder, parts = self.image_pooling, self.image_encoder, None
        if modality == "text":
            pooling, encoder, parts = self.text_pooling, self.text_encoder, self.text_parts
        return run.features(modality, pooling, encoder, self.feature_dim, parts, standardised)

    def preparation(self, modality: str) -> str:
        """How its model reads the features of ``text`` or ``image``."""
        return getattr(self.model_config, f"{modality}_preparation")

    def prepared(self, text: Preparation, image: Preparation | None = None) -> "Variant":
        """The same row with other preparations, the picture's being the text's unless it is given; as it is, where its
        model reads no features."""
        wanted = {"text_preparation": text, "image_preparation": image or text}
        known = {name: value for name, value in wanted.items() if hasattr(self.model_config, name)}
        return replace(self, model_config=replace(self.model_config, **known))

    @property
    def validates(self) -> bool:
        """Whether its training, once its settings are chosen, watches validation ratings."""
        return self.training.patience is not None and self.search is None


def run_variants(
    run: Run, experiment: str, variants: list[Variant], seeds: tuple[int, ...] | None = None
) -> pd.DataFrame:
    """Run every variant on every seed (by default the run's); return this experiment's records in the variants' order.

    What the same run folder holds already, trained with the same settings for another row or experiment, is
    evaluated, not trained again.
    """
    for variant in variants:
        if lacking := variant.lacks(run.dataset):
            raise ConfigError(
                f"{variant.name} reads {lacking[0]}, which {run.dataset.name} has not; leave such rows out with "
                "absent.leave_out."
            )
    seeds = run.settings.seeds if seeds is None else seeds
    jobs = [(variant, seed) for seed in seeds for variant in variants]
    hashes = {id(variant): variant_hash(run, variant) for variant in variants}
    configs = [hashes[id(variant)] for variant in variants]
    mark_current(run.run_dir, experiment, run.dataset, configs, seeds)
    todo = [
        (variant, seed)
        for variant, seed in jobs
        if not is_recorded(run.run_dir, experiment, hashes[id(variant)], seed) or _has_damage(run, variant, seed)
    ]
    if len(todo) < len(jobs):
        announce(f"{experiment}: {len(jobs) - len(todo)} of {len(jobs)} trainings are recorded already")
    _note_encoders(run, experiment, variants)
    groups: dict[tuple, list] = {}  # what shares a training or a search runs one after the other
    for variant, seed in todo:
        key = training_hash(run, replace(variant, members=1)), seed
        groups.setdefault(key, []).append((variant, hashes[id(variant)]))
    tasks = [(run, experiment, group, seed) for (_, seed), group in groups.items()]
    tasks.sort(key=lambda task: -sum(variant.members for variant, _ in task[2]))  # the longest, last, would run alone
    for _ in progress(in_parallel(_run_group, tasks), f"{experiment}: trainings", len(tasks)):
        pass
    records = read_records(run.run_dir)
    place = records["config"].map({config: place for place, config in enumerate(configs)})
    wanted = place.notna() & records["seed"].isin(seeds) & (records["experiment"] == experiment)
    ordered = records[wanted].assign(place=place).sort_values(["place", "seed"], kind="stable", ignore_index=True)
    return ordered.drop(columns="place")


def train_share(run: Run, variants: list[Variant], seeds: tuple[int, ...], part: int = 1, parts: int = 1) -> int:
    """Train the ``part``-th of so many equal shares of all rows and seeds, and record nothing: :func:`run_variants`
    finds them trained. What shares a training or a search stays in one share.

    Returns:
        how many trainings the share has, those that were there already included.

    Raises:
        ConfigError: there is no such share.
    """
    if not 1 <= part <= parts:
        raise ConfigError(f"A share is one of so many parts, such as 1/4 or 4/4, got {part}/{parts}.")
    groups: dict[tuple, list] = {}
    for seed in seeds:
        for variant in variants:
            groups.setdefault((training_hash(run, replace(variant, members=1)), seed), []).append(variant)
    tasks = [(run, group, seed) for (_, seed), group in groups.items()][part - 1 :: parts]
    for _ in progress(in_parallel(_train_group, tasks), f"share {part} of {parts}: trainings", len(tasks)):
        pass
    return len(tasks)


def _train_group(run: Run, group: list[Variant], seed: int) -> None:
    for variant in group:
        if not _is_trained(run, variant, seed):
            _train(run, variant, seed, split_of(run, variant, seed))


def _note_encoders(run: Run, experiment: str, variants: list[Variant]) -> None:
    """Keep which encoders a run folder's numbers rest on, for its manifest."""
    used = {f.key: f for v in variants for m in ("text", "image") if (f := v.features(run, m)) is not None}
    notes = [
        {"encoder": f.encoder, "version": f.version, "key": f.key, "items": int(f.present.sum())} for f in used.values()
    ]
    keep_text(run.run_dir / "encoders" / notes_name(experiment, run.dataset), json_text({"encoders": notes}))


def variant_hash(run: Run, variant: Variant) -> str:
    """Over everything that decides the numbers, besides the code and the seed."""
    features = [f.key for modality in ("text", "image") if (f := variant.features(run, modality)) is not None]
    scale = run.dataset.scale
    data = [run.dataset.fingerprint, run.dataset.content, run.dataset.n_users, run.dataset.n_items, asdict(scale)]
    data += run.dataset.order  # splits and batches go by it
    if variant.uses("demographics") or variant.uses("fields"):
        data.append(run.dataset.users.to_csv())
    if variant.uses("fields"):
        data.append(run.dataset.items[["genres", "year"]].to_csv())
    split = variant.split.identity(VALID_SHARE if variant.validates or variant.search else 0.0)
    features += ["residual"] if variant.residual_picture else []
    names = [variant.name, variant.protocol, variant.model, variant.members]
    search = variant.search and variant.search.described()
    return config_hash(names, data, split, features, _as_read(variant), variant.training, search)


def _as_read(variant: Variant) -> Any:
    """The model's configuration; the preparation of what it does not read, without effect, is always the same."""
    unread = [f"{modality}_preparation" for modality in ("text", "image") if not variant.uses(modality)]
    known = {name: "standardised" for name in unread if hasattr(variant.model_config, name)}
    return replace(variant.model_config, **known)


def training_hash(run: Run, variant: Variant) -> str:
    """Like :func:`variant_hash`, without what the row is called: rows that share it are trained once."""
    return variant_hash(run, replace(variant, name="", protocol=""))


def _run_group(run: Run, experiment: str, group: list[tuple[Variant, str]], seed: int) -> None:
    if fresh_wanted():
        tuning_path(run, group[0][0], seed).unlink(missing_ok=True)
    for variant, config in group:
        _run_one(run, experiment, variant, config, seed)


def _run_one(run: Run, experiment: str, variant: Variant, config: str, seed: int) -> None:
    dataset = run.dataset
    split = split_of(run, variant, seed)
    if fresh_wanted() or not _is_trained(run, variant, seed):
        _train(run, variant, seed, split)
    noted, table = _noted(run, variant, seed), read_predictions(run, variant, seed)
    if variant.training.loss == "bce":
        metrics = noted["ranking"]
    else:
        users, items, truth, predicted = (table[name].to_numpy() for name in ("user", "item", "rating", "predicted"))
        train_counts = np.bincount(dataset.ratings["item"].to_numpy()[split.train], minlength=dataset.n_items)
        metrics = rating_metrics(users, truth, predicted, definition_on(dataset.scale))
        metrics |= cold_errors(items, truth, predicted, train_counts)
    metrics["best_epoch"] = float(noted["best_epoch"])
    now = code_version()
    common = {
        "experiment": experiment,
        "variant": variant.name,
        "protocol": variant.protocol,
        "model": variant.model,
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "content": dataset.content,
        "split": split.rule,
        "test_share": split.test_share,
        "config": config,
        "seed": seed,
        "seconds": sum(noted["seconds"]),
        "device": noted["device"],
        "code": now if noted["code"] == now else f"trained by {noted['code']}, evaluated by {now}",
    }
    add_records(run.run_dir, [Record(metric=name, value=value, **common) for name, value in metrics.items()])


def _has_damage(run: Run, variant: Variant, seed: int) -> bool:
    """Whether a file that explains its records (history, predictions, trials) is there but not as it was written."""
    readers = {
        _history(run, variant, seed): lambda: read_history(run, variant, seed),
        _predictions(run, variant, seed): lambda: _kept_arrays(run, variant, seed),
    }
    if variant.search is not None:
        readers[tuning_path(run, variant, seed)] = lambda: read_trials(run, [variant], (seed,))
    for path, read in readers.items():
        try:
            if path.exists():
                read()
        except DamagedError as error:
            announce(f"{variant.name} ({variant.protocol}), seed {seed} is made again: {error}")
            return True
    return False


def _is_trained(run: Run, variant: Variant, seed: int) -> bool:
    """Whether its history and predictions are there, whole, and of this split."""
    if _has_damage(run, variant, seed) or not _history(run, variant, seed).exists():
        return False
    try:
        read_predictions(run, variant, seed)
    except DamagedError:
        return False
    return True


def _train(run: Run, variant: Variant, seed: int, split: Split) -> None:
    """Choose the settings where the variant searches, train, predict the test ratings; keep predictions and history."""
    dataset, device = run.dataset, pick_device()
    label = f"{variant.name} ({variant.protocol}), seed {seed}"
    settings = Settings(variant.model_config, variant.training)
    if variant.search is not None:
        searched = _split(run, variant, VALID_SHARE, seed)
        settings = choose(
            variant.model, settings, variant.search, dataset, searched, model_inputs(run, variant, searched),
            seed, device, tuning_path(run, variant, seed), label,
        )  # fmt: skip
    test = Triples.of(dataset, split.test, device)
    predictions, histories, ranking = [], [], {}
    for model, history in _members(run, variant, settings, seed, split, device, label):
        histories.append(history)
        if settings.training.loss == "bce":
            ranking = _ranking(model, dataset, split, device)
        predictions.append(predict(model, test.users, test.items).cpu().numpy())
    if not np.isfinite(predictions).all():
        raise TrainingError(
            f"{label}: predictions of test ratings are not finite; lower the learning rate "
            f"(now {settings.training.learning_rate:g}) or check the features."
        )
    scale, tested = dataset.scale, dataset.ratings.iloc[split.test]
    kept = {side: tested[side].to_numpy() for side in ("user", "item")}
    kept["predicted"] = np.mean(predictions, axis=0).clip(scale.low, scale.high)
    if variant.members > 1:
        kept["members"] = np.stack(predictions).clip(scale.low, scale.high)
    write_arrays(_predictions(run, variant, seed), kept, _trained_as(run, variant, seed))
    first = vars(histories[0]) | {"seconds": np.sum([h.seconds for h in histories], axis=0).tolist()}
    noted = first | {"best_epoch": histories[0].best_epoch, "ranking": ranking, "code": code_version()}
    noted |= {"device": device_name(device)}
    write_json(_history(run, variant, seed), noted, _trained_as(run, variant, seed))


def _members(
    run: Run,
    variant: Variant,
    settings: Settings,
    seed: int,
    split: Split,
    device: torch.device,
    label: str,
) -> Iterator[tuple[RatingModel, History]]:
    """The trained members of a variant, one after the other; most variants have one."""
    inputs, config = model_inputs(run, variant, split), training_hash(run, variant)
    for member in range(variant.members):
        own = member_seed(seed, member)
        model = build_model(variant.model, settings.model_config, inputs, own)
        # Other code starts anew instead of going on from this code's half-trained weights.
        checkpoint = run.run_dir / "checkpoints" / f"{config}-{seed}-{member}-{code_version()}.pt"
        if fresh_wanted():
            checkpoint.unlink(missing_ok=True)
        yield model, fit(model, run.dataset, split, settings.training, own, device, checkpoint, label)
        checkpoint.unlink(missing_ok=True)


def member_seed(seed: int, member: int) -> int:
    """The seed of a member's initial weights and batches; the first has the split's."""
    return seed if member == 0 else int(np.random.SeedSequence([seed, member]).generate_state(1)[0])


def _ranking(model: RatingModel, dataset: Dataset, split: Split, device: torch.device) -> dict[str, float]:
    """Full-ranking metrics of a model of implicit feedback: every test rating counts as relevant."""
    users, items = dataset.ratings["user"].to_numpy(), dataset.ratings["item"].to_numpy()
    train, test = ((users[rows], items[rows]) for rows in (split.train, split.test))
    model.eval()
    return ranking_metrics(model.score_all_items, train, test, dataset.n_users, dataset.n_items, device=device)


def trained_model(run: Run, variant: Variant, seed: int) -> tuple[RatingModel, Split]:
    """A variant without search, trained again from its seed (run folders keep no weights), and its split."""
    model, split = _untrained(run, variant, seed)
    fit(model, run.dataset, split, variant.training, seed, pick_device(), label=f"{variant.name}, seed {seed}")
    return model, split


def trained_models(run: Run, variants: list[Variant], seed: int) -> list[tuple[RatingModel, Split]]:
    """:func:`trained_model` of several variants, side by side."""
    weights = in_parallel(_trained_weights, [(run, variant, seed) for variant in variants])
    found = []
    for variant, arrays in zip(variants, weights, strict=True):
        model, split = _untrained(run, variant, seed)
        model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
        found.append((model.to(pick_device()), split))
    return found


def _trained_weights(run: Run, variant: Variant, seed: int) -> dict[str, np.ndarray]:
    model, _ = trained_model(run, variant, seed)
    return {name: tensor.cpu().numpy() for name, tensor in model.state_dict().items()}


def _untrained(run: Run, variant: Variant, seed: int) -> tuple[RatingModel, Split]:
    split = split_of(run, variant, seed)
    return build_model(variant.model, variant.model_config, model_inputs(run, variant, split), seed), split


def split_of(run: Run, variant: Variant, seed: int) -> Split:
    """The split a variant was run on: with validation ratings only where its last training uses them."""
    valid = VALID_SHARE if variant.validates else 0.0
    return _split(run, variant, valid, seed)


def _split(run: Run, variant: Variant, valid: float, seed: int) -> Split:
    return run.split(variant.split, seed, valid)


def model_inputs(run: Run, variant: Variant, split: Split) -> ModelInputs:
    train = run.dataset.ratings.iloc[split.train]
    text, image, known = variant.features(run, "text"), variant.features(run, "image"), train["item"].unique()
    overlap = item_overlap(image, text, known) if variant.uses("overlap") else None
    if variant.residual_picture:
        image = residual(image, text, known)
    return ModelInputs(
        n_users=run.dataset.n_users,
        n_items=run.dataset.n_items,
        mean_rating=_mean_target(train["rating"].to_numpy(), variant.training),
        text=text,
        image=image,
        user_fields=user_fields(run.dataset) if variant.uses("fields") or variant.uses("demographics") else {},
        item_fields=item_fields(run.dataset) if variant.uses("fields") else {},
        interactions=Interactions(*(train[name].to_numpy() for name in ("user", "item", "rating"))),
        item_overlap=overlap,
    )


def _mean_target(ratings: np.ndarray, training: TrainingConfig) -> float:
    """Where predictions start: the mean rating; with implicit feedback the logit of the share of positives."""
    return float(ratings.mean(dtype=np.float64)) if training.loss == "mse" else -math.log(training.negatives)


def read_predictions(run: Run, variant: Variant, seed: int) -> pd.DataFrame:
    """Test ratings and predictions of a finished run: user, item, rating, predicted.

    Raises:
        DamagedError: the predictions are not as they were written, or are of other ratings.
    """
    rows = split_of(run, variant, seed).test
    table = run.dataset.ratings.iloc[rows][["user", "item", "rating"]].reset_index(drop=True)
    return table.assign(predicted=_kept_predictions(run, variant, seed, table)["predicted"])


def read_members(run: Run, variant: Variant, seed: int) -> np.ndarray:
    """Each member's predictions (members, N) of a finished run, in the row order of :func:`read_predictions`."""
    tested = run.dataset.ratings.iloc[split_of(run, variant, seed).test]
    return _kept_predictions(run, variant, seed, tested)["members"]


def _kept_predictions(run: Run, variant: Variant, seed: int, tested: pd.DataFrame) -> dict[str, np.ndarray]:
    path, kept = _predictions(run, variant, seed), _kept_arrays(run, variant, seed)
    if any(not np.array_equal(kept[side], tested[side].to_numpy()) for side in ("user", "item")):
        raise DamagedError(f"{path} is of other test ratings than this split's; delete it and run again.")
    return kept


def _kept_arrays(run: Run, variant: Variant, seed: int) -> dict[str, np.ndarray]:
    return read_arrays(_predictions(run, variant, seed), _trained_as(run, variant, seed))


def _trained_as(run: Run, variant: Variant, seed: int) -> str:
    """What kept files belong to."""
    return f"{training_hash(run, variant)}-{seed}"


def read_history(run: Run, variant: Variant, seed: int) -> History:
    """Learning curve of a finished run (of its first member)."""
    noted = _noted(run, variant, seed)
    valid = noted["valid"] if "valid" in noted else noted["valid_mse"]  # as runs before called it
    return History(noted["train_loss"], valid, noted["seconds"], noted.get("higher_is_better", False))


def _noted(run: Run, variant: Variant, seed: int) -> dict[str, Any]:
    return read_json(_history(run, variant, seed), _trained_as(run, variant, seed))


def read_trials(run: Run, variants: list[Variant], seeds: tuple[int, ...]) -> pd.DataFrame:
    """All trials of the variants' finished searches: one row per variant, seed and trial; ``params`` is JSON."""
    rows = []
    for variant in variants:
        for seed in seeds if variant.search else ():
            trials = read_json(path := tuning_path(run, variant, seed), path.stem)["trials"]
            rows += [
                {"variant": variant.name, "seed": seed, **trial, "params": json.dumps(trial["params"])}
                for trial in trials
            ]
    return pd.DataFrame(rows).drop(columns="curve", errors="ignore")


def tuning_path(run: Run, variant: Variant, seed: int) -> Path:
    """Where the trials of a variant's search are kept; how many members are then trained does not change them."""
    return run.run_dir / "tuning" / f"{training_hash(run, replace(variant, members=1))}-{seed}.json"


def _predictions(run: Run, variant: Variant, seed: int) -> Path:
    return run.run_dir / "predictions" / f"{_trained_as(run, variant, seed)}.safetensors"


def _history(run: Run, variant: Variant, seed: int) -> Path:
    return run.run_dir / "history" / f"{_trained_as(run, variant, seed)}.json"


def device_name(device: torch.device) -> str:
    """``cpu`` or the GPU's product name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
