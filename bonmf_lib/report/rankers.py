"""What records and differences across users say of rankers, as tables for reading and for
figures."""

import re
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from ..claims.across_users import intervals
from ..claims.reading import read_claims
from ..evaluation.rules import FULL_RANKING
from ..runs.run import Run
from ..runs.training import Training
from ..runs.variant import Variant, variant_hash
from .tables import metric_table

FEW, ALL = "among few", "among all"
_SETTING = re.compile(r"^(?P<model>[^,]+), (?P<factors>\d+) factors(?P<rest>.*)$")


def data_sentence(run: Run) -> str:
    """Whether the run's data can decide the papers' claims on rankers."""
    name = run.dataset.name
    if run.dataset.given is not None:
        return f"Live run: {name} has the papers' own test ratings, so it can decide their claims."
    return (
        f"Live run, a demonstration: {name} has no published test ratings, so it decides no claim "
        "of the papers."
    )


def is_among_all(evaluation: pd.Series) -> pd.Series:
    """Which names of evaluations rank all items."""
    return evaluation == FULL_RANKING.name


def both_evaluations(records: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """One row per model: accuracy among few items and among all, and what the lists of all items
    are like. Means over seeds; ``±``: half the 95 % interval over seeds, which are initialisations.

    Returns:
        columns of two levels, evaluation and metric.
    """
    shown = {"hr@10": "HR@10", "ndcg@10": "NDCG@10"}
    lists = {"coverage@10": "coverage@10", "popularity@10": "popularity@10"}
    among_all = is_among_all(records["evaluation"])
    few = metric_table(records[~among_all], shown, digits).drop(columns="training, s")
    whole = metric_table(records[among_all], shown | lists, digits)
    return pd.concat({FEW: few, ALL: whole}, axis=1)


def own_means(run: Run, across: pd.DataFrame, rows: Iterable[Variant], metric: str) -> pd.DataFrame:
    """Means of some rows with 95 % intervals across users and seeds: columns variant, evaluation
    (``FEW`` or ``ALL``), mean, low, high, seeds.

    Args:
        across: of :func:`~bonmf_lib.claims.across_users.across_users`.
    """
    configs = {variant_hash(run, row) for row in rows}
    chosen = across[
        across["config"].isin(configs) & (across["other"] == "") & (across["metric"] == metric)
    ]
    found = intervals(chosen).drop(columns=["other", "metric", "p_value"])
    side = is_among_all(found["evaluation"]).map({True: ALL, False: FEW})
    return found.assign(evaluation=side).reset_index(drop=True)


def places(means: pd.DataFrame) -> pd.DataFrame:
    """Models by both evaluations, for :func:`~.figures.ranking.two_evaluations`.

    Args:
        means: of :func:`own_means`.
    """
    sides = {"sampled": FEW, "full": ALL}
    columns = {}
    for side, name in sides.items():
        own = means[means["evaluation"] == name].set_index("variant")
        columns |= {side: own["mean"], f"{side}_low": own["low"], f"{side}_high": own["high"]}
    return pd.DataFrame(columns).dropna(subset=list(sides))


def pair_intervals(run: Run, across: pd.DataFrame, rows: Iterable[Variant], metric: str) -> dict:
    """Intervals of the differences of all pairs by ``sampled`` and ``full``, for
    :func:`~bonmf_lib.studies.sampled_metrics.pair_orders`."""
    configs = {variant_hash(run, row) for row in rows}
    own = across[
        across["config"].isin(configs) & across["other_config"].isin(configs)
        & (across["metric"] == metric)
    ]  # fmt: skip
    among_all = is_among_all(own["evaluation"])
    return {"sampled": intervals(own[~among_all]), "full": intervals(own[among_all])}


def curve(means: pd.DataFrame, setting: str, evaluation: str = FEW) -> pd.DataFrame:
    """Means as a curve over a setting in the rows' names, for
    :func:`~.figures.ranking.setting_curves`: columns model, x, mean, low, high.

    Args:
        means: of :func:`own_means`. setting: ``factors``, or what follows a number in names, such
            as ``hidden layers`` or ``negatives``.
    """
    own = means[means["evaluation"] == evaluation]
    parts = [_parts(name, setting) for name in own["variant"]]
    table = own.assign(model=[model for model, _ in parts], x=[x for _, x in parts])
    return table[["model", "x", "mean", "low", "high"]].reset_index(drop=True)


def _parts(name: str, setting: str) -> tuple[str, int]:
    """A row's name without its setting, and the setting's value."""
    if setting == "factors":
        found = _SETTING.match(name)
        return f"{found['model']}{found['rest']}", int(found["factors"])
    model, _, value = name.removesuffix(f" {setting}").rpartition(", ")
    return model, int(value)


def printed_curve(models: Mapping[str, str], setting: str, metric: str) -> pd.DataFrame:
    """The paper's numbers of rows whose names tell a setting: columns model, x, value.

    Args:
        models: regular expression of rows' names -> the model that they are called in the curve.
    """
    rows = []
    for claim in read_claims():
        if claim.source != "ncf" or claim.kind != "value" or claim.metric != metric:
            continue
        for pattern, model in models.items():
            if re.fullmatch(pattern, claim.variant):
                rows.append({"model": model, "x": _parts(claim.variant, setting)[1],
                             "value": claim.value})  # fmt: skip
    return pd.DataFrame(rows, columns=["model", "x", "value"])


def watched(run: Run, rows: Sequence[Variant], seeds: Sequence[int]) -> pd.DataFrame:
    """Training loss and the watched metric of trained rows by epoch: columns model, seed, epoch,
    loss, value."""
    tables = []
    for row in dict.fromkeys(rows):
        for seed in seeds:
            history = Training(run, row, seed).history()
            epochs = range(1, len(history.valid) + 1)
            columns = {"model": row.name, "seed": seed, "epoch": epochs}
            tables.append(
                pd.DataFrame(columns | {"loss": history.train_loss, "value": history.valid})
            )
    return pd.concat(tables, ignore_index=True)
