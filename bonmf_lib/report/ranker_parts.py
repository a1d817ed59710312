"""What published runs say of NeuMF and of what it is compared with (11), for the report."""

from collections.abc import Iterator

import pandas as pd

from ..claims.reading import read_claims
from ..experiments.neural_cf import HIDDEN_LAYERS, PRINTED, TUNED
from ..studies.sampled_metrics import orders_sentence, pair_orders
from . import html, rankers
from .figures.ranking import setting_curves, two_evaluations
from .published import NotPublishedError, Part, Published

# whose rows stand in one table, and those that draw a curve, by the setting it is over
_COMPARED = ("11_solved", "11_neumf", "11_dot_products", "11_tuned", "11_shared", "11_bonmf")
_CURVES = {"factors": "factors", "layers": "hidden layers", "negatives": "negatives"}
_PRINTED_IN = ("ncf", "ncf-revisited", "ncf-independent")  # the first that prints a number
_USUAL_LAYERS = f", {HIDDEN_LAYERS} hidden layers"  # which rows do not name
_METRICS = {"hr@10": "HR@10", "ndcg@10": "NDCG@10"}
_SIDE_NAMES = {"sampled": rankers.FEW, "full": rankers.ALL}


def _across(published: Published, *experiments: str) -> pd.DataFrame:
    """What was told across users of some experiments' rows; names of rows whose settings were
    searched say so.

    Raises:
        NotPublishedError: of no row.
    """
    records = published.own
    chosen = records[records["experiment"].isin(experiments)].drop_duplicates("config")
    searched = (chosen["protocol"] == TUNED).map({True: ", searched", False: ""})
    names = dict(zip(chosen["config"], chosen["variant"] + searched, strict=True)) | {"": ""}
    across = published.across_users
    rows = across[across["config"].isin(names) & across["other_config"].isin(names)]
    if rows.empty:
        raise NotPublishedError("Rankers")
    return rows.assign(variant=rows["config"].map(names), other=rows["other_config"].map(names))


def compared(published: Published) -> Iterator[Part]:
    """Every row under both evaluations with the printed value, best first; then those that were
    compared in pairs, drawn, and how many pairs the evaluations order otherwise."""
    across, printed = _across(published, *_COMPARED), _printed()
    sides = {}
    for side in rankers.SIDES:
        for metric in _METRICS:
            table = rankers.both_evaluations(across, metric)
            sides[side, metric] = table[[side, f"{side}_low", f"{side}_high"]]
    order = sides["sampled", "hr@10"]["sampled"].sort_values(ascending=False).index
    columns = [f"{_METRICS[metric]}, {_SIDE_NAMES[side]}" for side, metric in sides]
    yield html.table(
        ("row", *columns, "printed HR@10"),
        [
            (name, *(_interval(table.loc[name]) for table in sides.values()), printed.get(name, ""))
            for name in order
        ],
    )
    apart = rankers.pair_intervals(across, "ndcg@10")
    pairs = [
        set(map(frozenset, table[["variant", "other"]].to_numpy())) for table in apart.values()
    ]
    both = set.intersection(*pairs)
    if not both:
        return
    ndcg = rankers.both_evaluations(across, "ndcg@10")
    ndcg = ndcg[ndcg.index.isin(frozenset.union(*both))]
    yield two_evaluations(ndcg, "ndcg@10")
    orders = pair_orders(ndcg[list(rankers.SIDES)], apart)
    known = [frozenset(pair) in both for pair in orders[["model", "other"]].to_numpy()]
    yield orders_sentence(orders[known])


def _interval(row: pd.Series) -> str:
    mean, low, high = row
    return f"{mean:.3f} ({low:.3f} to {high:.3f})"


def _printed() -> dict[str, str]:
    """HR@10 among the authors' items, by row."""
    found = {}
    for source in reversed(_PRINTED_IN):
        found |= {
            claim.variant.removesuffix(_USUAL_LAYERS): f"{claim.value:.3f}"
            for claim in read_claims()
            if (claim.kind, claim.source, claim.metric) == ("value", source, "hr@10")
            and claim.evaluation == rankers.SIDES["sampled"]
        }
    return found


def curves(published: Published) -> Iterator[Part]:
    """HR@10 among few items by factors, layers and negatives, beside what the paper prints; those
    that are published."""
    for name, over in _CURVES.items():
        try:
            across = _across(published, f"11_{name}")
        except NotPublishedError:
            yield f"By {over}: not published yet."
            continue
        means = rankers.curve(rankers.own_means(across, "hr@10"), over)
        printed = rankers.printed_curve(PRINTED[name], over, "hr@10")
        yield setting_curves(means, over, "hr@10", printed)
