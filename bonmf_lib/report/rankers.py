"""What records and differences across users say of rankers, as tables for reading and for
figures."""

import re
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from ..claims.across_users import intervals
from ..claims.judge import LEAST_SEEDS
from ..claims.reading import read_claims
from ..errors import RecordError
from ..evaluation import Estimate, mean_interval, percent_better
from ..evaluation.names import metric_name
from ..evaluation.rules import ALL_KNOWN_MASKED
from ..experiments.neural_cf import (
    AS_PUBLISHED,
    BY_ADAM,
    FROM_CHOSEN,
    HIDDEN_LAYERS,
    IN_EXAMPLES,
    TUNED,
)
from ..runs.run import Run
from ..runs.training import Training
from ..runs.variant import Variant, variant_hash
from ..studies.chosen_epochs import chosen_by_seed, gain_by_choice
from .relative import percent, signed
from .tables import metric_table, paper_values

FEW, ALL = "among few", "among all"
PAPERS_TABLES, INDEPENDENT = ("NeuMF Table 2", "NeuMF Tables 3 and 4"), "NeuMF independent run"
_METRICS = ["hr@10", "ndcg@10"]  # that networks are printed with
USUAL_LAYERS = f", {HIDDEN_LAYERS} hidden layers"  # which rows do not name
# how the evaluation's name begins, by the side that figures call it
SIDES = {"sampled": "given negatives", "full": "full ranking"}
_SETTING = re.compile(r"^(?P<model>[^,]+), (?P<factors>\d+) factors(?P<rest>.*)$")


def data_sentence(run: Run) -> str:
    """Whether the run's data can decide the papers' claims on rankers."""
    name, own = run.dataset.name, run.settings.rankings
    trained = (
        f"Rankers have {len(run.settings.seeds[: own.seeds])} seeds here, and train "
        f"{own.published_epochs} epochs as published, else at most {own.epochs}."
    )
    if run.dataset.given is not None:
        return (
            f"Live run: {name} has the papers' own test ratings, so it can decide their claims. "
            f"{trained}"
        )
    return (
        f"Live run, a demonstration: {name} came without published test ratings, so it decides no "
        f"claim of the papers. {trained}"
    )


def is_among_all(evaluation: pd.Series) -> pd.Series:
    """Which names of evaluations rank all items."""
    return evaluation == ALL_KNOWN_MASKED.name


