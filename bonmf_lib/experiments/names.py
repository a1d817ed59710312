"""Names of rows that both the lists of rows and what is said of them know."""

import re

TEXT_CONTROLS = ("random-text", "minilm-l6-shuffled", "tfidf-shuffled")
NO_TEXT, NO_PICTURE = "BoNMF, no text", "BoNMF, no picture"
READING_CONTROLS = ("BoNMF, random-image", "BoNMF, dinov2-s-shuffled")
FUSION_NO_PICTURE, FUSION_PLAIN, FUSION_SHUFFLED = (
    "Fusion, no picture",
    "Fusion, concatenation",
    "Fusion, shuffled pictures",
)
SPLIT, SPLIT_SHUFFLED = (
    "Fusion, shared and private",
    "Fusion, shared and private, shuffled pictures",
)
# two networks: the mean alone may help
LATE, LATE_SHUFFLED = (
    "Fusion, late",
    "Fusion, late, shuffled pictures",
)
FUSION_CONTROLS, OVERLAP_CONTROLS = (
    (FUSION_SHUFFLED, LATE_SHUFFLED),
    (FUSION_SHUFFLED, SPLIT_SHUFFLED),
)


def row_name(variant: str, protocol: str) -> str:
    """How a variant is called in tables;
    the protocol is named unless it is the only one possible."""
    return variant if protocol == "closed form" else f"{variant} ({protocol})"


_CONTROL = re.compile(
    r"\b(shuffled|noise|constant)\b|\brandom[- ](text|image|control)\b|^no (text|picture)\b"
)


def is_control(name: str) -> bool:
    """Whether a row or its features, by its name, are there for comparison: content that tells
    nothing of its item (shuffled, noise, constant, random), or none of it."""
    return _CONTROL.search(name) is not None
