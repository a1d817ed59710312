"""What a reader may ask of the published records: the choices that they can answer, and the answer
to each as a sentence, a figure and a table. :mod:`~bonmf_lib.report.live` puts menus before it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Literal

import pandas as pd

from ..claims.judge import LEAST_SEEDS, LOWER_IS_BETTER, VERDICTS, Rules, judge_measured, measure
from ..claims.reading import read_claims
from ..claims.sensitivity import AS_JUDGED, verdicts
from ..datasets.words import shown_name
from ..evaluation.definitions import MetricDefinition, definition_grid
from ..experiments.names import row_name
from .definition_fits import COLUMNS, TOLERANCE, by_metric, fit_to_paper
from .figures import comparison, explore as figures
from .published import Part, Published
from .relative import gains
from .row_sentences import standing_sentence
from .tables import differences, estimates, paper_values

Choice = Mapping[str, str]  # what is chosen, by the name of its menu


@dataclass(frozen=True)
class Menus:
    """Menus that depend on one another.

    Attributes:
        options: a column for each menu and a row for each combination that has an answer; what a
            menu offers depends on the columns before its own.
        default: where the menus start, as far as that is offered.
        kinds: of menus to choose from a ``slider`` or by a ``typed`` word instead of a list.
    """

    title: str
    options: pd.DataFrame
    default: Choice = field(default_factory=dict)
    kinds: Mapping[str, Literal["slider", "typed"]] = field(default_factory=dict)

    def settled(self, wanted: Choice) -> tuple[dict[str, str], dict[str, list[str]]]:
        """The combination nearest to what is wanted, and what every menu then offers.

        Earlier columns weigh more: where a later value does not go with them, the default stands in
        its place, or else the first value that does.

        Returns:
            the choice; by column, what goes with the choices before it.
        """
        left, choice, offered = self.options, {}, {}
        for name in self.options.columns:
            offered[name] = left[name].unique().tolist()
            asked = (wanted.get(name), self.default.get(name))
            choice[name] = next((v for v in asked if v in offered[name]), offered[name][0])
            left = left[left[name] == choice[name]]
        return choice, offered


class Question(ABC):
    """Choices, and the answer to them."""

    menus: tuple[Menus, ...]

    @abstractmethod
    def answer(self, *chosen: Choice) -> tuple[Part | None, ...]:
        """Sentences, figures and tables, always as many (None = nothing to show in that place); one
        choice for each of ``menus``."""


class Differences(Question):
    """Every row of an experiment against one of them, under one split rule and protocol."""

    ALL_ROWS = "all notebooks"
    MOST_ROWS = 40  # that one figure shows
    FAR = 10  # times the median difference: such a row is named instead of drawn
    _HIDDEN = r"mse-epoch-\d+|best_epoch"  # what 04 draws as curves, and what is no quality
    _CLOSED = "closed form"  # such rows stand beside those of every protocol
    UNITS = ("the metric's own unit", "percent of the reference")

    def __init__(self, published: Published):
        records = published.records
        records = records[~records["metric"].str.fullmatch(self._HIDDEN)]
        self._rows: dict[tuple[str, ...], pd.DataFrame] = {}
        found, parts = [], ["dataset", "content", "split", "evaluation"]
        for (dataset, content, split, evaluation), group in records.groupby(parts, sort=False):
            place = f"{dataset}, content {content}", f"{split}, {evaluation}"
            for protocol in group["protocol"].unique():
                found += self._of_protocol((*place, protocol), group)
        columns = ["data", "split", "protocol", "rows of", "metric", "reference"]
        options = pd.DataFrame(found, columns=columns)
        own = f"{published.dataset}, content {published.content}"
        default = {"data": own, "protocol": "as published", "rows of": "04_table1"}
        default |= {"metric": "mse", "reference": "BoNMF"}
        self.menus = (
            Menus("Rows", options, default),
            Menus("Differences", pd.DataFrame({"in": self.UNITS})),
        )

    def _of_protocol(self, key: tuple[str, ...], group: pd.DataFrame) -> list[tuple[str, ...]]:
        """The combinations of one protocol; keeps the records of each choice of experiments."""
        if key[-1] == self._CLOSED:
            return []
        own, found = group[group["protocol"].isin([key[-1], self._CLOSED])], []
        trained = own.loc[own["protocol"] == key[-1], "experiment"].unique()
        choices = {name: own[own["experiment"] == name] for name in trained}
        whole = own[own["experiment"].isin(trained)]
        if len(choices) > 1 and len(_names(whole)) <= self.MOST_ROWS:
            choices[self.ALL_ROWS] = whole
        for experiment, rows in choices.items():
            self._rows[*key, experiment] = rows
            for metric, measured in rows.groupby("metric", sort=False):
                names = _names(measured)
                found += [(*key, experiment, metric, name) for name in names if len(names) > 1]
        return found

    def answer(self, rows: Choice, unit: Choice) -> tuple[Part | None, ...]:
        """How the reference stands, the forest plot of all other rows against it, their table."""
        chosen = self._rows[rows["data"], rows["split"], rows["protocol"], rows["rows of"]]
        metric = rows["metric"]
        chosen = chosen[chosen["metric"] == metric]
        reference = _names(chosen)[rows["reference"]]
        name = row_name(*reference)
        seeds = set(_of(chosen, reference)["seed"])
        paired = chosen[chosen["seed"].isin(seeds)]
        unpaired = [other for other in _names(chosen) if other not in _names(paired)]
        if len(_names(paired)) < 2:
            return f"No other row has a seed in common with {name}.", None, None
        percent = unit["in"] == self.UNITS[1]
        table = difference_table(paired, metric, reference, percent)
        drawn = self._near(table)
        far = ", ".join(f"{row} {table['mean'][row]:+.3g}" for row in table.index.drop(drawn))
        said = [standing_sentence(paired, metric, reference)]
        said += [f"Too far off to be drawn: {far}."] * bool(far)
        said += [f"Without a common seed: {', '.join(unpaired)}."] * bool(unpaired)
        few = int((table["seeds"] < LEAST_SEEDS).sum())
        said += [f"{few} of them share fewer than {LEAST_SEEDS} seeds with it."] * bool(few)
        figure = comparison.forest_plot(table.loc[drawn], name, metric, unit="%" * percent)
        return " ".join(said), figure, table.rename(columns={"mean": "difference"}).round(4)

    def _near(self, table: pd.DataFrame) -> pd.Index:
        size = table["mean"].abs()
        near = size <= self.FAR * max(size.median(), 1e-12)
        return table.index[near] if near.any() else table.index


def _names(records: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Variant and protocol by variant: beside the rows of one protocol stand only others' that are
    solved, not trained."""
    pairs = records[["variant", "protocol"]].drop_duplicates()
    return {pair[0]: pair for pair in pairs.itertuples(index=False, name=None)}


