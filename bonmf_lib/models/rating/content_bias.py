"""Biases of which those of items lean on content, and tastes for content: what ratings and texts or
pictures say together where ratings are few. All of it is solved, nothing is trained.

    r_ui = mu + b_u + b_i + w . x_i + t_u . z_i
    minimise  sum (r_ui - r^_ui)^2
              + lambda (sum b_u^2 + sum b_i^2) + lambda_w |w|^2 + lambda_t sum |t_u|^2

x_i are the content of an item: features and fields, each centred and of mean squared length 1. z_i
are its first principal components, of the same length. An item without ratings has b_i = 0, so that
w . x_i is all that is said of it; the more ratings, the less content decides (a linear mixed model
whose random item effects have a mean that content predicts: Gelman and Hill, 2007, chapter 12; for
recommenders: Agarwal and Chen, 2009, "Regression-based latent factor models").
"""

import numpy as np
import torch
from pydantic import Field
from scipy.sparse import csr_matrix

from ...config import config
from ...encoders.features import MODALITIES, Modalities
from ...encoders.preparation import Preparation, prepared
from ..base import ClosedFormModel, ModelInputs, RatingModel, register
from ..layers import wanted_features

_BLOCK = 4096  # users of whom matrices are summed and inverted at once


@config
class ContentBiasConfig:
    """Defaults are ours."""

    regularisation: float = Field(5.0, gt=0)  # lambda, in ratings
    content_regularisation: float = Field(10.0, gt=0)  # lambda_w
    taste_regularisation: float = Field(10.0, gt=0)  # lambda_t
    tastes: int = Field(16, ge=0)  # length of t and z; 0 = users have no tastes
    sweeps: int = Field(20, ge=1)  # of alternating exact solutions, of users and of items
    modalities: Modalities = MODALITIES
    text_preparation: Preparation = "native"
    image_preparation: Preparation = "native"
    use_fields: bool = True  # genres and decade of items


@register("content-bias", ContentBiasConfig)
class ContentBias(ClosedFormModel, RatingModel):
    """Without any content it is the model of user and item biases."""

    def __init__(self, config: ContentBiasConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.config = config
        blocks = [
            _unit(prepared(features, preparation), features.present)
            for _, features, preparation in wanted_features(config, inputs, "ContentBias")
        ]
        fields = inputs.item_fields.values() if config.use_fields else ()
        blocks += [_unit(rows, rows.any(axis=1)) for rows in fields]
        empty = np.zeros((inputs.n_items, 0))
        self.content = np.concatenate([empty, *blocks], axis=1)  # x, (I, D)
        axes = _components(self.content, config.tastes)  # z, (I, d)
        doubles = {"dtype": torch.float64}
        self.register_buffer("mean", torch.tensor(float(inputs.mean_rating), **doubles))
        self.register_buffer("user_bias", torch.zeros(inputs.n_users, **doubles))
        self.register_buffer("item_effect", torch.zeros(inputs.n_items, **doubles))  # b_i + w . x_i
        self.register_buffer("axes", torch.from_numpy(axes))
        self.register_buffer("tastes", torch.zeros(inputs.n_users, axes.shape[1], **doubles))

    def solve(self, users: torch.Tensor, items: torch.Tensor, ratings: torch.Tensor) -> None:
        item = items.cpu().numpy()
        rated, user = np.unique(users.cpu().numpy(), return_inverse=True)  # of others all is 0
        rest = ratings.cpu().numpy().astype(np.float64)
        mean = rest.mean()
        rest = rest - mean
        axes = np.hstack([np.ones((self.n_items, 1)), self.axes.cpu().numpy()])  # of b_u, then t_u
        shape = len(rated), self.n_items
        inverse = self._inverses(csr_matrix((np.ones(len(user)), (user, item)), shape), axes)
        counts = np.bincount(item, minlength=self.n_items).astype(np.float64)
        effect, own = np.zeros(self.n_items), np.zeros((len(rated), axes.shape[1]))
        for _ in range(self.config.sweeps):
            left = csr_matrix((rest - effect[item], (user, item)), shape)
            own = np.einsum("ujk,uk->uj", inverse, left @ axes)
            left = rest - np.einsum("nk,nk->n", own[user], axes[item])
            effect = self._effects(np.bincount(item, left, self.n_items), counts)
        of_all = np.zeros((self.n_users, axes.shape[1]))
        of_all[rated] = own
        for buffer, values in (
            (self.mean, mean), (self.user_bias, of_all[:, 0]), (self.tastes, of_all[:, 1:]),
            (self.item_effect, effect),
        ):  # fmt: skip
            buffer.copy_(torch.as_tensor(values))

    def _inverses(self, rated: csr_matrix, axes: np.ndarray) -> np.ndarray:
        """(sum of z_i z_i^T over a user's items + penalties)^-1 of every user, (U, d, d): a block
        of users after another, so that no more than these is held."""
        size = axes.shape[1]
        products = np.einsum("ij,ik->ijk", axes, axes).reshape(len(axes), size * size)
        penalties = np.full(size, self.config.taste_regularisation)
        penalties[0] = self.config.regularisation
        inverses = np.empty((rated.shape[0], size, size))
        for start in range(0, len(inverses), _BLOCK):
            sums = (rated[start : start + _BLOCK] @ products).reshape(-1, size, size)
            inverses[start : start + _BLOCK] = np.linalg.inv(sums + np.diag(penalties))
        return inverses

    def _effects(self, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """b_i + w . x_i of every item, from the sums of what is left of its ratings: with b_i put
        in, w is a ridge regression of their means, in which an item weighs n lambda / (n +
        lambda)."""
        strength, x = self.config.regularisation, self.content
        if x.shape[1]:
            weight = strength / (counts + strength)  # of the sums
            gram = (x * (counts * weight)[:, None]).T @ x
            gram += self.config.content_regularisation * np.eye(x.shape[1])
            said = x @ np.linalg.solve(gram, x.T @ (weight * sums))
        else:
            said = np.zeros(len(counts))
        return said + (sums - counts * said) / (counts + strength)

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        taste = (self.tastes[users] * self.axes[items]).sum(1)
        return (self.mean + self.user_bias[users] + self.item_effect[items] + taste).float()

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        beside = self.user_bias[users].unsqueeze(1) + self.item_effect
        return (self.mean + beside + self.tastes[users] @ self.axes.T).float()


def _unit(rows: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Rows (I, D) centred over the items that have them, with a mean squared length of 1; the
    others are 0, as the mean is."""
    out = np.zeros(rows.shape, np.float64)
    if present.any():
        centred = rows[present] - rows[present].mean(axis=0, dtype=np.float64)
        length = np.sqrt(np.mean(np.sum(centred**2, axis=1)))
        out[present] = centred / length if length > 0 else 0.0
    return out


def _components(content: np.ndarray, count: int) -> np.ndarray:
    """The first principal components of centred rows, with a mean squared length of 1 among the
    items that have any content: (I, D) -> (I, at most count)."""
    if not count or not content.shape[1]:
        return np.zeros((len(content), 0))
    left, sizes, _ = np.linalg.svd(content, full_matrices=False)
    made = left[:, :count] * sizes[:count]
    lengths = np.sum(made**2, axis=1)[content.any(axis=1)]
    return made / np.sqrt(lengths.mean()) if len(lengths) else made
