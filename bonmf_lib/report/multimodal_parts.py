"""What published runs say of rankers that read text and pictures (12), for its answer and for the
report."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd

from ..claims.across_users import Told
from ..claims.judge import LEAST_SEEDS
from ..evaluation import Estimate, mean_interval
from ..evaluation.names import metric_name
from ..evaluation.significance import percent_better
from ..experiments.multimodal_ranking import FIXED_SETTINGS, QUESTIONS, RANKERS, TUNED
from ..experiments.ranker_forms import forms
from ..runs.profiles import read_profile
from ..runs.records import interval_share
from ..studies.costs import GROWTH, cost_table, costs_of, exponents
from ..studies.item_popularity import KEPT
from . import html
from .figures.multimodal import knock_out_gains
from .knock_outs import (
    WHAT_IS_LEFT,
    KnockOut,
    drawable,
    hardest,
    knock_outs,
    sentence,
    verdict_table,
)
from .multimodal import (
    LISTS,
    SHOWN,
    SPLITS,
    beside_printed,
    order_sentence,
    place_sentence,
    printed,
    strata_table,
)
from .published import NotPublishedError, Part, Published
from .relative import percent_with_interval

METRIC = "recall@20"
SHARED_DATA = "amazon-baby"  # nearly every paper on such rankers has it
ASKED = {
    "Is BM3 the best?": "BM3 (a), Baby",
    "Is BM3 better than LATTICE, LightGCN, BUIR, VBPR and BPR?": "BM3 (a), fast baselines",
    "Is BM3 better than these, all searched on validation?": "BM3 (a), tuned",
    "Is BM3 better than EASE and ItemKNN?": "BM3 (a), closed form",
    "Do both modalities help BM3?": "BM3 (c)",
    "Does content help BM3 as its code has it?": "BM3 (c), as its code has it",
    "Do both auxiliary losses help BM3?": "BM3 (d)",
    "Is BUIR close to LightGCN?": "BM3 (e)",
    "Are one or two layers of BM3 best?": "BM3 (f)",
    "Does content help LATTICE, beyond constants and noise?": "Embeddings (a), LATTICE",
    "Does content help FREEDOM, beyond constants and noise?": "Embeddings (a), FREEDOM",
    "Does BM3 gain little from content?": "Embeddings (b), BM3",
    "Does VBPR gain little from content?": "Embeddings (b), VBPR",
    "Does standardised content help LATTICE?": "Embeddings (a), LATTICE, standardised",
    "Does standardised content help FREEDOM?": "Embeddings (a), FREEDOM, standardised",
    "Does standardised content help VBPR?": "Embeddings (b), VBPR, standardised",
    "Does standardised content help BM3?": "Embeddings (b), BM3, standardised",
    "Does FREEDOM beat EASE, both searched?": "Beside-EASE (FREEDOM)",
    "Does LATTICE beat EASE, both searched?": "Beside-EASE (LATTICE)",
    "Does BM3 beat EASE, both searched?": "Beside-EASE (BM3)",
    "Does VBPR beat EASE, both searched?": "Beside-EASE (VBPR)",
    "Does FREEDOM gain more over constants than VBPR and BM3?": "Embeddings (e), FREEDOM, constant",
    "Does FREEDOM gain more over noise than VBPR and BM3?": "Embeddings (e), FREEDOM, noise",
    "Does text alone come close to both in FREEDOM?": "Embeddings (c), FREEDOM",
    "Does the picture alone fall behind in FREEDOM?": "Embeddings (d), FREEDOM",
}
_COMPARED = {"12_models": FIXED_SETTINGS, "12_tuned": TUNED}  # experiments with every model once
_KNOCKED_OUT, _COSTS = "12_knock_outs", "12_costs"
_COMPARED_AS = {
    "12_models": "models at fixed settings", "12_tuned": "searched",
    _KNOCKED_OUT: "content replaced",
}  # fmt: skip
REFERENCE = "BM3"  # whose costs the others' are told by
# other data than the shared ones, as first screens call them
_CALLED = {
    "ml-100k+core5": "MovieLens-100K", "ml-1m+core5": "MovieLens-1M",
    "amazon-sports": "Amazon Sports", "tiktok": "TikTok",
}  # fmt: skip
_SHOWN = ("recall@10", METRIC)
_LENGTHS = "recall@5", "recall@10", "recall@20", "ndcg@5", "ndcg@10", "ndcg@20", "mrr"
# what is varied at fixed settings, and what that is called
_VARIED = {
    "preparations": "content's scale", "code": "forms of common code",
    "terms": "BM3's inputs and losses", "layers": "BM3's layers",
    "dropout": "BM3's dropout and penalty", "encoders": "encoders", "ensembles": "ensembles",
    "cold": "new items", "times": "parts by time", "bonmf": "the audited network as a ranker",
}  # fmt: skip


def on_each(published: Published) -> dict[str, Published]:
    """What is published of 12, by data set in the order of its records; of real content only."""
    records = published.records
    own = records["experiment"].str.startswith("12_") & (records["content"] == published.content)
    return {name: replace(published, dataset=name) for name in records.loc[own, "dataset"].unique()}


def lost_content(published: Published) -> list[KnockOut]:
    """What rankers on one data set lose with their content; none where that is not published."""
    return _lost(published, METRIC)


def _lost(published: Published, metric: str) -> list[KnockOut]:
    own = published.own
    own = own[own["experiment"] == _KNOCKED_OUT]
    named = own[["variant", "protocol"]].drop_duplicates().rename(columns={"variant": "name"})
    rows = forms(named.itertuples(index=False))
    return knock_outs(own, rows, metric, published.across_users)


def gains_by_metric(published: Published) -> pd.DataFrame:
    """What every ranker gains by its content, mean over seeds in percent, by metric and length of
    the list, over the control that is hardest there: index model, columns metrics."""
    means = {
        metric: {model: gain.mean for model, gain in by_model.items()}
        for metric, by_model in _hardest_by_metric(published).items()
    }
    return pd.DataFrame(means).rename_axis("gain by content, %").rename(columns=metric_name)


def _hardest_by_metric(published: Published) -> dict[str, dict[str, Estimate]]:
    known = set(published.own["metric"])
    return {
        metric: {lost.model: lost.gain for lost in _by_hardest(_lost(published, metric))}
        for metric in _LENGTHS
        if metric in known
    }


def _turning_sentence(published: Published) -> str:
    """Of which rankers content surely gains by one metric and surely loses by another; "" of
    none."""
    by_metric, parts = _hardest_by_metric(published), []
    for model in dict.fromkeys(model for gains in by_metric.values() for model in gains):
        own = {metric: gains[model] for metric, gains in by_metric.items() if model in gains}
        ends = [min(own, key=lambda name: own[name].high), max(own, key=lambda name: own[name].low)]
        if own[ends[0]].high < 0 < own[ends[1]].low:
            said = (f"{_gained(own[metric])} ({metric_name(metric)})" for metric in ends)
            parts.append(f"{model} {' and '.join(said)}")
    if not parts:
        return ""
    return f"{published.dataset}, the metric decides whether content gains: {', '.join(parts)}."


def sentences(published: Published) -> Iterator[str]:
    """Of one data set: the best ranker, and the best that reads no content; then how many use
    theirs."""
    for experiment, protocol in _COMPARED.items():
        if means := _means(published, experiment, METRIC):
            yield _best_sentence(means, f"{published.dataset}, {protocol}")
    if found := lost_content(published):
        yield sentence(found, published.dataset)
        told = [
            f"{lost.model} {_gained(lost.gain)} over {WHAT_IS_LEFT[lost.left]}"
            for lost in _by_hardest(found)
        ]
        if told:
            start = "gains by content over the control that it gains least on"
            yield f"{published.dataset}, {start}: {', '.join(told)}."
        if turning := _turning_sentence(published):
            yield turning


def front_text(published: Published) -> str:
    """For first screens: on the data that these papers share, the best ranker that reads content
    and the best that reads none, searched where such were; what every ranker whose content was
    replaced gains by it, and how many surely do; then how the two best stand on other data. A
    sentence and a list in Markdown, "" where it is not published."""
    one = on_each(published).get(SHARED_DATA)
    if one is None:
        return ""
    best = [_best(one, reads_content) for reads_content in (True, False)]
    if not all(best):
        return ""
    (first, reads, how), (second, plain, how_plain) = best
    lost = _by_hardest(lost_content(one))
    sure = sum(each.gain.low > 0 for each in lost)
    of_them = f": content itself surely helps {sure} of {len(lost)} tried" if lost else ""
    said = (
        f"**Rankers of Amazon Baby{of_them}** ({metric_name(METRIC)}; vectors rebuilt from public "
        "graphs)."
    )
    settings = _settings(how, how_plain)
    compared = (
        f"{settings[0].upper()}{settings[1:]}: {first}, on text and picture, "
        f"{_shown(reads)}; {second}, on IDs, {_shown(plain)}{_better_at(one, best[1])}"
    )
    gain = _lead(one, best)
    lines = [compared if gain is None else f"{compared}; {first} over {second} {_gained(gain)}"]
    if told := [
        f"{each.model} {_gained(each.gain)} over {WHAT_IS_LEFT[each.left]}" for each in lost
    ]:
        fixed = "" if how == how_plain == FIXED_SETTINGS else f"{FIXED_SETTINGS}, "
        lines.append(f"By content, {fixed}against the hardest control: {', '.join(told)}")
    return html.with_list(said, lines + _elsewhere(published))


def _better_at(published: Published, ranker: tuple[str, Estimate, str]) -> str:
    """At which other settings a ranker is better than at those that stand for it; "" at none."""
    name, own, how = ranker
    others = {
        protocol: _means(published, experiment, METRIC).get(name)
        for experiment, protocol in _COMPARED.items()
        if protocol != how
    }
    return "".join(
        f", at {protocol} {mean.mean:.4f}"
        for protocol, mean in others.items()
        if mean is not None and mean.mean > own.mean
    )


def _elsewhere(published: Published) -> list[str]:
    """The best ranker that reads content over the best that reads none, on each other data set
    where both kinds were compared; their own values where neither gain has an interval."""
    told = []
    for dataset, one in on_each(published).items():
        best = [_best(one, reads_content) for reads_content in (True, False)]
        if dataset in _CALLED and all(best):
            (first, reads, how), (second, plain, how_plain) = best
            gain = _lead(one, best)
            compared = (
                f"{first}, on content, {_shown(reads)}; {second}, on IDs, {_shown(plain)}"
                if gain is None
                else f"{first}, on content, over {second}, on IDs, {_gained(gain)}"
            )
            told.append(f"{_CALLED[dataset]}, {_settings(how, how_plain)}: {compared}")
    return told


def _settings(content: str, plain: str) -> str:
    """By which settings the best with and without content were trained, in words."""
    return content if content == plain else f"{content}, on IDs {plain}"


def _best(published: Published, reads_content: bool) -> tuple[str, Estimate, str] | None:
    """The best ranker that reads content or does not, its mean, and by which settings: of each
    model the searched ones where it was searched."""
    known = {
        name: (name, mean, protocol)
        for experiment, protocol in _COMPARED.items()
        for name, mean in _means(published, experiment, METRIC).items()
        if RANKERS[name].reads_content == reads_content
    }
    return max(known.values(), key=lambda found: found[1].mean, default=None)


def _lead(published: Published, pair: Sequence[tuple[str, Estimate, str]]) -> Estimate | None:
    """What the first of two rankers gains over the second, in percent: across users where it was
    told so, else over drawn splits; None without an interval."""
    own = published.own[published.own["metric"] == METRIC]
    experiments = {protocol: experiment for experiment, protocol in _COMPARED.items()}
    ours, theirs = (
        own[(own["variant"] == name) & (own["experiment"] == experiments[protocol])]
        for name, _, protocol in pair
    )
    gain = Told.of(published.across_users).gain(ours, theirs, METRIC)
    if gain is not None:
        return gain.estimate()
    one, other = (rows.set_index("seed")["value"] for rows in (ours, theirs))
    one, other = one.align(other, join="inner")
    share = interval_share(pd.concat([ours, theirs]))
    if len(one) < LEAST_SEEDS or not share:  # seeds of one given split are no other users
        return None
    return mean_interval(percent_better(one, other, lower_is_better=False), share)


def _by_hardest(found: Sequence[KnockOut]) -> list[KnockOut]:
    """Of every ranker the control that it gains least on, the largest gain first."""
    return sorted(hardest(found).values(), key=lambda lost: -lost.gain.mean)


def _gained(gain: Estimate) -> str:
    return percent_with_interval(gain.mean, gain.low, gain.high)


def _best_sentence(means: dict[str, Estimate], where: str) -> str:
    best = max(means, key=lambda name: means[name].mean)
    plain = {name: mean for name, mean in means.items() if not RANKERS[name].reads_content}
    said = (
        f"{where}: of {len(means)} rankers {best} has the highest {metric_name(METRIC)}, "
        f"{_shown(means[best])}"
    )
    if best in plain:
        return f"{said}, and reads no content."
    if not plain:
        return f"{said}."
    second = max(plain, key=lambda name: plain[name].mean)
    return f"{said}; of those that read no content {second}, {_shown(plain[second])}."


def _means(published: Published, experiment: str, metric: str) -> dict[str, Estimate]:
    """Every model's mean with its 95 % interval: across users where all seeds test the same pairs,
    else over seeds."""
    own = published.own
    own = own[(own["experiment"] == experiment) & (own["metric"] == metric)]
    told = Told.of(published.across_users).by_pair
    means = {}
    for (name, config), rows in own.groupby(["variant", "config"], sort=False):
        across = told.get((str(config), "", metric))
        means[str(name)] = (
            mean_interval(rows["value"].to_numpy(), interval_share(rows))
            if across is None
            else across.estimate()
        )
    return means


def _shown(value: Estimate) -> str:
    span = f" ({value.low:.4f} to {value.high:.4f})" if value.low == value.low else ""
    return f"{value.mean:.4f}{span}"  # one seed has no interval


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


def accuracy(published: Published) -> Iterator[Part]:
    """Every ranker on every data set beside printed values, the best first; how far both order
    models alike; then what the lists are like."""
    for name, one in on_each(published).items():
        for experiment, protocol in _COMPARED.items():
            by_metric = {metric: _means(one, experiment, metric) for metric in _SHOWN}
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
                        *(_shown(by_metric[metric][ranker]) for metric in _SHOWN),
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
        kept = f"{KEPT}--12_models--{name}-{published.content}"
        try:
            table = one.table(kept, "Recall by items' training pairs")
        except NotPublishedError:
            continue
        yield f"{name}, Recall@20 by how many training pairs an item has:"
        yield strata_table(table)


def variations(published: Published) -> Iterator[Part]:
    """What was varied at fixed settings on every data set, in the order of its rows, which stand
    beside their controls; then the place of the audited network among its rankers."""
    for name, one in on_each(published).items():
        for question, called in _VARIED.items():
            experiment = f"12_{question}"
            by_metric = {metric: _means(one, experiment, metric) for metric in _SHOWN}
            rows = [
                (row, *(_shown(by_metric[metric][row]) for metric in _SHOWN))
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
