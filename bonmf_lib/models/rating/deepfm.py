"""DeepFM (Guo et al., 2017, "DeepFM: A Factorization-Machine based Neural Network for CTR
Prediction", IJCAI).

    r = mean + y_FM + y_DNN                                                              eq. 1
    y_FM = <w, x> + sum_{j<k} <v_j, v_k> x_j x_k                                         eq. 2
    a^(0) = [e_1 ; ... ; e_m],    e_f = sum of v_j x_j over the columns j of field f      eq. 3
    a^(l+1) = relu(W^(l) a^(l) + b^(l)),    y_DNN = W^(H+1) a^(H) + b^(H+1)               eq. 4

Both parts share the v_j. Ratings and the squared error stand here for the paper's clicks and
logistic loss, so the sigmoids of eqs. 1 and 4 are left out; the training mean is added instead, so
that predictions start there.
"""

import torch
from pydantic import Field

from ...config import config
from ..base import ModelInputs, register
from .fm import item_vector, user_vector
from .wide_deep import DeepFieldModel


@config
class DeepFMConfig:
    """Comments say whose the defaults are."""

    factors: int = Field(50, gt=0)  # of ids and fields alike; ours, as in BoNMF (the paper: 10)
    hidden: tuple[int, ...] = (128, 64)  # as in BoNMF (the paper: 400, 400, 400)
    dropout: float = Field(0.0, ge=0, lt=1)  # after each hidden layer; ours (the paper: 0.5)
    use_fields: bool = True
    # lambda, as in the FM; ours, by validation error on ML-100K
    regularisation: float = Field(0.05, ge=0)
    embedding_std: float = Field(0.05, gt=0)  # of the initial embeddings; ours, as in BoNMF


@register("deepfm", DeepFMConfig)
class DeepFM(DeepFieldModel):
    """A factorisation machine beside an MLP over the same embeddings."""

    def __init__(self, config: DeepFMConfig, inputs: ModelInputs):
        super().__init__(config, inputs, config.factors, config.factors)

    def user_row(self, users: torch.Tensor | None) -> torch.Tensor:
        return user_vector(*self.user.machine(users))

    def item_row(self, items: torch.Tensor | None) -> torch.Tensor:
        return item_vector(*self.item.machine(items))
