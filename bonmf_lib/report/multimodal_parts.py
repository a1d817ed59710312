"""Parts of the report on rankers that read text and pictures (12): tables and figures of what is
published."""

from collections.abc import Iterator, Sequence

import pandas as pd

from ..evaluation.names import metric_name
from ..experiments.multimodal_ranking import QUESTIONS, RANKERS, SMALL, usual_layers
from ..runs.profiles import read_profile
from ..studies.costs import GROWTH, cost_table, costs_of, exponents
from ..studies.item_popularity import KEPT
from . import html
from .figures.multimodal import knock_out_gains, recall_strata, setting_grid
from .figures.ranking import setting_curves
from .knock_outs import drawable, verdict_table
from .multimodal import (
    LISTS,
    SHOWN,
    SPLITS,
    beside_printed,
    dropout_grid,
    layer_table,
    order_sentence,
    place_sentence,
    printed,
    strata_table,
)
from .multimodal_answers import (
    COMPARED,
    KNOCKED_OUT,
    METRIC,
    gains_by_metric,
    lost_content,
    means_of,
    on_each,
    sentences,
    with_interval,
)
from .published import NotPublishedError, Part, Published

_COSTS = "12_costs"
_COMPARED_AS = {
    "12_models": "models at fixed settings", "12_tuned": "searched",
    KNOCKED_OUT: "content replaced",
}  # fmt: skip
REFERENCE = "BM3"  # whose costs the others' are told by
_SHOWN = ("recall@10", METRIC)
# what is varied at fixed settings, and what that is called
_VARIED = {
    "preparations": "content's scale", "code": "forms of common code",
    "terms": "BM3's inputs and losses", "layers": "BM3's layers",
    "dropout": "BM3's dropout and penalty", "encoders": "encoders", "ensembles": "ensembles",
    "cold": "new items", "times": "parts by time", "bonmf": "the audited network as a ranker",
}  # fmt: skip


def answers(published: Published) -> Iterator[Part]:
    """What every data set says, then what each ranker loses with its content."""
    found = on_each(published)
    if not found:
        raise NotPublishedError("Rankers that read content")
    for one in found.values():
        yield from sentences(one)
        lost = lost_content(one)
        if drawable(lost):
            yield knock_out_gains(lost, METRIC, one.dataset)
            yield verdict_table(lost)
            yield gains_by_metric(one).round(1)


def figures(published: Published) -> Iterator[Part]:
    """What 12 draws of its own run, of every data set: what rankers lose with their content, recall
    by training pairs of the items, BM3's and LightGCN's layers, BM3's dropout and penalty."""
    for name, one in on_each(published).items():
        if drawable(lost := lost_content(one)):
            yield knock_out_gains(lost, METRIC, name)
        if (by_item := _by_item(one)) is not None:
            yield recall_strata(by_item[by_item["variant"].isin(SMALL)], name)
        layers, dropout = (
            one.own[one.own["experiment"] == f"12_{what}"] for what in ("layers", "dropout")
        )
        if len(layers):
            yield f"{name}:"
            yield setting_curves(layer_table(layers, METRIC, usual_layers()), "layers", METRIC)
        if len(dropout):
            yield setting_grid(dropout_grid(dropout, METRIC), METRIC, name)


def accuracy(published: Published) -> Iterator[Part]:
    """Every ranker on every data set beside printed values, the best first; how far both order
    models alike; then what the lists are like."""
    for name, one in on_each(published).items():
        for experiment, protocol in COMPARED.items():
            by_metric = {metric: means_of(one, experiment, metric) for metric in _SHOWN}
            if not by_metric[METRIC]:
                continue
            told = {title: printed(name, source, METRIC) for title, source in SPLITS.items()}
            order = sorted(by_metric[METRIC].items(), key=lambda item: -item[1].mean)
            columns = [metric_name(metric) for metric in _SHOWN]
            yield html.table(
                (f"{name}, {protocol}", "reads", *columns, *told),
                [
                    (
                        ranker,
                        "text, picture" if RANKERS[ranker].reads_content else "IDs only",
                        *(with_interval(by_metric[metric][ranker]) for metric in _SHOWN),
                        *(_printed(values, ranker) for values in told.values()),
                    )
                    for ranker, _ in order
                ],
            )
            own = one.own[one.own["experiment"] == experiment]
            for metric, both in {one: beside_printed(own, name, one) for one in SHOWN}.items():
                if metric == METRIC or len(both):
                    where = f"{name}, {protocol}, {metric_name(metric)}"
                    yield order_sentence(both, where)
            yield _lists(own, [ranker for ranker, _ in order], f"{name}, {protocol}, means")


