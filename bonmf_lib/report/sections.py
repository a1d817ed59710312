"""The parts of the report, each from published records or tables: sentences, tables and figures in
their order.

Every function yields what :func:`bonmf_lib.report.published.show` shows, and raises
``NotPublishedError`` where what it needs is not published yet.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ..claims.reading import claims_by_id
from ..evaluation.shapley import shapley_table
from ..experiments import specifications
from ..experiments.protocols import CONTROLS
from ..experiments.registry import CONTROLS_OF
from ..runs.publication import REMEASURED, agreement_sentence
from ..runs.records import interval_share
from ..studies import failures, overlap as overlap_studies
from ..studies.practices import leak_table
from . import (
    answers,
    definition_fits,
    domains,
    practices as readings,
    row_sentences,
    specification_curve,
    specification_effects,
    tables,
)
from .control_shares import control_shares
from .figures import (
    comparison as comparison_figures,
    domains as domain_figures,
    general as figures,
    overlap as overlap_figures,
    practices as practice_figures,
    specification as specification_figures,
)
from .published import NotPublishedError, Parts, Published

METRICS = {"mse": "MSE", "rmse": "RMSE", "precision@10": "Precision@10", "ndcg@10": "NDCG@10"}
OFF_SCALE = ("SVD", "Global mean")  # rows far off the scale of a figure of all


def main_rows(records: pd.DataFrame) -> pd.DataFrame:
    """Records of the rows that the report lists one by one."""
    return records[records["experiment"].isin(tables.MAIN_EXPERIMENTS)]


def comparison(records: pd.DataFrame, title: str, paper: dict[str, float]) -> Parts:
    """Every main row's error beside the paper's, but those far off the scale."""
    shown = records[~records["variant"].isin(OFF_SCALE)]
    yield figures.model_comparison(tables.estimates(shown, "mse"), title, paper)


def signatures(published: Published) -> Parts:
    """The numbers behind signatures of failure, and behind their causes."""
    table = published.table("diagnoses", "The signatures")
    found = failures.by_model(table)
    yield f"Over {table['seeds'].iloc[0]} seeds."
    yield failures.signatures(found)
    yield failures.evidence(found)


def measured_twice(published: Published) -> Parts:
    """How far a second measurement of the main rows lies from the first; others, such as what is
    solved from counts, would only add rows that cannot differ."""
    again = main_rows(published.table(REMEASURED, "A second measurement"))
    for metric in ("mse", "ndcg@10"):
        yield agreement_sentence(again, metric)


def initial_weights(published: Published) -> Parts:
    """What of the ID-only network's error is chance."""
    curves = published.table("initial_weights", "Several initial weights").astype(
        {"split": int, "epoch": int}
    )
    name, paper = "NMD (ID only)", tables.paper_values("BoNMF Table 1")
    yield readings.spread_sentence(curves, name, paper.loc[name, "mse"])
    yield practice_figures.weights_plot(curves, name, paper.loc[name, "mse"])


def ablations(published: Published, epochs: int) -> Parts:
    """The tables of 05, and how many trainings of each ran out of the given number of epochs."""
    experiments = published.own["experiment"]
    elsewhere = experiments.isin([*specifications.EXPERIMENTS, *CONTROLS_OF.values()])
    rows = published.own[experiments.str.startswith("05_") & ~elsewhere]
    if rows.empty:
        raise NotPublishedError("Ablations")
    shown = METRICS | {"mse-cold-items": "MSE, items with < 5 training ratings"}
    for experiment, group in rows.groupby("experiment"):
        title = experiment.removeprefix("05_").replace("_", " ")
        yield tables.metric_table(group, shown).rename_axis(title)
        if experiment != "05_claims":
            yield answers.limit_sentence(group, epochs)


def controls(published: Published, *notebooks: str) -> Parts:
    """Rows with content beside themselves on controls of it, one table per list of rows.

    Args:
        notebooks: the numbers of those whose rows they are.
    """
    known, waiting = set(published.own["experiment"]), []
    for rows, controlled in CONTROLS_OF.items():
        number, _, title = rows.partition("_")
        if number not in notebooks:
            continue
        what = f"Controls of {title.replace('_', ' ')} ({number})"
        if {rows, controlled} <= known:
            both = published.own[published.own["experiment"].isin([rows, controlled])]
            yield tables.beside_controls(both, "mse", CONTROLS).rename_axis(what)
        else:
            waiting.append(str(NotPublishedError(what)))
    if not known & {CONTROLS_OF[name] for name in CONTROLS_OF if name[:2] in notebooks}:
        raise NotPublishedError(f"Rows on controls of their content ({', '.join(notebooks)})")
    yield from waiting


