"""Ways to join a projected text and picture, one module each
(equations in :mod:`.visual_fusion`)."""

import torch
from torch import nn

from ...errors import ConfigError, ModelError
from ..base import ModelInputs
from ..layers import rows_of


class Fusion(nn.Module):
    """Plain concatenation, and the interface of all others.

    Attributes:
        size: of m.
    """

    def __init__(self, config, inputs: ModelInputs):
        super().__init__()
        self.size = config.feature_dim * len(config.modalities)

    @staticmethod
    def width(config) -> int:
        """Size of each projection that is joined."""
        return config.feature_dim

    def forward(self, parts: list[torch.Tensor], items: torch.Tensor | None) -> torch.Tensor:
        """Projections (N, width) of the items, text before picture -> m (N, size); None = all items
        in order."""
        return torch.cat(parts, 1)

    def heard(
        self, text: torch.Tensor, image: torch.Tensor, items: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What the MLP hears of each modality alone, (N, width) each -> (N, own size) each."""
        return text, image

    def misalignment(self, text: torch.Tensor, image: torch.Tensor) -> torch.Tensor | None:
        """What is minimised so that both say the same where they should; None = nothing should.
        Columns have mean 0 and variance 1."""
        return None


class Sum(Fusion):
    """t + v."""

    def __init__(self, config, inputs: ModelInputs):
        super().__init__(config, inputs)
        self.size = config.feature_dim

    def forward(self, parts: list[torch.Tensor], items: torch.Tensor | None) -> torch.Tensor:
        return sum(parts)


class Gated(Sum):
    """z * tanh t + (1 - z) * tanh v."""

    def __init__(self, config, inputs: ModelInputs):
        super().__init__(config, inputs)
        self.gate = nn.Linear(2 * config.feature_dim, config.feature_dim)

    def forward(self, parts: list[torch.Tensor], items: torch.Tensor | None) -> torch.Tensor:
        text, image = parts
        z = torch.sigmoid(self.gate(torch.cat([text, image], 1)))
        return z * text.tanh() + (1 - z) * image.tanh()


class Bilinear(Sum):
    """sum_r (A_r [t_i ; 1]) * (B_r [v_i ; 1]);
    the projections are A and B, of all r side by side."""

    def __init__(self, config, inputs: ModelInputs):
        super().__init__(config, inputs)
        # the ones appended to the features; products start near one, not near zero
        self.rank = config.rank
        self.ones = nn.ParameterList(
            [torch.full((self.width(config),), config.rank**-0.5) for _ in range(2)]
        )

    @staticmethod
    def width(config) -> int:
        return config.feature_dim * config.rank

    def forward(self, parts: list[torch.Tensor], items: torch.Tensor | None) -> torch.Tensor:
        pairs = zip(parts, self.ones, strict=True)
        text, image = ((part + ones).unflatten(1, (self.rank, -1)) for part, ones in pairs)
        return (text * image).sum(1)


class Apart(Fusion):
    """The text alone: the picture has an MLP of its own."""

    def __init__(self, config, inputs: ModelInputs):
        super().__init__(config, inputs)
        self.size = config.feature_dim

    def forward(self, parts: list[torch.Tensor], items: torch.Tensor | None) -> torch.Tensor:
        return parts[0]


class OverlapGated(Fusion):
    """[t ; g_i v], g_i = sigmoid(a - b o_i)."""

    def __init__(self, config, inputs: ModelInputs):
        super().__init__(config, inputs)
        if inputs.item_overlap is None:
            raise ModelError(
                "Overlap-gated fusion reads the items' overlap; pass it as item_overlap."
            )
        overlap = torch.from_numpy(inputs.item_overlap).float().nan_to_num(0.0).unsqueeze(1)
        self.register_buffer("overlap", overlap, persistent=False)  # (I, 1)
        self.level, self.slope = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.ones(1))

    def forward(self, parts: list[torch.Tensor], items: torch.Tensor | None) -> torch.Tensor:
        return torch.cat(self.heard(*parts, items), 1)

    def heard(self, text, image, items):
        return text, torch.sigmoid(self.level - self.slope * rows_of(self.overlap, items)) * image


class SharedPrivate(Fusion):
    """[(s_t + s_v) / 2 ; p_t ; p_v]: the first columns of both are shared."""

    def __init__(self, config, inputs: ModelInputs):
        super().__init__(config, inputs)
        if config.shared_dim >= config.feature_dim:
            raise ConfigError(
                "VisualFusionConfig.shared_dim must leave some of feature_dim private."
            )
        self.shared = config.shared_dim
        self.size -= self.shared

    def forward(self, parts: list[torch.Tensor], items: torch.Tensor | None) -> torch.Tensor:
        text, image = (part[:, : self.shared] for part in parts)
        return torch.cat([(text + image) / 2, *self.heard(*parts, items)], 1)

    def heard(self, text, image, items):
        return text[:, self.shared :], image[:, self.shared :]

    def misalignment(self, text: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        return 1 - (text[:, : self.shared] * image[:, : self.shared]).mean()


FUSIONS: dict[str, type[Fusion]] = {
    "concatenation": Fusion,
    "sum": Sum,
    "gated": Gated,
    "bilinear": Bilinear,
    "attention": Fusion,  # of the text and a summary of the picture's regions
    "late": Apart,
    "residual": Apart,
    "overlap-gated": OverlapGated,
    "shared-private": SharedPrivate,
}
