"""Which device computes."""

import torch

from .errors import ConfigError


def pick_device(name: str = "auto") -> torch.device:
    """``auto`` = the GPU if there is one; ``cpu`` or ``cuda``.

    Raises:
        ConfigError: ``cuda`` was asked for and there is none, or the name is unknown.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise ConfigError(f"Unknown device {name!r}. Known: auto, cpu, cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "device 'cuda' was asked for, but PyTorch sees no GPU here; use 'auto' or 'cpu'."
        )
    return torch.device(name)


def device_name(device: torch.device) -> str:
    """``cpu`` or the GPU's product name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
