"""How a model is trained."""

from typing import Literal

from pydantic import Field

from ..config import config
from ..errors import ConfigError


@config
class TrainingConfig:
    """How a model is trained; defaults are two readings of the paper: 10 epochs and MSE; Adam and
    batch 256."""

    epochs: int = Field(10, gt=0)  # at most this many passes over the training ratings
    batch_size: int = Field(256, gt=0)
    learning_rate: float = Field(1e-3, gt=0)  # Adam's usual default; the paper gives none
    weight_decay: float = Field(0.0, ge=0)  # L2 on all parameters, Adam's own
    # stop after this many epochs without a better validation MSE; None = never
    patience: int | None = Field(None, gt=0)
    loss: Literal["mse", "bce"] = (
        "mse"  # bce: every training rating is a positive, whatever its stars
    )
    negatives: int = Field(0, ge=0)  # unrated items drawn per positive; bce only
    tf32: bool = False  # allow TF32 matrix products on an NVIDIA GPU

    def __post_init__(self) -> None:
        if (self.loss == "bce") != (self.negatives > 0):
            raise ConfigError(
                "TrainingConfig.negatives must be positive with loss 'bce' and 0 with 'mse'."
            )