def accuracy_table(records: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
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


def of_rows(run: Run, across: pd.DataFrame, rows: Iterable[Variant]) -> pd.DataFrame:
    """What was told across users of some rows, and of pairs of them, called by :func:`row_label`.

    Args:
        across: of :func:`~bonmf_lib.claims.across_users.across_users`.
    """
    return labelled(
        across, {variant_hash(run, row): row_label(row.name, row.protocol) for row in rows}
    )


def row_label(name: str, protocol: str) -> str:
    """A row's name, which two protocols may share, so that it tells them apart."""
    return name + {AS_PUBLISHED: ", as published", TUNED: ", searched"}.get(protocol, "")


def labelled(across: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """What was told across users of rows with these hashes, and of pairs of them, by other
    names."""
    labels = {**labels, "": ""}
    rows = across[across["config"].isin(labels) & across["other_config"].isin(labels)]
    return rows.assign(variant=rows["config"].map(labels), other=rows["other_config"].map(labels))


def own_means(across: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Rows' own means with 95 % intervals across users and seeds: columns variant, evaluation
    (``FEW`` or ``ALL``), mean, low, high, seeds."""
    chosen = across[(across["other"] == "") & (across["metric"] == metric)]
    found = intervals(chosen).drop(columns=["other", "metric", "p_value"])
    side = is_among_all(found["evaluation"]).map({True: ALL, False: FEW})
    return found.assign(evaluation=side).reset_index(drop=True)


def both_evaluations(
    across: pd.DataFrame, metric: str, sides: Mapping[str, str] = SIDES
) -> pd.DataFrame:
    """Models' means under two evaluations, of those that were run under both.

    Args:
        across: of :func:`~bonmf_lib.claims.across_users.across_users`. metric: of records.
        sides: the evaluation's name, or how it begins, by column.

    Returns:
        index model; columns the sides, and each with ``_low`` and ``_high``, 95 % intervals across
        users and seeds.
    """
    own = across[across["other"].eq("") & across["metric"].eq(metric)]
    columns = {}
    for side, evaluation in sides.items():
        found = intervals(_under(own, evaluation)).drop_duplicates("variant").set_index("variant")
        columns |= {side: found["mean"]}
        columns |= {f"{side}_{end}": found[end] for end in ("low", "high")}
    order = own["variant"].unique()
    return pd.DataFrame(columns).reindex(order).dropna(subset=list(sides)).rename_axis("model")


def pair_intervals(
    across: pd.DataFrame, metric: str, sides: Mapping[str, str] = SIDES
) -> dict[str, pd.DataFrame]:
    """Pairs' differences by side, as :func:`bonmf_lib.studies.sampled_metrics.pair_orders` takes
    them; arguments as of :func:`both_evaluations`."""
    pairs = across[across["other"].ne("") & across["metric"].eq(metric)]
    return {side: intervals(_under(pairs, evaluation)) for side, evaluation in sides.items()}


def _under(table: pd.DataFrame, evaluation: str) -> pd.DataFrame:
    """Rows of one evaluation.

    Raises:
        RecordError: several evaluations' names begin so, and none is that name.
    """
    named = table["evaluation"] == evaluation
    found = table[named if named.any() else table["evaluation"].str.startswith(evaluation)]
    names = found["evaluation"].unique()
    if len(names) > 1:
        raise RecordError(f"{evaluation!r} is {' and '.join(names)}; name one of them.")
    return found


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
    printed = [
        (claim.id.partition(": ")[2].rpartition(", ")[0], claim.value)  # by the table's own names
        for claim in read_claims()
        if (claim.kind, claim.source, claim.metric) == ("value", "ncf", metric)
    ]
    rows = [
        {"model": model, "x": _parts(name, setting)[1], "value": value}
        for name, value in printed
        for pattern, model in models.items()
        if re.fullmatch(pattern, name)
    ]
    return pd.DataFrame(rows, columns=["model", "x", "value"])


def choice_lines(choice: pd.DataFrame, printed: pd.DataFrame | None = None) -> list[str]:
    """What choosing a training's epoch by HR@10 on the test ratings adds, a line per model.

    Args:
        choice: of :func:`bonmf_lib.studies.chosen_epochs.gain_by_choice`. printed: of
            :func:`printed_networks`, where these are comparable.
    """
    lines = []
    for model, own in choice.groupby(level="model", sort=False):
        by_metric = own.droplevel("model")
        last, best = (_all_of(by_metric[column]) for column in ("last epoch", "best on test"))
        epochs, epoch, seeds = by_metric[["epochs", "its epoch", "seeds"]].iloc[0]
        where = (
            "before the first"
            if epoch == 0
            else f"after epoch {epoch:.0f}"
            if seeds == 1
            else f"after each seed's own (mean {epoch:.1f})"
        )
        over = "one seed" if seeds == 1 else f"{seeds:.0f} seeds"
        lines.append(f"{model}: {last} after epoch {epochs:.0f}, the last; {best} {where}, {over}.")
        name = _as_printed(model)
        if printed is not None and name in printed.index:
            found = printed.loc[name]
            by = " by an independent run" if found["source"] == INDEPENDENT else ""
            lines[-1] += f" Printed{by}: {_all_of(found[by_metric.index])}."
    return lines


def near_print_sentence(
    choice: pd.DataFrame, printed: pd.DataFrame, of: str = "print", within: float = 0.01
) -> str:
    """Which networks come so near to print in both metrics: after their last epoch, and after the
    one that is best on the test ratings.

    Args:
        choice, printed: as of :func:`choice_lines`. of: what the printed values are called.
    """
    near: dict[str, list[str]] = {"last epoch": [], "best on test": []}
    for model, own in choice.groupby(level="model", sort=False):
        name, by_metric = _as_printed(model), own.droplevel("model")
        for column, names in near.items():
            if name in printed.index:
                ours, theirs = by_metric[column], printed.loc[name, by_metric.index].astype(float)
                near_it = (ours - theirs).abs() <= within + 1e-9  # .71 to .72 is .01 too
                names += [f"*{model}*"] if near_it.all() else []
    last, best = ("; ".join(names) or "none" for names in near.values())
    return (
        f"Within {within:g} of {of} after the last epoch: {last}; after the one that is best on "
        f"the test ratings: {best}."
    )


def hits_by_batches(tested: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """HR@10 on the test ratings by epoch, by what batches count; models without what their names
    say of that, and of the parts that they start from.

    Args:
        tested: of :func:`bonmf_lib.studies.chosen_epochs.tested_by_epoch`.
    """
    hits = tested[tested["metric"] == "hr@10"]
    examples = hits["model"].str.endswith(IN_EXAMPLES)
    parts = {"test, batches of positives": ~examples, "test, batches of examples": examples}
    return {
        of: hits[own].assign(
            model=hits["model"][own].map(
                lambda name: _without_batches(name).replace(FROM_CHOSEN, "")
            )
        )
        for of, own in parts.items()
        if own.any()
    }


def chosen_gains_sentence(tested: pd.DataFrame) -> str:
    """What the pretrained network gains in HR@10 over the best of the others, by how it is trained,
    once every epoch, also of the parts that it starts from, is chosen by the test ratings; "" where
    it is not among them, or none of the others is.

    Args:
        tested: of :func:`bonmf_lib.studies.chosen_epochs.tested_by_epoch`.
    """
    chosen = chosen_by_seed(tested)
    hits = chosen[chosen["metric"] == "hr@10"].pivot_table("best on test", "seed", "model")
    alike = {name: _others_in_its_batches(hits.columns, name) for name in hits.columns}
    gains = dict(
        _gain_of_pretrained(hits, fused, others)
        for fused, others in alike.items()
        if _is_pretrained(fused) and others
    )
    if not gains:
        return ""
    told = [
        f"{how} {percent(gain.mean)}{_over_seeds(gain)} over *{_without_batches(other)}* (epochs: "
        f"{tested.loc[tested['model'] == other, 'epoch'].max()})"
        for how, (gain, other) in gains.items()
    ]
    found = (
        "hits more often than the best of the others"
        if all(gain.n >= LEAST_SEEDS and gain.low > 0 for gain, _ in gains.values())
        else "is ahead of the best of the others on the seeds that were run"
        if all(gain.mean > 0 for gain, _ in gains.values())
        else "is not always ahead of the best of the others"
    )
    return (
        "All epochs chosen so, also of the parts that it starts from, the pretrained network "
        f"{found} (HR@10): {'; '.join(told)}."
    )


def choice_sentence(tested: pd.DataFrame) -> str:
    """What choosing epochs by the test ratings adds to HR@10, from the network that it adds least
    to, to that which it adds most to; then :func:`chosen_gains_sentence` and
    :func:`started_sentence`."""
    added = gain_by_choice(tested)["gained by the choice"].xs("hr@10", level="metric")
    least, most = added.idxmin(), added.idxmax()
    said = f"{added[least]:.3f} HR@10 (*{least}*) to {added[most]:.3f} (*{most}*)."
    more = chosen_gains_sentence(tested), started_sentence(tested)
    return " ".join(filter(None, [said, *more]))


def started_sentence(tested: pd.DataFrame) -> str:
    """How many trainings of networks that start from others are best on test before they begin;
    "" where there are none.

    Args:
        tested: of :func:`bonmf_lib.studies.chosen_epochs.tested_by_epoch`.
    """
    chosen = chosen_by_seed(tested)
    hits = chosen[(chosen["metric"] == "hr@10") & chosen["model"].map(_is_pretrained)]
    if hits.empty:
        return ""
    best_at_once = int((hits["its epoch"] == 0).sum())
    by_adam = hits["model"].str.contains(BY_ADAM, regex=False)
    how = "" if by_adam.any() else " by plain descent (none by Adam is among them)"
    return (
        f"Of {len(hits)} trainings of the pretrained network{how}, {best_at_once} are best before "
        "their first epoch, when it is no more than its two parts joined."
    )


def _others_in_its_batches(models: Iterable[str], model: str) -> list[str]:
    """The networks that are not pretrained and share its batches."""
    examples = model.endswith(IN_EXAMPLES)
    return [
        name
        for name in models
        if name.endswith(IN_EXAMPLES) == examples and not _is_pretrained(name)
    ]


def _gain_of_pretrained(
    hits: pd.DataFrame, fused: str, others: Sequence[str]
) -> tuple[str, tuple[Estimate, str]]:
    """How it is trained; what it gains in percent over the best of the others, on the seeds that
    all of them have, and this network."""
    own = hits[[fused, *others]].dropna()
    best = own[others].mean().idxmax()
    gain = mean_interval(percent_better(own[fused], own[best], lower_is_better=False), 0.0)
    how = f"in batches of {'examples' if fused.endswith(IN_EXAMPLES) else 'positives'}"
    return how + BY_ADAM * (BY_ADAM in fused), (gain, best)


def _over_seeds(gain: Estimate) -> str:
    if gain.n < LEAST_SEEDS:
        return " (one seed, no interval)" if gain.n == 1 else f" ({gain.n} seeds, no interval)"
    return f" ({signed(gain.low)} to {signed(gain.high)}, over {gain.n} seeds alone)"


def _without_batches(model: str) -> str:
    return model.removesuffix(IN_EXAMPLES)


def _is_pretrained(model: str) -> bool:
    return _without_batches(model).removesuffix(BY_ADAM).endswith(FROM_CHOSEN)


def _as_printed(model: str) -> str:
    return _without_batches(model).removesuffix(BY_ADAM).removesuffix(FROM_CHOSEN)


def _all_of(values: pd.Series) -> str:
    return " and ".join(f"{metric_name(metric)} {value:.3f}" for metric, value in values.items())


def near_print_lines(choice: pd.DataFrame) -> list[str]:
    """The same of what their paper prints, where it does, and of an independent run alone."""
    return [
        near_print_sentence(choice, printed_networks(PAPERS_TABLES)),
        near_print_sentence(choice, printed_networks((INDEPENDENT,)), "an independent run"),
    ]


def printed_networks(tables: Sequence[str] = (*PAPERS_TABLES, INDEPENDENT)) -> pd.DataFrame:
    """HR@10 and NDCG@10 of NeuMF and its parts by our rows' names, and the table that prints them
    (column source), the first that does: He et al.'s, else that of :data:`INDEPENDENT`."""
    found = pd.concat([paper_values(name)[_METRICS].assign(source=name) for name in tables])
    found = found.rename(index=lambda name: name.removesuffix(USUAL_LAYERS))
    return found[~found.index.duplicated()]


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