def _notes_of(comparison: str) -> Iterator[str]:
    """What to know of the claims that a comparison is about, by the recipe and stopped early."""
    for which in ("", ", native, early stopped"):
        claim = claims_by_id().get(f"BoNMF {comparison}{which}")
        if claim is not None and claim.note:
            yield claim.note


def dependence(published: Published) -> Parts:
    """On what the answer depends: the two centres of the recipe's readings, and every reading that
    is published."""
    effects, centres = specification_effects.published_effects(published.own, published.run)
    if effects.empty:
        raise NotPublishedError("Readings of the recipe")
    for name, centre in centres.items():
        yield specification_curve.centre_sentence(effects, name, centre)
        if said := specification_curve.one_input_sentence(effects, name, centre):
            yield said
    yield specification_figures.centre_gains(effects, centres)
    yield specification_curve.coverage_sentence(published.own, published.run)
    near = specification_effects.around(effects)
    for comparison, own in near[near["content"] == specification_effects.REAL].groupby(
        "comparison", sort=False
    ):
        if len(own) > len(centres):
            said = f"{comparison}: {specification_curve.curve_sentence(effects, comparison)}"
            yield " ".join([said, *_notes_of(comparison)])
            yield specification_figures.specification_curve(effects, comparison)


def _subsets(
    published: Published, subsets: Mapping[frozenset[str], Any], metric: str
) -> tuple[list[dict], float]:
    """Per seed, the metric by subset of inputs; and the share that intervals rest on."""
    what = "All subsets of inputs"
    rows = published.rows("05_modalities", what)
    if not {row.name for row in subsets.values()} <= set(rows["variant"]):
        raise NotPublishedError(what)
    return tables.by_subset(rows, dict(subsets), metric), interval_share(rows)


def shapley(published: Published, subsets: Mapping[frozenset[str], Any]) -> Parts:
    """Shapley values of the inputs, and what each adds to the others.

    Args:
        subsets: row by subset, of :func:`bonmf_lib.experiments.ablations.modality_rows`.
    """
    own = published.own
    rows, controls = (
        own[own["experiment"] == name] for name in ("05_modalities", "05_modalities_controls")
    )
    for metric, title in (("mse", "MSE"), ("ndcg@10", "NDCG@10")):
        per_seed, share = _subsets(published, subsets, metric)
        shares = shapley_table(per_seed, share)
        yield tables.shapley_sentence(shares, metric)
        yield tables.last_step_sentence(per_seed, metric, share)
        shuffled = control_shares(rows, controls, subsets, metric)
        yield comparison_figures.shapley_bars(shares, title, shuffled)
    if controls.empty:
        yield str(NotPublishedError("Shapley values of other items' content"))


_MODALITIES = "text", "picture"


def added_in_words(published: Published) -> Parts:
    """In how many differently trained networks text and picture add something."""
    yield "\n".join(answers.added_sentence(published.own, modality) for modality in _MODALITIES)


def added(published: Published) -> Parts:
    """What text and picture add in differently trained networks."""
    for modality in _MODALITIES:
        yield answers.added_by_experiment(published.own, modality).round(4)


def second_reading(published: Published, experiment: str) -> Parts:
    """Rows of the second reading's protocol (``04_review``) or on implicit feedback
    (``04_implicit``)."""
    rows, implicit = published.rows(experiment, experiment), experiment == "04_implicit"
    rankings = {"recall@10": "Recall@10"} | ({"hr@10": "HR@10"} if implicit else {})
    yield tables.metric_table(rows, METRICS | rankings)
    if implicit:
        pair = [(f"{name}, implicit", "as published") for name in ("BoNMF", "NMD (ID only)")]
        yield row_sentences.difference_sentence(rows, "recall@10", *pair)


def metric_readings(published: Published) -> Parts:
    """Which readings of Precision@K and NDCG come near the paper's columns."""
    definitions = published.table("definitions", "The readings of the metrics")
    parts = {
        part: table.drop(columns="part").set_index("definition")
        for part, table in definitions.groupby("part")
    }
    paper, values = tables.paper_values("BoNMF Table 1"), definition_fits.by_metric(parts)["test"]
    fits = definition_fits.fits_by_name(values, paper)
    yield from definition_fits.fit_sentences(fits)
    yield from definition_fits.evidence_sentences(values, paper)
    yield practice_figures.definition_map(fits)


def leaks(published: Published, epochs: int = 10) -> Parts:
    """Under which practice the paper's error appears, and after how many epochs; the paper trains
    for ``epochs``."""
    curves = leak_table(published.rows("04_leaks", "The curves by practice"))
    paper = tables.paper_values("BoNMF Table 1").loc["BoNMF", "mse"]
    yield readings.leak_sentence(curves, paper, epochs)
    yield practice_figures.leak_plot(curves, paper, epochs)