def _of(records: pd.DataFrame, row: tuple[str, str]) -> pd.DataFrame:
    return records[(records["variant"] == row[0]) & (records["protocol"] == row[1])]


def difference_table(
    records: pd.DataFrame, metric: str, reference: tuple[str, str], percent: bool
) -> pd.DataFrame:
    """:func:`~bonmf_lib.report.tables.differences` for a forest plot, in the metric's unit or in
    percent of the reference; either way above 0 where the row's metric is higher.

    Returns:
        index model; columns mean, low, high (95 %), p_holm, seeds.
    """
    table = differences(records, metric, reference).rename(columns={"difference": "mean"})
    if percent:
        relative = gains(records, metric, reference).reindex(table.index)
        ends = ["low", "high"]
        if metric in LOWER_IS_BETTER:
            relative, ends = -relative, ends[::-1]
        table["mean"], table["low"], table["high"] = (relative[name] for name in ("percent", *ends))
    return table[["mean", "low", "high", "p_holm", "seeds"]]


OWN_TOLERANCE = "each claim's own"
TOLERANCES = {
    OWN_TOLERANCE: None,
    **{f"{100 * share:g} %": share for share in (0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1)},
}
FAMILIES = {
    "papers and our checks apart": "apart",
    "all tests together": "together",
    "not adjusted": "unadjusted",
}
COMPETITORS = ("hardest", "easiest")
NOW = "by these rules"


class Verdicts(Question):
    """Every claim judged again by other rules."""

    def __init__(self, published: Published):
        self._published, self._measured = published, {}
        columns = ["tolerance", "p-values", "competitor"]
        options = pd.DataFrame(product(TOLERANCES, FAMILIES, COMPETITORS), columns=columns)
        # by the study's own rules there would be no change to see
        self.menus = (Menus("Rules", options, {"tolerance": "10 %"}, {"tolerance": "slider"}),)

    @cached_property
    def as_judged(self) -> pd.Series:
        """The verdicts by the study's own rules."""
        return self._verdicts(Rules())

    def _verdicts(self, rules: Rules) -> pd.Series:
        if rules.competitor not in self._measured:  # seconds, unlike the verdicts
            self._measured[rules.competitor] = measure(
                read_claims(),
                self._published.records,
                rules.competitor,
                self._published.across_users,
            )
        return verdicts(judge_measured(self._measured[rules.competitor], rules))

    def answer(self, rules: Choice) -> tuple[Part | None, ...]:
        """How many verdicts change and how, their numbers before and after, and the changes."""
        asked = Rules(
            TOLERANCES[rules["tolerance"]], FAMILIES[rules["p-values"]], rules["competitor"]
        )
        both = pd.DataFrame({AS_JUDGED: self.as_judged, NOW: self._verdicts(asked)})
        kinds = both.apply(lambda said: said.str.partition(":")[0])
        counts = kinds.apply(lambda kind: kind.value_counts().reindex(_JUDGED, fill_value=0))
        changes = both[both[AS_JUDGED] != both[NOW]]
        was, becomes = (kinds[name] == VERDICTS[0] for name in both)
        said = (
            f"By these rules {len(changes)} of {len(both)} verdicts change: "
            f"{(becomes & ~was).sum()} become {VERDICTS[0]}, {(was & ~becomes).sum()} cease to be."
        )
        statements = {claim.id: claim.statement for claim in read_claims()}
        table = changes.rename(index=shown_name, level="dataset").reset_index()
        table.insert(1, "statement", table["claim"].map(statements))
        shown = table.set_index("claim") if len(table) else None
        return said, figures.verdict_shift(counts), shown


