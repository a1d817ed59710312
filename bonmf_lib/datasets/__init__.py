"""Raw files -> :class:`Dataset`."""

from ..errors import ConfigError, SourceError, unknown_name
from ..storage import mirror_dir
from .dataset import CONTENTS, Dataset, RatingScale
from .folder import load_folder
from .movielens import load_movielens
from .planted import PlantedTruth, load_planted

__all__ = ["CONTENTS", "Dataset", "PlantedTruth", "RatingScale", "load_dataset", "load_planted"]

# Other domains; no public host serves them in this form.
MIRROR_FOLDERS = ("boardgames", "anime", "amazon-office", "xwines")
_NAMES = ("ml-100k", "ml-1m", "planted", *MIRROR_FOLDERS, "folder:<path>")


def load_dataset(name: str, content: str = "packaged") -> Dataset:
    """Load a data set by name.

    Args:
        name: ``ml-100k``, ``ml-1m``, ``planted``, ``folder:<path>``, or one of ``MIRROR_FOLDERS``
            where ``BONMF_MIRROR`` has it.
        content: ``packaged`` or ``full`` (real plots and posters; an error when they cannot be
        had).

    Raises:
        ConfigError: unknown name or content. SourceError, DatasetError: see the loaders.
    """
    if content not in CONTENTS:
        raise ConfigError(unknown_name("content", content, CONTENTS))
    if not isinstance(name, str):
        raise ConfigError(f"dataset must be a name, got {name!r}.")
    if name.startswith("folder:"):
        return load_folder(name.removeprefix("folder:"), content)
    if name == "planted":
        return load_planted()[0]
    if name in MIRROR_FOLDERS:
        root = mirror_dir()
        if root is None or not (root / name).is_dir():
            raise SourceError(
                f"{name} is read from the folder {name}/ below BONMF_MIRROR; "
                "set it, or use folder:<path>."
            )
        return load_folder(str(root / name), content)
    if name in ("ml-100k", "ml-1m"):
        return load_movielens(name, content)
    raise ConfigError(unknown_name("dataset", name, _NAMES))
