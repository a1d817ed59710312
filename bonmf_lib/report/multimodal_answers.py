"""What published runs say of rankers that read text and pictures (12), in sentences: for the first
screens."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd

from ..claims.across_users import Told
from ..claims.judge import LEAST_SEEDS
from ..evaluation import Estimate, mean_interval
from ..evaluation.names import metric_name
from ..evaluation.significance import percent_better
from ..experiments.multimodal_ranking import FIXED_SETTINGS, RANKERS, TUNED
from ..experiments.ranker_forms import forms
from ..runs.records import interval_share
from . import html
from .knock_outs import WHAT_IS_LEFT, KnockOut, hardest, knock_outs, sentence
from .published import Published
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
COMPARED = {"12_models": FIXED_SETTINGS, "12_tuned": TUNED}  # experiments with every model once
KNOCKED_OUT = "12_knock_outs"
# other data than the shared ones, as first screens call them
_CALLED = {
    "ml-100k+core5": "MovieLens-100K", "ml-1m+core5": "MovieLens-1M",
    "amazon-sports": "Amazon Sports", "tiktok": "TikTok",
}  # fmt: skip
_LENGTHS = "recall@5", "recall@10", "recall@20", "ndcg@5", "ndcg@10", "ndcg@20", "mrr"


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
    own = own[own["experiment"] == KNOCKED_OUT]
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
    for experiment, protocol in COMPARED.items():
        if means := means_of(published, experiment, METRIC):
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
        f"{with_interval(reads)}; {second}, on IDs, {with_interval(plain)}"
        f"{_better_at(one, best[1])}"
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
        protocol: means_of(published, experiment, METRIC).get(name)
        for experiment, protocol in COMPARED.items()
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
                f"{first}, on content, {with_interval(reads)}; {second}, on IDs, "
                f"{with_interval(plain)}"
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
        for experiment, protocol in COMPARED.items()
        for name, mean in means_of(published, experiment, METRIC).items()
        if RANKERS[name].reads_content == reads_content
    }
    return max(known.values(), key=lambda found: found[1].mean, default=None)


def _lead(published: Published, pair: Sequence[tuple[str, Estimate, str]]) -> Estimate | None:
    """What the first of two rankers gains over the second, in percent: across users where it was
    told so, else over drawn splits; None without an interval."""
    own = published.own[published.own["metric"] == METRIC]
    experiments = {protocol: experiment for experiment, protocol in COMPARED.items()}
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
        f"{with_interval(means[best])}"
    )
    if best in plain:
        return f"{said}, and reads no content."
    if not plain:
        return f"{said}."
    second = max(plain, key=lambda name: plain[name].mean)
    return f"{said}; of those that read no content {second}, {with_interval(plain[second])}."


def means_of(published: Published, experiment: str, metric: str) -> dict[str, Estimate]:
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


def with_interval(value: Estimate) -> str:
    """A metric with four decimals."""
    span = f" ({value.low:.4f} to {value.high:.4f})" if value.low == value.low else ""
    return f"{value.mean:.4f}{span}"  # one seed has no interval
