"""Raw files -> :class:`Dataset`."""

import re
import warnings
from dataclasses import replace

import numpy as np

from ..errors import ConfigError, SourceError, unknown_name
from ..storage import mirror_dir
from .dataset import CONTENTS, UNRATED, Dataset, RatingScale
from .enough import are_alike, check_enough, warn_of_little
from .folder import load_folder
from .implicit import implicit_view
from .mmrec import interaction_files, load_mmrec
from .movielens import load_movielens
from .multimodal import NAMES as MULTIMODAL, load_multimodal
from .planted import PlantedTruth, load_planted
from .starred import NAMES as STARRED, load_starred

__all__ = [
    "CONTENTS",
    "Dataset",
    "PlantedTruth",
    "RatingScale",
    "load_dataset",
    "load_planted",
    "only_in_mirror",
    "read_from",
]

# Other domains; no public host serves them in this form.
MIRROR_FOLDERS = ("boardgames", "anime", "amazon-office", "xwines")
_NAMES = (
    "ml-100k", "ml-1m", "planted", *MIRROR_FOLDERS, *MULTIMODAL, *STARRED, "folder:<path>",
)  # fmt: skip
# what implicit_view calls the data set that it makes
_VIEW = re.compile(r"(?P<name>.+?)(\+from(?P<at_least>\d+(\.\d+)?))?(\+core(?P<core>[1-9]\d*))?")


def load_dataset(name: str, content: str = "packaged") -> Dataset:
    """Load a data set by name.

    Args:
        name: ``ml-100k``, ``ml-1m``, ``planted``, ``folder:<path>``, or one of ``MIRROR_FOLDERS``,
            ``MULTIMODAL`` and ``STARRED`` where ``BONMF_MIRROR`` has it. Behind any of them
            ``+from4`` keeps ratings of at least 4 and ``+core5`` a 5-core
            (:func:`~bonmf_lib.datasets.implicit.implicit_view`). Where ``+from5`` leaves one rating
            only, pairs without ratings are left, with a warning.
        content: ``packaged`` or ``full`` (real plots and posters; an error when they cannot be
        had).

    Raises:
        ConfigError: unknown name or content. DatasetError: a view leaves too few ratings, or a core
            such as are all alike. SourceError, DatasetError: see the loaders.
    """
    if content not in CONTENTS:
        raise ConfigError(unknown_name("content", content, CONTENTS))
    if not isinstance(name, str):
        raise ConfigError(f"dataset must be a name, got {name!r}.")
    whole, at_least, core = split_view(name)
    dataset = _load(whole, content, whole=whole == name)
    view = implicit_view(dataset, at_least, core)
    left_by = name.removeprefix(whole) if view is not dataset else ""
    if left_by and view.scale.rates:
        if at_least is not None and are_alike(view.ratings):
            view = _as_pairs(view, whole, left_by)
        check_enough(view.ratings, whole, left_by, view.scale.rates)
    if whole != name and (whole.startswith("folder:") or whole in MIRROR_FOLDERS):
        warn_of_little(view.ratings, whole, left_by, "+core2 behind the name")
    return view


def _as_pairs(view: Dataset, whole: str, left_by: str) -> Dataset:
    """Equal ratings as pairs without ratings: they can be ranked by, and not be predicted."""
    ratings = view.ratings.assign(rating=np.float32(1))
    warnings.warn(
        f"{whole}: {left_by} leaves ratings of {view.ratings['rating'].iloc[0]:g} only, which are "
        "read as pairs without ratings: items are ranked, and no rating is predicted.",
        stacklevel=3,
    )
    return replace(view, ratings=ratings, scale=UNRATED)


def split_view(name: str) -> tuple[str, float | None, int]:
    """The name of a whole data set, and what is kept of it: the lowest rating (None = all) and the
    core (0 = all)."""
    found = _VIEW.fullmatch(name)
    if found is None:
        return name, None, 0
    at_least = found["at_least"]
    return found["name"], None if at_least is None else float(at_least), int(found["core"] or 0)


def only_in_mirror(name: str) -> bool:
    """Whether a data set is read from ``BONMF_MIRROR`` alone: no public host has it so."""
    own = split_view(name)[0].removeprefix("folder:")
    return own in (*MIRROR_FOLDERS, *MULTIMODAL, *STARRED)


def read_from(name: str) -> str:
    """Where a data set comes from, in a few words."""
    if only_in_mirror(name):
        return "mirror only"
    if name.startswith("folder:"):
        return "a folder"
    return "made here" if name == "planted" else "public host or mirror"


def _load(name: str, content: str, whole: bool) -> Dataset:
    if name.startswith("folder:"):
        path = name.removeprefix("folder:")
        return (
            load_mmrec(path, content)
            if interaction_files(path)
            else load_folder(path, content, whole)
        )
    if name == "planted":
        return load_planted()[0]
    if name in MIRROR_FOLDERS:
        root = mirror_dir()
        if root is None or not (root / name).is_dir():
            raise SourceError(
                f"{name} is read from the folder {name}/ below BONMF_MIRROR; "
                "set it, or use folder:<path>."
            )
        return load_folder(str(root / name), content, whole)
    if name in MULTIMODAL:
        return load_multimodal(name, content)
    if name in STARRED:
        return load_starred(name, content)
    if name in ("ml-100k", "ml-1m"):
        return load_movielens(name, content)
    raise ConfigError(unknown_name("dataset", name, _NAMES))