_JUDGED = VERDICTS[:4]


class Definitions(Question):
    """The paper's table under readings of its Precision@K and NDCG."""

    def __init__(self, published: Published):
        self._paper = paper_values("BoNMF Table 1")
        kept = published.table("definitions", "readings of the metrics")
        values = {
            part: rows.set_index("definition").drop(columns="part")
            for part, rows in kept.groupby("part", sort=False)
        }
        self._errors = self._mean_errors(published)
        known, self._fits, self._values, menus = {d.label: d for d in definition_grid()}, {}, {}, []
        split = by_metric(values)
        for metric, (title, column) in COLUMNS.items():
            found, self._values[metric] = [], {}
            for part, tables in split.items():
                table = tables[title, column]
                self._fits[metric, part] = fit_to_paper(table, self._paper[column])
                for label in table.index:
                    choice = _in_words(known[label], part)
                    self._values[metric][tuple(choice.values())] = part, label, table.loc[label]
                    found.append(choice)
            usual = MetricDefinition(**_USUAL[metric])
            menus.append(Menus(title, pd.DataFrame(found), _in_words(usual, "test")))
        self.menus = tuple(menus)

    def _mean_errors(self, published: Published) -> pd.Series:
        own = published.rows("04_table1", "rows of Table 1")
        return estimates(own, "mse").set_index("variant")["mean"]

    def answer(self, precision: Choice, ndcg: Choice) -> tuple[Part | None, ...]:
        """How near these readings come, the columns of the paper against theirs, the table."""
        paper, said, columns = self._paper, [], {}
        columns["MSE", "paper"], columns["MSE", "ours"] = paper["mse"], self._errors
        for (metric, (title, column)), choice in zip(
            COLUMNS.items(), (precision, ndcg), strict=True
        ):
            part, label, values = self._values[metric][tuple(choice.values())]
            said.append(_standing(title, label, self._fits[metric, part]))
            columns[title, "paper"], columns[title, "ours"] = paper[column], values
        table = pd.DataFrame(columns).reindex(paper.index)
        titles = [title for title, _ in COLUMNS.values()]
        figure = figures.beside_paper({title: table[title] for title in titles})
        for title in titles:
            relative = 100 * (table[title, "ours"] / table[title, "paper"] - 1)
            table[title, "off, %"] = relative.round(1)
        order = [(title, name) for title in ("MSE", *titles) for name in table[title]]
        return " ".join(said), figure, table[order].round(4)


_USUAL = {  # this study's own reading
    "precision": {"metric": "precision", "threshold": 4.0, "variant": "list"},
    "ndcg": {"metric": "ndcg", "gain": "exponential"},
}
_WORDS = {
    "rated": "test ratings",
    "all": "all unrated items",
    "user": "mean over users",
    "pooled": "pooled",
    "list": "min(K, list)",
    "fixed": "K",
    "recommended": "those recommended",
    None: "-",
}


def _in_words(definition: MetricDefinition, part: str) -> dict[str, str]:
    """A reading as choices of menus; those that its metric has."""
    d = definition
    words = {
        "ranked": "training ratings" if part == "train" else _WORDS[d.candidates],
        "K": "whole list" if d.k is None else str(d.k),
        "gain": d.gain or "-",
        "relevant from": "-" if d.threshold is None else f"{d.threshold:g}",
        "averaged": _WORDS[d.averaging],
        "divided by": _WORDS[d.variant],
        "none recommended": "-" if d.empty is None else f"{d.empty:g}",
    }
    other = ("gain",) if d.metric == "precision" else ("divided by", "none recommended")
    return {name: value for name, value in words.items() if name not in other}


def _standing(title: str, label: str, fits: pd.DataFrame) -> str:
    """How near one reading comes to the paper's column, and how many others come nearer."""
    own, distinct = fits.loc[label], fits[fits["distinct"]]
    nearer = int((distinct["rmse"] < own["rmse"] - 1e-12).sum())
    rank = "not defined" if pd.isna(own["spearman"]) else f"{own['spearman']:.2f}"
    return (
        f"{title}: {own['within']} of {own['rows']} rows within {TOLERANCE:.0%} of the paper, "
        f"rank correlation {rank}; {nearer} of {len(distinct)} readings of these ratings "
        "come nearer."
    )