def svd(published: Published) -> Parts:
    """Which variant of truncated SVD comes near the paper's error."""
    table = published.table("svd", "The variants of SVD")
    paper = tables.paper_values("BoNMF Table 1").loc["SVD", "mse"]
    yield readings.svd_sentence(table, paper)
    yield practice_figures.svd_plot(table, paper)


def svd_solvers(published: Published) -> Parts:
    """Which solver of truncated SVD, of which ratings, comes near the paper's error."""
    errors = published.table("svd_solvers", "The solvers of SVD")
    yield readings.solver_sentence(errors, tables.paper_values("BoNMF Table 1").loc["SVD", "mse"])
    yield readings.solver_table(errors)


def practices(published: Published) -> Parts:
    """Which practice gives each of the paper's errors."""
    errors = published.table("errors_by_part", "The errors by part").set_index("model")
    solvers = published.table("svd_solvers", "The solvers of SVD")
    table = readings.practice_table(tables.paper_values("BoNMF Table 1")["mse"], errors, solvers)
    yield readings.practice_sentence(table)
    yield table.round(4)


def information(published: Published, subsets: Mapping[frozenset[str], Any]) -> Parts:
    """What text and picture tell of ratings together and apart; ``subsets`` as for
    :func:`shapley`."""
    per_seed, share = _subsets(published, subsets, "mse")
    yield overlap_figures.information_bars(overlap_studies.information_tables(per_seed, share))


_FIRST_ASKED = ("text",)


def _gains(published: Published, experiments: Mapping[str, str]) -> list[domains.Gain]:
    gained = domains.published_gains(published.records, experiments)
    if not gained:
        raise NotPublishedError(f"Other data, {' and '.join(experiments)}")
    return gained


def _forests(gained: Sequence[domains.Gain], questions: Iterable[str]) -> Iterator[Figure]:
    pooled, judged = domains.summaries(gained), domains.verdicts(gained)
    for question in questions:
        yield domain_figures.question_forest(gained, pooled, judged, question)


def other_data(published: Published) -> Parts:
    """Whether text helps on every published data set, warm and cold, on items with few ratings, and
    all together, in every reading; then as a figure, on standardised features."""
    for experiments in domains.READINGS:
        gained = _gains(published, experiments)
        yield from domains.answers(gained, experiments, _FIRST_ASKED)
    yield from _forests(_gains(published, domains.EXPERIMENTS), _FIRST_ASKED)


def other_data_in_full(published: Published) -> Parts:
    """The same of pictures and of both, in words in every reading; then pictures as a figure, on
    standardised features. 10 draws all."""
    for experiments in domains.READINGS:
        gained = _gains(published, experiments)
        every = dict.fromkeys(one.question for one in gained)
        others = [question for question in every if question not in _FIRST_ASKED]
        yield from domains.answers(gained, experiments, others)
    yield from _forests(_gains(published, domains.EXPERIMENTS), ("picture",))


def searches(published: Published) -> Parts:
    """What the searches chose for the first seed."""
    trials = published.table("trials", "Searches")
    yield tables.chosen_settings(trials[trials["seed"] == trials["seed"].min()])


_TAKEN = ("BoNMF (a), tuned", "BoNMF (d), tuned", "BoNMF (e), tuned", "BoNMF (b), biased SVD")


def what_to_take(
    published: Published, judged: pd.DataFrame, found: Sequence[answers.Answer]
) -> Parts:
    """The sentences a reader should remember.

    Args:
        judged: the ledger of the published records. found: of :func:`full_answers`.
    """
    judged = judged[judged["dataset"] == published.dataset]
    for claim in [claim for claim in _TAKEN if (judged["claim"] == claim).any()]:
        statement = judged.loc[judged["claim"] == claim, "statement"].iloc[0]
        note = claims_by_id()[claim].note
        yield f"{statement}. {tables.interpret(judged, claim)} {note}".rstrip()
    yield row_sentences.own_model_sentence(published.own)
    yield from (answers.added_sentence(published.own, modality) for modality in ("text", "picture"))
    yield from (answer.sentences[-1] for answer in found if answer.question != "overlap")


def this_run(records: pd.DataFrame) -> Parts:
    """The main rows of a run, one table per data set and content; then their figures."""
    groups = [group for _, group in main_rows(records).groupby(["dataset", "content"])]
    if not groups:
        yield "No records yet: run the notebooks before this one."
    yield from (tables.metric_table(group, METRICS) for group in groups)
    for group in groups:
        yield from comparison(group, "MSE", {})
