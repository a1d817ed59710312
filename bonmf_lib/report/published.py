"""What is published, as a report sees it: records and tables, or one sentence that they are not
published yet."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd
from IPython.display import display
from matplotlib.figure import Figure

from ..claims.across_users import published_across_users
from ..claims.ledger import ledger
from ..errors import RecordError
from ..runs.records import is_table_published, published_table, read_published
from .html import Markup, Sentences, reading_table

Part = str | Markup | pd.DataFrame | Figure  # of a report: sentences, markup, a table, a figure
Parts = Iterator[Part]


class NotPublishedError(RecordError):
    """A report asks for what no published run holds yet."""

    def __init__(self, what: str):
        super().__init__(f"{what}: not published yet.")


@dataclass(frozen=True)
class Published:
    """The records of published runs, and the tables kept with one of them, asked for by what they
    are needed for.

    Attributes:
        records: of all runs. run: whose tables are read.
        dataset, content: what :meth:`rows` are taken from: the paper's own data, with real plots
        and posters.
    """

    records: pd.DataFrame
    run: str = "paper"
    dataset: str = "ml-1m"
    content: str = "full"

    @property
    def own(self) -> pd.DataFrame:
        """Records of the data set and content."""
        return self.records[
            (self.records["dataset"] == self.dataset) & (self.records["content"] == self.content)
        ]

    @property
    def across_users(self) -> pd.DataFrame:
        """Differences across users that are kept with published runs."""
        return published_across_users()

    def judged(self) -> pd.DataFrame:
        """The ledger of all records."""
        return ledger(self.records, self.across_users, growing=True)

    def rows(self, experiment: str, what: str) -> pd.DataFrame:
        """Records of an experiment on the data set.

        Raises:
            NotPublishedError: there are none; ``what`` says in a report's words what is lacking.
        """
        found = self.own[self.own["experiment"] == experiment]
        if found.empty:
            raise NotPublishedError(what)
        return found

    def table(self, name: str, what: str) -> pd.DataFrame:
        """A table kept with the run.

        Raises:
            NotPublishedError: there is none. RecordError: it is not as it was published.
        """
        if not is_table_published(self.run, name):
            raise NotPublishedError(what)
        return published_table(self.run, name)


def read_published_run(run: str = "paper") -> Published:
    """All published records, and the tables of one run."""
    return Published(read_published(), run)


def show(*groups: Iterable[Part]) -> None:
    """Display the sentences, tables and figures of each group, in order; where one lacks what is
    not published yet, its sentence says so and the next group follows."""
    for parts in groups:
        try:
            for part in parts:
                display(_shown(part))
        except NotPublishedError as error:
            display(Sentences(str(error)))


def _shown(part: Part) -> object:
    if isinstance(part, str):
        return Sentences(part)
    return reading_table(part) if isinstance(part, pd.DataFrame) else part
