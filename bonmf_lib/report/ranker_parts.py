"""What published runs say of NeuMF and of what it is compared with (11), for the report."""

from collections.abc import Iterator

import pandas as pd

from ..claims.reading import read_claims
from ..evaluation.names import metric_name
from ..evaluation.rules import OWN_KEPT, WATCHED
from ..experiments.neural_cf import LARGE_BATCHES, PRINTED, TUNED
from ..runs.profiles import read_profile
from ..studies.chosen_epochs import TESTED, gain_by_choice
from ..studies.sampled_metrics import TURNED, orders_sentence, pair_orders
from . import html, rankers
from .figures.ranking import setting_curves, two_evaluations, watched_curves
from .measured import Measured
from .published import NotPublishedError, Part, Published
from .ranker_answers import ASKED_FIRST, ASKED_OF_RANKERS
from .tables import chosen_settings

FLAWS = "list_flaws"  # the table of what is wrong with the authors' lists
_EXPERIMENTS = "11_"  # how their names begin
# whose rows no table or figure of the report names; and those that draw a curve, by what it is over
_NAIVE, _TUNED = "11_naive", "11_tuned"
_CURVES = {"factors": "factors", "layers": "hidden layers", "negatives": "negatives"}
_PRINTED_IN = ("ncf", "ncf-revisited", "ncf-independent")  # the first that prints a number
_METRICS = {"hr@10": "HR@10", "ndcg@10": "NDCG@10"}
_SIDE_NAMES = {"sampled": rankers.FEW, "full": rankers.ALL}


def _rows(published: Published, *experiments: str) -> pd.DataFrame:
    """Published rows of some experiments, else of all but the naive ones: variant, protocol and
    label by config.

    Raises:
        NotPublishedError: there are none.
    """
    records = published.own
    named = records["experiment"]
    chosen = named.isin(experiments) if experiments else named.str.startswith(_EXPERIMENTS)
    rows = records[chosen & (named != _NAIVE)].drop_duplicates("config").set_index("config")
    if rows.empty:
        raise NotPublishedError("Rankers")
    labels = map(rankers.row_label, rows["variant"], rows["protocol"])
    return rows[["variant", "protocol"]].assign(label=list(labels))


def answers(found: Measured) -> Iterator[Part]:
    """The verdicts on what the papers say, and the gains that they rest on."""
    metrics = {claim.id: metric_name(claim.metric) for claim in read_claims()}
    rows = [
        (asked, f"{metrics[claim]} {effect}", html.chip_cell(found.verdict(claim)))
        for asked, claim in {**ASKED_FIRST, **ASKED_OF_RANKERS}.items()
        if (effect := found.effect(claim)) is not None
    ]
    if not rows:
        raise NotPublishedError("Verdicts on rankers")
    yield html.table(("question", "gain, + = better", "the claim is"), rows)


def compared(published: Published) -> Iterator[Part]:
    """Rows that were compared in pairs, under both evaluations.

    Raises:
        NotPublishedError: no pairs are published.
    """
    yield two_evaluations(_compared(published, "ndcg@10")[0], "ndcg@10")


def ordered(published: Published) -> Iterator[Part]:
    """How many pairs of rows both evaluations order otherwise; errors as of :func:`compared`."""
    for metric, name in _METRICS.items():
        yield orders_sentence(_compared(published, metric)[1], name)


def turned(published: Published) -> Iterator[Part]:
    """The pairs that both evaluations order otherwise, and by how much; errors as of
    :func:`compared`."""
    rows = []
    for metric, name in _METRICS.items():
        orders = _compared(published, metric)[1]
        for _, pair in orders[orders["order"] == TURNED].iterrows():
            names, few, every = pair["model":"other"], abs(pair["sampled"]), abs(pair["full"])
            better, other = names if pair["sampled"] > 0 else names[::-1]
            rows.append((name, better, other, f"{few:.4f}", f"{every:.4f}"))
    if rows:
        titles = [f"ahead {side}" for side in _SIDE_NAMES.values()]
        yield html.table(("metric", *titles, *(f"{title} by" for title in titles)), rows)


