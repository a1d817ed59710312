"""What reading a catalogue's files gave cause to say: kept for the report and the terminal, without
lines of code and, in the report, without the machine's folders."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..datasets import Dataset, split_view
from ..runs.run import Run

_LIBRARY = Path(__file__).resolve().parents[1]


@contextmanager
def kept() -> Iterator[list[str]]:
    """Gather the library's warnings, each once, in place of printing them; others are printed."""
    remarks: list[str] = []
    with warnings.catch_warnings():
        printed = warnings.showwarning

        def show(message, category, filename, *place, **more) -> None:
            own = category is UserWarning and Path(filename).is_relative_to(_LIBRARY)
            if not own:
                printed(message, category, filename, *place, **more)
            elif str(message) not in remarks:
                remarks.append(str(message))

        warnings.showwarning = show
        warnings.filterwarnings("always", category=UserWarning)
        yield remarks


def sentences(remarks: list[str], run: Run) -> list[str]:
    """Which columns make the texts, where it is known; and remarks with files named from the data's
    folder, or that there are none."""
    name, *_ = split_view(run.settings.dataset)
    folder = f"{name.removeprefix('folder:')}/"
    said = [_named_from(folder, one) for one in remarks]
    return made_of(run.dataset) + (said or ["Its files gave no cause for remarks."])


def made_of(dataset: Dataset) -> list[str]:
    """A sentence on the columns that models read as texts; none where it is not known, or where
    vectors stand in their place."""
    columns = () if "text" in dataset.vectors else dataset.text_columns
    return [f"Texts are made of the columns {', '.join(columns)}."] if columns else []


def _named_from(folder: str, remark: str) -> str:
    said = remark.replace(folder, "")
    place, colon, rest = said.partition(": ")
    return f"{Path(place).name}{colon}{rest}" if Path(place).is_absolute() else said
