"""What a trained model comes to: vectors and biases from which every score follows, so that a
prediction needs neither the data nor a training.

    s_ui = mu + b_u + b_i + p_u . q_i
"""

from dataclasses import dataclass
from functools import singledispatch

import numpy as np
import torch

from ..errors import ModelError
from ..models import Recommender
from ..models.ranking.graph import EmbeddingRanker
from ..models.ranking.popularity import Popularity
from ..models.rating.bias import GlobalMean, UserItemBias
from ..models.rating.biased_svd import BiasedSVD
from ..models.rating.bonmf_plus import BoNMFPlus
from ..models.rating.content_bias import ContentBias


@dataclass(frozen=True, eq=False)
class Scores:
    """float32: mean (1,), user_bias (U,), item_bias (I,), user_vectors (U, k), item_vectors
    (I, k)."""

    mean: np.ndarray
    user_bias: np.ndarray
    item_bias: np.ndarray
    user_vectors: np.ndarray
    item_vectors: np.ndarray

    @property
    def has_vectors(self) -> bool:
        """Whether they are more than a mean and biases (k is above 0)."""
        return self.item_vectors.shape[1] > 0

    def of(self, users: np.ndarray) -> np.ndarray:
        """Scores of every item for each user, (B,) -> (B, I)."""
        beside = self.user_bias[users, None] + self.item_bias
        return self.mean + beside + self.user_vectors[users] @ self.item_vectors.T


def scores_of(model: Recommender) -> Scores:
    """The same scores as the model's own.

    Raises:
        ModelError: its scores are no products of vectors.
    """
    with torch.no_grad():
        parts = _parts(model.eval())
    arrays = [part.detach().cpu().to(torch.float32).contiguous().numpy() for part in parts]
    return Scores(arrays[0].reshape(1), *arrays[1:])


def has_scores(model: type[Recommender]) -> bool:
    """Whether a kind of model can be handed on like this."""
    return _parts.dispatch(model) is not _parts.dispatch(object)


@singledispatch
def _parts(model: Recommender) -> tuple[torch.Tensor, ...]:
    raise ModelError(f"The scores of {type(model).__name__} are no products of vectors.")


def _plain(model: Recommender, mean, user_bias, item_bias) -> tuple[torch.Tensor, ...]:
    """Of a model without vectors."""
    sizes = model.n_users, model.n_items
    return mean, user_bias, item_bias, *(torch.zeros(size, 0) for size in sizes)


@_parts.register
def _(model: GlobalMean):
    return _plain(model, model.mean, torch.zeros(model.n_users), torch.zeros(model.n_items))


@_parts.register
def _(model: UserItemBias):
    return _plain(model, model.mean, model.user_bias, model.item_bias)


@_parts.register
def _(model: Popularity):
    return _plain(model, torch.zeros(1), torch.zeros(model.n_users), model.counts)


@_parts.register
def _(model: BiasedSVD):
    users = model.user_vectors(torch.arange(model.n_users, device=model.mean.device))
    return model.mean, model.user_bias, model.item_bias, users, model.item_factors.weight


@_parts.register
def _(model: ContentBias):
    return model.mean, model.user_bias, model.item_effect, model.tastes, model.axes


@_parts.register
def _(model: BoNMFPlus):
    if model.mlp is not None:
        raise ModelError("The scores of BoNMF+ with an MLP are no products of vectors.")
    items, bias = model.item_tables(model.content_table())
    return model.mean, model.user_bias, bias, model.user_table(), items


@_parts.register
def _(model: EmbeddingRanker):
    users, items = model.embedded()
    return torch.zeros(1), torch.zeros(len(users)), torch.zeros(len(items)), users, items