def _compared(published: Published, metric: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of :func:`compared` under both evaluations, and how these order their pairs."""
    across = rankers.labelled(published.across_users, _rows(published)["label"].to_dict())
    apart = rankers.pair_intervals(across, metric)
    found = [
        set(map(frozenset, table[["variant", "other"]].to_numpy())) for table in apart.values()
    ]
    pairs = set.intersection(*found)
    if not pairs:
        raise NotPublishedError("Pairs of rankers")
    table = rankers.both_evaluations(across, metric)
    table = table[table.index.isin(frozenset.union(*pairs))]
    orders = pair_orders(table[list(rankers.SIDES)], apart)
    known = [frozenset(pair) in pairs for pair in orders[["model", "other"]].to_numpy()]
    return table, orders[known]


def accuracy(published: Published) -> Iterator[Part]:
    """Every row under both evaluations with the printed value, best among few first."""
    rows, printed = _rows(published), {metric: _printed(metric) for metric in _METRICS}
    across = rankers.labelled(published.across_users, rows["label"].to_dict())
    sides = {}
    for side in rankers.SIDES:
        for metric in _METRICS:
            table = rankers.both_evaluations(across, metric)
            sides[side, metric] = table[[side, f"{side}_low", f"{side}_high"]]
    order = sides["sampled", "hr@10"]["sampled"].sort_values(ascending=False).index
    columns = [f"{_METRICS[metric]}, {_SIDE_NAMES[side]}" for side, metric in sides]
    names = rows.set_index("label")["variant"].to_dict()
    shown = dict.fromkeys(order)
    for usual in (label for label in order if label.endswith(rankers.USUAL_LAYERS)):
        if usual.removesuffix(rankers.USUAL_LAYERS) in shown:  # the same row, named by its layers
            del shown[usual]
    yield html.table(
        ("row", *columns, *(f"printed {name}" for name in _METRICS.values())),
        [
            (
                label,
                *(_interval(table.loc[label]) for table in sides.values()),
                *(
                    of.get(names[label].removesuffix(rankers.USUAL_LAYERS), "")
                    for of in printed.values()
                ),
            )
            for label in shown
        ],
    )


def _interval(row: pd.Series) -> str:
    mean, low, high = row
    return f"{mean:.3f} ({low:.3f} to {high:.3f})"


def _printed(metric: str) -> dict[str, str]:
    """A metric among the authors' items, by row."""
    found = {}
    for source in reversed(_PRINTED_IN):
        found |= {
            claim.variant.removesuffix(rankers.USUAL_LAYERS): f"{claim.value:.3f}"
            for claim in read_claims()
            if (claim.kind, claim.source, claim.metric) == ("value", source, metric)
            and claim.evaluation == rankers.SIDES["sampled"]
        }
    return found


def flawed_lists(published: Published) -> Iterator[Part]:
    """What is wrong with the authors' lists, and what it changes to count a test item among its own
    negatives as a rival, all ties lost; means over seeds."""
    counted = published.rows(_NAIVE, "Lists counted naively")
    kept = counted["evaluation"].str.contains(OWN_KEPT, regex=False)
    rows = []
    for key, own in counted.groupby(["variant", "protocol"], sort=False):
        cells = []
        for metric in _METRICS:
            values = own[own["metric"] == metric].groupby(kept)["value"].mean()
            cells += [f"{values[False]:.4f}", f"{values[True]:.4f}"]
        rows.append((rankers.row_label(*map(str, key)), *cells))
    names = [title for name in _METRICS.values() for title in (name, f"{name}, counted naively")]
    yield html.table(("row, all ties lost", *names), rows)
    flaws = published.table(FLAWS, "Flaws of the authors' lists").set_index("flaw")["count"]
    yield "The authors' lists: " + ", ".join(f"{n:,} {flaw}" for flaw, n in flaws.items()) + "."


def searched(published: Published) -> Iterator[Part]:
    """What searches chose, as far as their trials are published."""
    name = f"trials--{_TUNED}--{published.dataset}-{published.content}"
    trials = published.table(name, "Searches of rankers")
    yield chosen_settings(trials, WATCHED)
    rows = published.own.loc[published.own["experiment"] == _TUNED, "variant"].unique()
    if lacking := [row for row in rows if row not in set(trials["variant"])]:
        yield f"Searched too, but their trials were not kept: {'; '.join(lacking)}."


def cut_short(published: Published) -> Iterator[Part]:
    """Which trainings the most epochs ended before validation stopped them: with more they may be
    better."""
    own, settings = published.own, read_profile(published.run).rankings
    best = own[own["experiment"].str.startswith(_EXPERIMENTS) & (own["metric"] == "best_epoch")]
    best = best[best["protocol"].isin([LARGE_BATCHES, TUNED])]
    cut = best[best["value"] > settings.epochs - settings.patience]
    names = map(rankers.row_label, cut["variant"], cut["protocol"])
    if shown := list(dict.fromkeys(names)):
        yield (
            f"Ended on some seed by their last epoch, {settings.epochs}, before validation stopped "
            f"them, so that more epochs may help: {'; '.join(shown)}."
        )


def tested_curves(published: Published) -> Iterator[Part]:
    """Losses of trainings as published, and their HR@10 on the test ratings, by epoch; then what
    choosing the epoch by it adds."""
    tested = published.table(TESTED, "Trainings by epoch")
    for measured_on, hits in rankers.hits_by_batches(tested).items():
        yield watched_curves(hits, "hr@10", measured_on)
    choice = gain_by_choice(tested)
    yield from rankers.choice_lines(choice, rankers.printed_networks())
    yield from (line.replace("*", "") for line in rankers.near_print_lines(choice))  # plain text


def curves(published: Published) -> Iterator[Part]:
    """HR@10 and NDCG@10 among few items by factors, layers and negatives, beside what the paper
    prints; those that are published."""
    for name, over in _CURVES.items():
        try:
            rows = _rows(published, f"11_{name}")
        except NotPublishedError:
            yield f"By {over}: not published yet."
            continue
        across = rankers.labelled(published.across_users, rows["label"].to_dict())
        for metric in _METRICS:
            means = rankers.curve(rankers.own_means(across, metric), over)
            printed = rankers.printed_curve(PRINTED[name], over, metric)
            yield setting_curves(means, over, metric, printed)
