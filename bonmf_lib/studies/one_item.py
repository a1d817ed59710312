"""One item looked at closely: its neighbours, what trained models predict for it, and what they
predict when its text or its picture is hidden from them."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import pandas as pd
import torch

from ..device import pick_device
from ..encoders import Features
from ..encoders.features import MODALITIES
from ..errors import ModelError
from ..evaluation.probing import nearest, similarities
from ..models import RatingModel
from ..models.layers import FeatureTable
from ..runs.run import Run
from ..runs.training import Training
from ..runs.variant import Variant
from ..training.loop import predict

# what is hidden, by what the item then is; the first is the item as it is
HIDDEN: dict[str, tuple[str, ...]] = {
    "as it is": (),
    "without text": ("text",),
    "without picture": ("image",),
    "without both": MODALITIES,
}


def neighbours(features: dict[str, Features], item: int, most: int = 5) -> dict[str, pd.DataFrame]:
    """An item's nearest neighbours by each of its features and, where it has several, by the mean
    of their cosine similarities.

    Args:
        features: by name.

    Returns:
        tables of :func:`~bonmf_lib.evaluation.probing.nearest_neighbours` by the features' name,
        the mean's being the names joined by ``and``; features that the item lacks are left out.
    """
    found = {name: similarities(own, item) for name, own in features.items() if own.present[item]}
    if len(found) > 1:
        found[" and ".join(found)] = np.mean(list(found.values()), axis=0)
    return {name: nearest(similarity, most) for name, similarity in found.items()}


def trained_models(run: Run, rows: Sequence[Variant], seed: int) -> dict[str, RatingModel]:
    """The rows' models by name, from the weights that the run keeps of them."""
    return {row.name: Training(run, row, seed).model() for row in rows}


@contextmanager
def hidden(model: RatingModel, modality: str, item: int) -> Iterator[None]:
    """The model, unable to see the item's ``text`` or ``image``: it reads the vector learned for
    missing ones or, where none was missing in training, what standardised features have at the mean
    of all items.

    A model that does not read the modality stays as it is.
    """
    tables = feature_tables(model, modality)
    kept = [(table, table.matrix, getattr(table, "absent", None)) for table in tables]
    for table in tables:
        table.matrix = _with(table.matrix, item, 0.0)
        if table.missing is not None:
            table.absent = _with(table.absent, item, 1.0)
    try:
        yield
    finally:
        for table, matrix, absent in kept:
            table.matrix = matrix
            if absent is not None:
                table.absent = absent


def feature_tables(model: RatingModel, modality: str) -> list[FeatureTable]:
    """The parts of a model that hold a modality's features, by their names' ends.

    Raises:
        ModelError: a part's name ends with no modality.
    """
    named = {name: part for name, part in model.named_modules() if isinstance(part, FeatureTable)}
    if strange := [name for name in named if not name.endswith(MODALITIES)]:
        raise ModelError(f"{type(model).__name__}.{strange[0]} tells not what features it holds.")
    return [part for name, part in named.items() if name.endswith(modality)]


def _with(buffer: torch.Tensor, row: int, value: float) -> torch.Tensor:
    changed = buffer.clone()
    changed[row] = value
    return changed


def predictions(
    models: dict[str, RatingModel], item: int, low: float, high: float
) -> dict[str, pd.DataFrame]:
    """Every user's predicted rating of one item, clipped to the scale.

    Returns:
        by key of ``HIDDEN``, a table of the users (index) by model (columns); models that do not
        read all that is hidden are left out, and so is what none reads.
    """
    device, out = pick_device(), {}
    for state, modalities in HIDDEN.items():
        columns = {}
        for name, model in models.items():
            if not all(feature_tables(model, modality) for modality in modalities):
                continue
            with ExitStack() as stack:
                for modality in modalities:
                    stack.enter_context(hidden(model, modality, item))
                users = torch.arange(model.n_users, device=device)
                predicted = predict(model, users, torch.full_like(users, item))
            columns[name] = predicted.clamp(low, high).cpu().numpy()
        if columns:
            out[state] = pd.DataFrame(columns).rename_axis("user")
    return out
