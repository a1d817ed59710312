"""What rankers share that pass messages in every modality by itself."""

from collections.abc import Iterator

import torch
from torch import nn

from ...encoders import Features
from ...encoders.preparation import Preparation
from ...errors import ModelError
from ..base import Batch, ModelInputs
from ..layers import rows_of, wanted_features


def each_modality(
    config, inputs: ModelInputs, model: str
) -> Iterator[tuple[str, Features, Preparation]]:
    """Those of :func:`~bonmf_lib.models.layers.wanted_features`, of which there is one at least.

    Raises:
        ModelError: the configuration asks for none, or for one that the run lacks.
    """
    if not config.modalities:
        raise ModelError(f"{model} is nothing without features; name at least one modality.")
    return wanted_features(config, inputs, model)


def xavier(rows: int, columns: int) -> nn.Parameter:
    """A table (rows, columns) drawn from Xavier's normal distribution."""
    return nn.Parameter(nn.init.xavier_normal_(torch.empty(rows, columns)))


def id_squares(of_nodes: torch.Tensor, n_users: int, batch: Batch) -> torch.Tensor:
    """Mean over triples (u, i, j) of a batch and over dimensions of u^2 + (i^2 + j^2) / 2; of nodes
    (U + I, D), users first."""
    parts = batch.users, n_users + batch.items, n_users + batch.negatives[1]
    rows = rows_of(of_nodes, torch.cat(parts))  # together: one gradient of the table
    users, rated, drawn = (part.square().mean() for part in rows.split(list(map(len, parts))))
    return users + (rated + drawn) / 2
