"""Ridge regression of items' means on their content, and user biases:

    r_ui = mu + b_u + w . x_i (+ e_i)

    w, c minimise  sum_i n_i / (n_i + lambda) (y_i - c - w . x_i)^2 + alpha |w|^2
    y_i = sum_u (r_ui - mu - b_u) / n_i,   e_i = sum_u (r_ui - mu - b_u - w . x_i) / (n_i + lambda)

x_i are text, picture or both, side by side. The weights are those of means with an error of their
own (variance tau^2 besides sigma^2 / n_i, lambda = sigma^2 / tau^2): without it, few popular items
would decide w. With e_i, content is where an item's mean starts, and its ratings move it from there
(a regression prior, as in Agarwal & Chen, 2009, "Regression-based latent factor models", KDD).
c, by how much the mean item is liked less than the mean rating tells, is left out of predictions:
like biases without content, they start at mu.
alpha is chosen by leave-one-out over the training items (scikit-learn's ``RidgeCV``).
"""

import numpy as np
import torch
from pydantic import Field
from scipy import linalg
from sklearn.linear_model import RidgeCV

from ...config import config
from ...encoders.features import MODALITIES, Modalities
from ...encoders.preparation import Preparation, prepared
from ...errors import ConfigError
from ..base import ClosedFormModel, ModelInputs, RatingModel, register
from ..layers import wanted_features

_ALPHAS = tuple(float(alpha) for alpha in np.logspace(0, 6, 13))


@config
class ContentRidgeConfig:
    modalities: Modalities = MODALITIES
    text_preparation: Preparation = "standardised"
    image_preparation: Preparation = "standardised"
    shrinkage: float = Field(5.0, gt=0)  # lambda, in ratings; the same for users and items
    item_bias: bool = False  # e: what an item's own ratings add to its content
    sweeps: int = Field(50, ge=1)  # of w, e and b in turn; far past convergence


@register("content-ridge", ContentRidgeConfig)
class ContentRidge(ClosedFormModel, RatingModel):
    """An item without content is predicted like one with the mean content."""

    def __init__(self, config: ContentRidgeConfig, inputs: ModelInputs):
        super().__init__(inputs)
        if not config.modalities:
            raise ConfigError("ContentRidgeConfig.modalities is empty; name at least one.")
        self.config = config
        found = list(wanted_features(config, inputs, "The ridge on content"))
        self._content = np.concatenate([prepared(own, how) for _, own, how in found], axis=1)
        self._known = np.logical_or.reduce([own.present for _, own, _ in found])
        self.register_buffer("mean", torch.tensor(float(inputs.mean_rating), dtype=torch.float64))
        for name, size in (("user_bias", inputs.n_users), ("item_part", inputs.n_items)):
            self.register_buffer(name, torch.zeros(size, dtype=torch.float64))

    def solve(self, users: torch.Tensor, items: torch.Tensor, ratings: torch.Tensor) -> None:
        user, item, rest = users.cpu().numpy(), items.cpu().numpy(), ratings.double().cpu().numpy()
        mean, shrinkage = rest.mean(), self.config.shrinkage
        rest = rest - mean
        counts = np.bincount(item, minlength=self.n_items)
        per_user = np.bincount(user, minlength=self.n_users) + shrinkage
        rated = np.flatnonzero((counts > 0) & self._known)
        weight = (counts / (counts + shrinkage))[rated]
        user_bias, fit = np.zeros(self.n_users), None
        for _ in range(self.config.sweeps):
            sums = np.bincount(item, rest - user_bias[user], minlength=self.n_items)
            targets = sums[rated] / counts[rated]
            if fit is None:
                fit = _ridge(self._content[rated].astype(np.float64), targets, weight)
            item_part = self._content @ (fit @ targets)
            if self.config.item_bias:
                item_part += (sums - counts * item_part) / (counts + shrinkage)
            left = np.bincount(user, rest - item_part[item], minlength=self.n_users)
            user_bias = left / per_user
        self.mean.fill_(mean)
        self.user_bias.copy_(torch.from_numpy(user_bias))
        self.item_part.copy_(torch.from_numpy(item_part))

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        return (self.mean + self.user_bias[users] + self.item_part[items]).float()


def _ridge(content: np.ndarray, targets: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """What maps targets (N,) to w, (D, N), with alpha chosen for these: once, since targets of
    later sweeps are nearly the same."""
    alpha = RidgeCV(_ALPHAS).fit(content, targets, sample_weight=weight).alpha_
    centred = content - np.average(content, axis=0, weights=weight)
    weighted = centred.T * weight  # (D, N); its product with a constant is 0, so c is left out
    gram = weighted @ centred
    return linalg.solve(gram + alpha * np.eye(len(gram)), weighted, assume_a="pos")
