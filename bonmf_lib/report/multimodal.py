"""Tables of rankers with text and pictures: accuracy beside printed numbers, and the order of
models in both."""

from collections.abc import Mapping

import pandas as pd
from scipy import stats

from ..claims.reading import read_claims
from ..datasets import read_from
from ..evaluation import mean_interval
from ..evaluation.names import metric_name
from ..experiments.multimodal_ranking import DROPOUTS, PENALTIES, dropout_name
from ..runs.records import interval_share
from ..runs.run import Run
from .cold_start import without_controls
from .tables import metric_table

SHOWN = ("recall@10", "recall@20", "ndcg@10", "ndcg@20")
LISTS = ("coverage@10", "popularity@10")
# what is printed of models -> the source; the split that the papers drew themselves is not at hand
SPLITS = {"printed, other split": "mmrec", "printed, this split": "diffmm"}


def data_table(runs: Mapping[str, Run]) -> pd.DataFrame:
    """Sizes of data sets, and what their items carry."""
    rows = {}
    for name, run in runs.items():
        data = run.dataset
        rows[name] = {
            "users": f"{data.n_users:,}",
            "items": f"{data.n_items:,}",
            "pairs": f"{len(data.ratings):,}",
            "known pairs, %": f"{100 * len(data.ratings) / data.n_users / data.n_items:.3f}",
            "text": run.encoder("text") if data.offers("text") else "none",
            "picture": run.encoder("image") if data.offers("image") else "none",
            "parts": "given" if data.given is not None else "drawn by user, 8:1:1",
            "read from": read_from(data.name),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("data")


def accuracy_table(records: pd.DataFrame, digits: int = 4) -> pd.DataFrame:
    """One row per model: means over seeds, ``±`` half the 95 % interval, and what the lists are
    like."""
    shown = {metric: metric_name(metric) for metric in SHOWN} | {name: name for name in LISTS}
    return metric_table(records, shown, digits)


def printed(dataset: str, source: str, metric: str = "recall@20") -> pd.Series:
    """The values of a data set's models by name that a source of claims prints, of whichever form
    of a model."""
    known = {
        claim.variant.partition(", ")[0]: claim.value
        for claim in read_claims()
        if claim.source == source
        and claim.kind == "value"
        and claim.metric == metric
        and dataset in claim.datasets
    }
    return pd.Series(known, dtype=float)


def beside_printed(records: pd.DataFrame, dataset: str, metric: str = "recall@20") -> pd.DataFrame:
    """Models by the values that are printed of them and ours: index model; columns ``SPLITS``,
    ours, and the ranks of the first and of ours among the models that have both."""
    own = records[(records["metric"] == metric)].groupby("variant", sort=False)["value"].mean()
    told = {name: printed(dataset, source, metric) for name, source in SPLITS.items()}
    table = pd.DataFrame(told | {"ours": own}).dropna(subset="ours")
    table = table.dropna(subset=list(SPLITS), how="all")
    other = next(iter(SPLITS))
    ranked = table[[other, "ours"]].dropna().rank(ascending=False, method="min").astype("Int64")
    ranks = ranked.rename(columns={other: "rank, printed", "ours": "rank, ours"})
    return table.join(ranks).sort_values([other, "ours"], ascending=False)


def order_sentence(both: pd.DataFrame, where: str) -> str:
    """How far ours and the printed values order models alike.

    Args:
        both: of :func:`beside_printed`.
    """
    both = both.dropna(subset="rank, printed")
    if len(both) < 3:
        return f"{where}: too few models have printed values to compare orders."
    tau = stats.kendalltau(both["rank, printed"], both["rank, ours"]).statistic
    first = both["ours"].idxmax()
    best = both["rank, printed"].idxmin()
    same = "also the best in print" if first == best else "not the best in print"
    return (
        f"{where}: Kendall's tau between printed and our order of {len(both)} models is {tau:.2f}; "
        f"the best here, {first}, is {same}."
    )


def strata_table(by_item: pd.DataFrame) -> pd.DataFrame:
    """Recall@20 by how many training pairs an item has, means over seeds: one row per model, then
    how many test pairs there are on average.

    Args:
        by_item: of :func:`~bonmf_lib.studies.item_popularity.recall_by_popularity`.
    """
    order = list(dict.fromkeys(by_item["stratum"].astype(str)))
    order.sort(key=lambda name: int(name.split()[0]))
    told = by_item.assign(stratum=by_item["stratum"].astype(str))
    means = told.pivot_table("recall", "variant", "stratum", sort=False)[order]
    pairs = told.groupby("stratum")["pairs"].mean()[order]
    tested = pairs.map("{:,.0f}".format).rename("test pairs").to_frame().T
    return pd.concat([means.map("{:.4f}".format), tested])


def place_sentence(own: pd.DataFrame, others: pd.DataFrame, where: str) -> str:
    """At which place of a data set's rankers a row would stand by Recall@20, and its other forms.

    Args:
        own: records of the row to be placed, of its forms (``<row>, <form>``), and of controls.
            others: of the rankers.
    """
    placed, ranked = (
        found[found["metric"] == "recall@20"].groupby("variant", sort=False)["value"].mean()
        for found in (without_controls(own), others)
    )
    if placed.empty or ranked.empty:
        return f"{where}: not run beside the rankers."
    places = {
        name: 1 + int((ranked > placed[name]).sum())
        for name in sorted(placed.index, key=lambda name: name.count(", "))
    }
    (name, place), *forms = places.items()
    best = ranked.idxmax()
    beside = "".join(f"; {form} ({placed[form]:.4f}) number {at}" for form, at in forms)
    return (
        f"{where}: {name} (Recall@20 {placed[name]:.4f}) would be number {place} of "
        f"{len(ranked) + 1} with the {len(ranked)} rankers, of which {best} is the best "
        f"({ranked[best]:.4f}){beside}."
    )


def dropout_grid(records: pd.DataFrame, metric: str) -> pd.DataFrame:
    """BM3's mean metric over seeds: index penalty, columns dropout."""
    own = records[records["metric"] == metric].groupby("variant")["value"].mean()
    values = {
        dropout: {
            penalty: own.get(f"BM3, {dropout_name(dropout, penalty)}") for penalty in PENALTIES
        }
        for dropout in DROPOUTS
    }
    return pd.DataFrame(values).rename_axis("penalty").rename_axis("dropout", axis=1).astype(float)


def layer_table(records: pd.DataFrame, metric: str, usual: Mapping[str, int]) -> pd.DataFrame:
    """Means over seeds with 95 % intervals by model and layers: columns model, x, mean, low, high,
    as curves take them.

    Args:
        usual: layers of the rows that do not name them.
    """
    share, rows = interval_share(records), []
    for name, found in records[records["metric"] == metric].groupby("variant", sort=False):
        model, _, layers = name.partition(", ")
        one = mean_interval(found["value"].to_numpy(), share)
        count = int(layers.split()[0]) if layers else usual[model]
        rows.append(
            {"model": model, "x": count, "mean": one.mean, "low": one.low, "high": one.high}
        )
    return pd.DataFrame(rows).sort_values(["model", "x"], ignore_index=True)