def _lists(own: pd.DataFrame, rankers: Sequence[str], title: str) -> html.Markup:
    """NDCG, share of all items that stand in any list, and how popular what is listed is."""
    shown = [metric for metric in (*SHOWN[2:], *LISTS) if (own["metric"] == metric).any()]
    means = own.pivot_table("value", "variant", "metric").reindex(rankers)[shown]
    rows = means.map("{:.4f}".format).itertuples(name=None)
    return html.table((title, *map(metric_name, shown)), list(rows))


def strata(published: Published) -> Iterator[Part]:
    """On every data set, who finds what few people have: recall by an item's training pairs."""
    for name, one in on_each(published).items():
        if (by_item := _by_item(one)) is not None:
            yield f"{name}, Recall@20 by how many training pairs an item has:"
            yield strata_table(by_item)


def _by_item(published: Published) -> pd.DataFrame | None:
    """Of one data set :func:`~bonmf_lib.studies.item_popularity.recall_by_popularity`; None where
    it is not published."""
    kept = f"{KEPT}--12_models--{published.dataset}-{published.content}"
    try:
        table = published.table(kept, "Recall by items' training pairs")
    except NotPublishedError:
        return None
    order = sorted(table["stratum"].unique(), key=lambda name: int(name.split()[0]))
    return table.assign(stratum=pd.Categorical(table["stratum"], order))


def variations(published: Published) -> Iterator[Part]:
    """What was varied at fixed settings on every data set, in the order of its rows, which stand
    beside their controls; then the place of the audited network among its rankers."""
    for name, one in on_each(published).items():
        for question, called in _VARIED.items():
            experiment = f"12_{question}"
            by_metric = {metric: means_of(one, experiment, metric) for metric in _SHOWN}
            rows = [
                (row, *(with_interval(by_metric[metric][row]) for metric in _SHOWN))
                for row in by_metric[METRIC]
            ]
            if rows:
                columns = [metric_name(metric) for metric in _SHOWN]
                yield html.table((f"{name}, {called}", *columns), rows)
        own, others = (
            one.own[one.own["experiment"] == f"12_{question}"] for question in ("bonmf", "models")
        )
        if len(own):
            yield place_sentence(own, others, name)


def coverage(published: Published) -> Iterator[str]:
    """Of every data set, which questions have published records, as rows x seeds, and which have
    none; then which data sets of the run's profile have none at all."""
    called = {f"12_{question}": _VARIED.get(question, question) for question in QUESTIONS}
    called |= _COMPARED_AS
    for name, one in on_each(published).items():
        counts = one.own.groupby("experiment")[["variant", "seed"]].nunique()
        known = [
            f"{said} {counts.loc[experiment, 'variant']} \N{MULTIPLICATION SIGN} "
            f"{counts.loc[experiment, 'seed']}"
            for experiment, said in called.items()
            if experiment in counts.index
        ]
        lacking = [said for experiment, said in called.items() if experiment not in counts.index]
        none = f" None, or not to be asked there: {', '.join(lacking)}." if lacking else ""
        yield f"{name}, rows \N{MULTIPLICATION SIGN} seeds published: {', '.join(known)}.{none}"
    own = read_profile(published.run).multimodal
    asked = dict.fromkeys([*own.also_on, *own.small_on])
    if absent := [name for name in asked if name not in on_each(published)]:
        yield f"No records of {', '.join(absent)} are published."


def costs(published: Published) -> Iterator[Part]:
    """Seconds of an epoch and memory of every ranker on every data set, beside BM3's, as measured
    in turns on one machine; then how the seconds of a step grow, beside what is stated.

    Raises:
        NotPublishedError: no costs are published, or no growth.
    """
    known = False
    for name, one in on_each(published).items():
        own = one.own[one.own["experiment"] == _COSTS]
        if (own["variant"] == REFERENCE).any():
            known = True
            shown = cost_table(costs_of(own), REFERENCE)
            yield _numbers(f"{name}, an epoch", shown)
    if not known:
        raise NotPublishedError("What rankers cost")
    growth = published.table(GROWTH, "How the seconds of a step grow")
    yield _numbers("power that a step grows by", exponents(growth))


def _numbers(title: str, shown: pd.DataFrame) -> html.Markup:
    rows = [
        (name, *("" if pd.isna(value) else f"{value:.2f}" for value in row))
        for name, *row in shown.itertuples()
    ]
    return html.table((title, *shown.columns), rows)


def _printed(values: pd.Series, ranker: str) -> str:
    return f"{values[ranker]:.4f}" if ranker in values else ""
