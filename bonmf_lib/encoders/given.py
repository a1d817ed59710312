"""Vectors that data came with, under the names of encoders: nothing is encoded."""

from dataclasses import dataclass

from ..datasets import Dataset
from ..datasets.vectors import GIVEN, REBUILT
from ..errors import EncoderError
from ..storage import json_sha256
from .features import MODALITIES, Features
from .registry import register_given


@dataclass(frozen=True)
class GivenEncoder:
    """What reads a data set's own vectors of one kind (:mod:`~bonmf_lib.datasets.vectors`)."""

    name: str
    modality: str
    version: str = "1"
    image_size: int = 224  # as every image encoder has it; without effect
    default_pooling: str = "vector"
    poolings: tuple[str, ...] = ("vector",)

    def features(self, dataset: Dataset) -> Features:
        """The vectors and their neighbours.

        Raises:
            EncoderError: the data came without vectors of this kind.
        """
        found = dataset.vectors.get(self.modality)
        if found is None or found.kind != self.name:
            own = "no vectors" if found is None else found.kind
            raise EncoderError(
                f"{dataset.name} has {own} of its {self.modality}, not {self.name}; "
                "choose another encoder."
            )
        key = json_sha256([self.name, self.version, found.fingerprint])
        name = f"{self.name}/{self.default_pooling}"
        return Features(
            found.matrix, found.present, name, self.version, key, neighbours=found.neighbours
        )


for _name in (GIVEN, REBUILT):
    for _modality in MODALITIES:
        register_given(GivenEncoder(_name, _modality))
