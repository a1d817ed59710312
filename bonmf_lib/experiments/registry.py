"""Every list of rows under the name of its experiment: what the notebooks ask for, and what can be trained before they
do, in shares."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..errors import ConfigError, unknown_name
from ..runs.run import Run
from ..runs.variant import Variant
from . import absent, anchors, comparisons, open_questions as oq, specifications

Rows = Callable[[Run], list[Variant]]
Seeds = Callable[[Run], tuple[int, ...]]


@dataclass(frozen=True)
class Experiment:
    """A list of rows and the seeds that it is run on."""

    rows: Rows
    seeds: Seeds


def _every(run: Run) -> tuple[int, ...]:
    return run.settings.seeds


def _compared(run: Run) -> tuple[int, ...]:
    return run.comparison_seeds


def _ablated(run: Run) -> tuple[int, ...]:
    return run.ablation_seeds


def _controls_of(rows: Rows, endings: tuple[str, ...] = comparisons.CONTROLS) -> Rows:
    return lambda run: comparisons.control_rows(run, rows(run), endings)


def _recipe_networks(run: Run) -> list[Variant]:
    return [row for row in comparisons.recipe_rows(run) if row.name == "BoNMF"]


def _subsets(run: Run) -> list[Variant]:
    return list(comparisons.modality_rows(run).values())


def _grid(question: str) -> Rows:
    return lambda run: comparisons.ablation_rows(run)[question]


def _claimed(run: Run) -> list[Variant]:
    bases = [row for row in comparisons.table1_rows(run) if row.name in comparisons.ABLATION_BASES]
    return bases + comparisons.claimed_ablations(run)


def _centres(run: Run) -> list[Variant]:
    return specifications.rows_of(run, list(specifications.centres(run.settings).values()))


def _other_readings(run: Run) -> list[Variant]:
    middle = _centres(run)
    return [row for row in specifications.rows_of(run, specifications.all_readings(run.settings)) if row not in middle]


def _encoders(run: Run) -> list[Variant]:
    return oq.encoder_rows(run, oq.text_encoders(run)[0])


def _native_texts(run: Run) -> list[Variant]:
    return oq.native_text_rows(run, oq.text_encoders(run)[0])


def _cold(rows: Rows) -> Rows:
    return lambda run: oq.on_cold_items(rows(run))


GRIDS = ("depth and width", "embedding size", "batch size and learning rate", "regularisation", "side information")
TEXT_CHOICES: dict[str, Rows] = {"pooling": oq.pooling_rows, "content": oq.content_rows, "size": oq.dimension_rows}

EXPERIMENTS: dict[str, Experiment] = {
    "03_model_training": Experiment(comparisons.recipe_rows, _every),
    "03_controls": Experiment(_controls_of(_recipe_networks, ("shuffled",)), _compared),
    "04_table1": Experiment(comparisons.table1_rows, _compared),
    "04_controls": Experiment(_controls_of(comparisons.table1_rows), _ablated),
    "04_native": Experiment(comparisons.native_rows, _ablated),
    "04_tuned": Experiment(lambda run: comparisons.tuned_rows(run) + comparisons.best_rows(run), _compared),
    "04_review": Experiment(comparisons.review_rows, _ablated),
    "04_implicit": Experiment(comparisons.implicit_rows, _ablated),
    "04_folds": Experiment(anchors.fold_rows, lambda run: anchors.FOLDS),
    "04_shuffled_rows": Experiment(anchors.shuffled_rows, lambda run: anchors.SHUFFLE_SEEDS),
    "05_modalities": Experiment(_subsets, _compared),
    "05_modalities_controls": Experiment(_controls_of(_subsets), _ablated),
    "05_centres": Experiment(_centres, lambda run: run.centre_seeds),
    "05_specifications": Experiment(
        _other_readings, lambda run: run.settings.seeds[: run.settings.specification_seeds]
    ),
    "05_bonmf_plus": Experiment(comparisons.best_ablation_rows, _ablated),
    "05_claims": Experiment(_claimed, _compared),
    **{f"05_{question.replace(' ', '_')}": Experiment(_grid(question), _ablated) for question in GRIDS},
    "06_encoders": Experiment(_encoders, _compared),
    "06_cold_items": Experiment(_cold(_encoders), _compared),
    "06_native": Experiment(_native_texts, _compared),
    "06_native_cold": Experiment(_cold(_native_texts), _compared),
    **{f"06_{choice}": Experiment(rows, _ablated) for choice, rows in TEXT_CHOICES.items()},
    **{f"06_{choice}_cold": Experiment(_cold(rows), _ablated) for choice, rows in TEXT_CHOICES.items()},
    "07_readings": Experiment(oq.picture_encoder_rows, _compared),
    "07_cold_items": Experiment(_cold(oq.picture_encoder_rows), _compared),
    "07_fusions": Experiment(oq.fusion_rows, _compared),
    "08_subsets": Experiment(_subsets, _compared),
    "08_resolve_random": Experiment(oq.overlap_rows, _compared),
    "08_resolve_cold": Experiment(_cold(oq.overlap_rows), _compared),
}


def asked(run: Run, experiment: str, seeds: tuple[int, ...] | None = None) -> tuple[list[Variant], tuple[int, ...]]:
    """The rows of an experiment that the run's data allow, and its seeds; other ``seeds`` in their place.

    Raises:
        ConfigError: an unknown name.
    """
    if experiment not in EXPERIMENTS:
        raise ConfigError(unknown_name("experiment", experiment, EXPERIMENTS))
    chosen = EXPERIMENTS[experiment]
    if seeds is not None:
        chosen = replace(chosen, seeds=lambda run: seeds)
    return absent.do_without(run, chosen.rows(run)), chosen.seeds(run)
