"""How a model is trained."""

from typing import Literal

from pydantic import Field

from ..config import config
from ..errors import ConfigError

# of ratings; of pairs rated or not; of items in order; of rated pairs alone, each side near what is
# made of the other
Loss = Literal["mse", "bce", "bpr", "bootstrap"]
_WITH_NEGATIVES = "bce", "bpr"


@config
class TrainingConfig:
    """How a model is trained; defaults are two readings of the paper: 10 epochs and MSE; Adam and
    batch 256."""

    epochs: int = Field(10, gt=0)  # at most this many passes over the training ratings
    batch_size: int = Field(256, gt=0)
    learning_rate: float = Field(1e-3, gt=0)  # Adam's usual default; the paper gives none
    weight_decay: float = Field(0.0, ge=0)  # L2 on all parameters, Adam's own
    # stop after this many epochs without a better validation value; None = never
    patience: int | None = Field(None, gt=0)
    # with all but mse every training rating is a positive, whatever its stars
    loss: Loss = "mse"
    negatives: int = Field(0, ge=0)  # items drawn per positive, anew in every epoch; bce and bpr
    # what they are drawn from, uniformly: the items that the user has not rated in training, those
    # of them that somebody has, or all
    negatives_over: Literal["unrated", "trained", "all"] = "unrated"
    # what batch_size counts: training ratings, each beside its drawn items; or examples, rated and
    # drawn alike, all drawn before the epoch and shuffled; bce
    batches_of: Literal["ratings", "examples"] = "ratings"
    optimiser: Literal["adam", "sgd"] = "adam"  # sgd: without momentum
    tf32: bool = False  # allow TF32 matrix products on an NVIDIA GPU

    def __post_init__(self) -> None:
        if (self.loss in _WITH_NEGATIVES) != (self.negatives > 0):
            raise ConfigError(
                "TrainingConfig.negatives must be positive with loss 'bce' or 'bpr' "
                "and 0 with the others."
            )
        if self.negatives_over != "unrated" and not self.negatives:
            raise ConfigError("TrainingConfig.negatives_over is of negatives, but none are drawn.")
        if self.batches_of == "examples" and self.loss != "bce":
            raise ConfigError(
                "TrainingConfig.batches_of 'examples' separates drawn items from their rating, "
                f"which loss '{self.loss}' does not allow."
            )

    @property
    def is_implicit(self) -> bool:
        """Whether every training rating is a positive, whatever its stars."""
        return self.loss != "mse"
