"""One training: a row on one split of a run's data. What it reads, where its files are kept, and
what they say."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..device import device_name, pick_device
from ..errors import DamagedError, TrainingError
from ..evaluation.overlap import item_overlap, residual
from ..integrity import read_arrays, read_json, write_arrays, write_json
from ..models import (
    Interactions,
    ModelInputs,
    Recommender,
    build_model,
    item_fields,
    user_fields,
)
from ..parallel import in_parallel
from ..progress import announce
from ..splits.rules import FIXED
from ..splits.split import Split
from ..training.batches import Triples
from ..training.loop import History, Validation, fit, predict
from ..training.search import Settings, choose
from .records import code_version, fresh_wanted
from .run import Run
from .variant import VALID_SHARE, Variant, training_hash, variant_hash

SEARCH_SEED = 0  # of rows that are searched once for all seeds
# of users, where differences are told across them
KEPT_VALUES = ("hr@10", "ndcg@10", "recall@10", "recall@20", "ndcg@20")


class Training:
    """A row trained on the split of one seed.

    Its predictions of the test ratings, its history and the trials of its search are kept in the
    run folder, its weights where an evaluation or a study reads them; every file is checked for
    belonging to it. What is kept is not trained again (:meth:`train`), and what is damaged is.
    """

    def __init__(self, run: Run, variant: Variant, seed: int):
        self.run, self.variant, self.seed = run, variant, seed
        self.dataset, self.device = run.dataset, pick_device()
        self.label = f"{variant.name} ({variant.protocol}), seed {seed}"

    @cached_property
    def config(self) -> str:
        """The hash of everything that decides its records, besides the code and the seed."""
        return variant_hash(self.run, self.variant)

    @cached_property
    def key(self) -> str:
        """What its files are called: equal for rows that share a training."""
        return f"{training_hash(self.run, self.variant)}-{self.seed}"

    @cached_property
    def searched(self) -> "Training":
        """The training whose search it takes its settings from: itself; of rows that are searched
        once, that of ``SEARCH_SEED``. How many members are then trained changes no trial."""
        variant = replace(self.variant, members=1)
        seed = SEARCH_SEED if variant.searched_once else self.seed
        own = seed == self.seed and variant == self.variant
        return self if own else Training(self.run, variant, seed)

    @cached_property
    def split(self) -> Split:
        """Its split: with validation ratings only where its last training leaves them out."""
        return self._split(self.variant.valid_share)

    def _split(self, valid: float) -> Split:
        return self.run.split(self.variant.split, self.seed, valid)

    @cached_property
    def starts(self) -> list["Training"]:
        """The trainings whose weights it starts from."""
        return [Training(self.run, start, self.seed) for start in self.variant.starts_from]

    # Files

    @property
    def predictions_path(self) -> Path:
        return self.run.run_dir / "predictions" / f"{self.key}.safetensors"

    @property
    def history_path(self) -> Path:
        return self.run.run_dir / "history" / f"{self.key}.json"

    @property
    def weights_path(self) -> Path:
        return self.run.run_dir / "weights" / f"{self.key}.safetensors"

    @property
    def values_path(self) -> Path:
        """Of its evaluation too, unlike the others."""
        return self.run.run_dir / "values" / f"{self.config}-{self.seed}.safetensors"

    @property
    def trials_path(self) -> Path:
        return self.run.run_dir / "tuning" / f"{self.searched.key}.json"

    def is_done(self, weights: bool | None = None) -> bool:
        """Whether what it keeps is there, whole, and of this split; its weights where its
        evaluation reads them, or as asked."""
        if self.has_damage() or not self.history_path.exists():
            return False
        if weights is None:
            weights = self.variant.evaluation.reads_model
        if weights and not self.weights_path.exists():
            return False
        try:
            self.predictions()
        except DamagedError:
            return False
        return True

    def has_damage(self) -> bool:
        """Whether a file that explains its records is there but not as it was written."""
        readers = {
            self.history_path: self.noted,
            self.predictions_path: self._kept,
            self.weights_path: self._weights,
        }
        if self.variant.search is not None:
            readers[self.trials_path] = self.trials
        for path, read in readers.items():
            try:
                if path.exists():
                    read()
            except DamagedError as error:
                announce(f"{self.label} is made again: {error}")
                return True
        return False

    # Training

    def inputs(self, split: Split | None = None) -> ModelInputs:
        """What its model reads, made of the training part of its split or of another one."""
        run, variant = self.run, self.variant
        train = self.dataset.ratings.iloc[(split or self.split).train]
        text, image, known = (
            variant.features(run, "text"),
            variant.features(run, "image"),
            train["item"].unique(),
        )
        overlap = item_overlap(image, text, known) if variant.uses("overlap") else None
        if variant.residual_picture:
            image = residual(image, text, known)
        return ModelInputs(
            n_users=self.dataset.n_users,
            n_items=self.dataset.n_items,
            mean_rating=self._mean_target(train["rating"].to_numpy()),
            text=text,
            image=image,
            user_fields=user_fields(self.dataset)
            if variant.uses("fields") or variant.uses("demographics")
            else {},
            item_fields=item_fields(self.dataset) if variant.uses("fields") else {},
            interactions=Interactions(
                *(train[name].to_numpy() for name in ("user", "item", "rating"))
            ),
            item_overlap=overlap,
        )

    def _mean_target(self, ratings: np.ndarray) -> float:
        """Where predictions start: the mean rating; where negatives are drawn, the logit of the
        share of positives."""
        negatives = self.variant.training.negatives
        return -math.log(negatives) if negatives else float(ratings.mean(dtype=np.float64))

    def untrained(self) -> Recommender:
        """Its model with initial weights, before it takes any from :attr:`starts`; where the row
        searches, with the settings that its search chooses."""
        chosen = self.settings().model_config
        return build_model(self.variant.model, chosen, self.inputs(), self.seed)

    def train(self, weights: bool | None = None) -> None:
        """Choose the settings where the row searches, train, predict the test ratings; keep what
        explains them. Nothing is done where all of that is kept, unless ``BONMF_FRESH=1`` asks for
        it.

        Args:
            weights: whether its weights must be kept; by default where its evaluation reads them,
                and of a new training also where a study explains the row.
        """
        if self.is_done(weights) and not fresh_wanted():
            return
        self._train(self._keeps_weights if weights is None else weights)

    def _train(self, weights: bool) -> None:
        settings = self.settings()
        test = Triples.of(self.dataset, self.split.test, self.device)
        self.weights_path.unlink(missing_ok=True)
        predictions, histories, first = [], [], None
        for model, history in self._members(settings):
            first = model if first is None else first
            histories.append(history)
            predictions.append(predict(model, test.users, test.items).cpu().numpy())
        if not np.isfinite(predictions).all():
            raise TrainingError(
                f"{self.label}: predictions of test ratings are not finite; "
                f"lower the learning rate (now {settings.training.learning_rate:g}) "
                "or check the features."
            )
        if weights:
            self._keep_weights(first)
        self._keep(predictions, histories)

    @property
    def _keeps_weights(self) -> bool:
        explained = self.variant.explained and self.seed == self.run.settings.seeds[0]
        return explained or self.variant.evaluation.reads_model

    def settings(self) -> Settings:
        """The row's, or those that its search chooses."""
        variant, settings = self.variant, Settings(self.variant.model_config, self.variant.training)
        if variant.search is None:
            return settings
        searched = self.searched
        split = searched._split(VALID_SHARE)
        return choose(
            variant.model, settings, variant.search, self.dataset, split, searched.inputs(split),
            searched.seed, self.device, searched.trials_path, searched.label,
            searched._validation(split),
        )  # fmt: skip

    def _members(self, settings: Settings) -> Iterator[tuple[Recommender, History]]:
        """The trained members, one after the other; most rows have one."""
        inputs, validation = self.inputs(), self._validation(self.split)
        starts = [start.model() for start in self.starts]
        for member in range(self.variant.members):
            own = member_seed(self.seed, member)
            model = build_model(self.variant.model, settings.model_config, inputs, own)
            if starts:
                model.start_from(starts)
            # Other code starts anew instead of going on from this code's half-trained weights.
            checkpoint = (
                self.run.run_dir / "checkpoints" / f"{self.key}-{member}-{code_version()}.pt"
            )
            if fresh_wanted():
                checkpoint.unlink(missing_ok=True)
            yield model, self._fitted(model, settings, own, validation, checkpoint)
            checkpoint.unlink(missing_ok=True)

    def _fitted(
        self,
        model: Recommender,
        settings: Settings,
        seed: int,
        validation: Validation | None,
        checkpoint: Path | None,
    ) -> History:
        split, training = self.split, settings.training
        more = {"checkpoint": checkpoint, "label": self.label, "validation": validation}
        return fit(model, self.dataset, split, training, seed, self.device, **more)

    def _validation(self, split: Split) -> Validation | None:
        if not len(split.valid):
            return None
        return self.variant.watches.watched(self.dataset, split, self.device)

    def _keep(self, predictions: list[np.ndarray], histories: list[History]) -> None:
        scale, tested = self.dataset.scale, self.dataset.ratings.iloc[self.split.test]
        # scores of rankings are no ratings
        low, high = (scale.low, scale.high) if self.variant.rates else (None, None)
        kept = {side: tested[side].to_numpy() for side in ("user", "item")}
        kept["predicted"] = np.mean(predictions, axis=0).clip(low, high)
        if self.variant.members > 1:
            kept["members"] = np.stack(predictions).clip(low, high)
        write_arrays(self.predictions_path, kept, self.key)
        first = vars(histories[0]) | {
            "seconds": np.sum([h.seconds for h in histories], axis=0).tolist()
        }
        noted = first | {"best_epoch": histories[0].best_epoch, "code": code_version()}
        write_json(self.history_path, noted | {"device": device_name(self.device)}, self.key)

    # Evaluation

    def metrics(self) -> dict[str, float]:
        """What its evaluation measures. Where all seeds test the same ratings, the values of users
        that it comes from are kept (:meth:`user_values`)."""
        rule = self.variant.evaluation
        if not rule.reads_model or self.variant.split.test_part != FIXED:
            return rule.of(self)
        ranked = rule.ranked(self)
        kept = {name: ranked.per_list[name] for name in KEPT_VALUES if name in ranked.per_list}
        write_arrays(self.values_path, kept | {"user": ranked.users}, self.values_path.stem)
        return ranked.metrics

    def user_values(self) -> pd.DataFrame:
        """``KEPT_VALUES`` of every list that its evaluation ranks, and whose it is: column user,
        then one per metric. Measured again where they are not kept."""
        if not self.values_path.exists():
            self.metrics()
        try:
            kept = read_arrays(self.values_path, self.values_path.stem)
        except DamagedError:
            self.metrics()
            kept = read_arrays(self.values_path, self.values_path.stem)
        return pd.DataFrame({name: kept[name] for name in ("user", *KEPT_VALUES) if name in kept})

    # What is kept

    def predictions(self) -> pd.DataFrame:
        """Test ratings and predictions: user, item, rating, predicted.

        Raises:
            DamagedError: the predictions are not as they were written, or are of other ratings.
        """
        table = self.dataset.ratings.iloc[self.split.test][["user", "item", "rating"]].reset_index(
            drop=True
        )
        return table.assign(predicted=self._kept_of(table)["predicted"])

    def members(self) -> np.ndarray:
        """Each member's predictions (members, N), in the row order of :meth:`predictions`."""
        return self._kept_of(self.dataset.ratings.iloc[self.split.test])["members"]

    def _kept_of(self, tested: pd.DataFrame) -> dict[str, np.ndarray]:
        kept = self._kept()
        if any(
            not np.array_equal(kept[side], tested[side].to_numpy()) for side in ("user", "item")
        ):
            raise DamagedError(
                f"{self.predictions_path} is of other test ratings than this split's; "
                "delete it and run again."
            )
        return kept

    def _kept(self) -> dict[str, np.ndarray]:
        return read_arrays(self.predictions_path, self.key)

    def noted(self) -> dict[str, Any]:
        """Its history with what else was noted of it: best epoch, code version and device."""
        return read_json(self.history_path, self.key)

    def history(self) -> History:
        """Learning curve (of its first member)."""
        noted = self.noted()
        # as runs before called it
        valid = noted["valid"] if "valid" in noted else noted["valid_mse"]
        return History(
            noted["train_loss"], valid, noted["seconds"], noted.get("higher_is_better", False)
        )

    def trials(self) -> list[dict[str, Any]]:
        """The trials of its search, first to last."""
        return read_json(self.trials_path, self.searched.key)["trials"]

    def model(self) -> Recommender:
        """Its trained model (the first member), in evaluation mode. Where no weights are kept, or
        not those of such a model, it is trained again."""
        model = self.untrained()
        try:
            self._load(model)
        except DamagedError:
            self._train(weights=True)
            self._load(model)
        return model.to(self.device).eval()

    def _load(self, model: Recommender) -> None:
        arrays = self._weights()
        try:  # files know no 0-d arrays
            shaped = {
                name: torch.from_numpy(arrays[name]).reshape(weights.shape)
                for name, weights in model.state_dict().items()
            }
        except (KeyError, RuntimeError) as error:  # other code kept them
            raise DamagedError(f"{self.weights_path} does not fit {self.label}.") from error
        model.load_state_dict(shaped)

    def _keep_weights(self, model: Recommender) -> None:
        write_arrays(
            self.weights_path,
            {name: t.cpu().numpy() for name, t in model.state_dict().items()},
            self.key,
        )

    def _weights(self) -> dict[str, np.ndarray]:
        return read_arrays(self.weights_path, self.key)


def member_seed(seed: int, member: int) -> int:
    """The seed of a member's initial weights and batches; the first has the split's."""
    return seed if member == 0 else int(np.random.SeedSequence([seed, member]).generate_state(1)[0])


def trained_side_by_side(trainings: Sequence[Training]) -> list[Recommender]:
    """The models of several trainings; those whose weights are not kept, or are to be measured
    again (``BONMF_FRESH=1``), are trained side by side, what they start from before them."""
    starts = {start.key: start for training in trainings for start in training.starts}
    if starts:
        trained_side_by_side(list(starts.values()))
    for _ in in_parallel(Training.train, [(training, True) for training in trainings]):
        pass
    return [training.model() for training in trainings]


def parameter_counts(run: Run, variants: Sequence[Variant]) -> pd.Series:
    """Trainable parameters by row name."""
    counts = {}
    for variant in variants:
        parameters = Training(run, variant, run.settings.seeds[0]).untrained().parameters()
        counts[variant.name] = sum(parameter.numel() for parameter in parameters)
    return pd.Series(counts, name="parameters")
