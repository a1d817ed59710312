"""Every list of rows under the name of its experiment: what a notebook asks for, and what can be
trained before it does, in shares."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from ..errors import ConfigError, unknown_name
from ..runs.run import Run
from ..runs.runner import run_variants, train_share
from ..runs.variant import Variant
from . import (
    ablations,
    absent,
    anchors,
    cold_start,
    domains,
    language_models,
    modality_overlap,
    model_training,
    multimodal_ranking,
    neural_cf,
    second_reading,
    specifications,
    table1,
    visual_fusion,
)
from .protocols import CONTROLS, control_rows, on_cold_items

Rows = Callable[[Run], list[Variant]]
Seeds = Callable[[Run], tuple[int, ...]]
Adapt = Callable[[Run, Sequence[Variant]], list[Variant]]


@dataclass(frozen=True)
class Experiment:
    """A list of rows and the seeds that it is run on.

    Attributes:
        adapt: what becomes of rows that read what the data have not: left out, or made to do
        without.
        explained: studies look into the rows' weights.
    """

    rows: Rows
    seeds: Seeds
    adapt: Adapt = absent.leave_out
    explained: bool = False


@dataclass(frozen=True)
class OtherLibrary:
    """Models of another library, which are no rows of ours, and the seeds that they are run on.

    Attributes:
        train: fit and record a share (part, parts) of them on seeds; how many it has.
    """

    train: Callable[[Run, tuple[int, ...], int, int], int]
    seeds: Seeds


def _every(run: Run) -> tuple[int, ...]:
    return run.settings.seeds


def _compared(run: Run) -> tuple[int, ...]:
    return run.comparison_seeds


def _ablated(run: Run) -> tuple[int, ...]:
    return run.ablation_seeds


def _first(run: Run) -> tuple[int, ...]:
    return run.comparison_seeds[:1]


def _controls_of(rows: Rows, endings: tuple[str, ...] = CONTROLS) -> Rows:
    return lambda run: control_rows(run, rows(run), endings)


def _recipe_networks(run: Run) -> list[Variant]:
    rows = absent.do_without(run, model_training.recipe_rows(run), tell=False)
    return [row for row in rows if row.name.startswith("BoNMF")]


def _initialisations(run: Run) -> list[Variant]:
    possible = absent.leave_out(run, table1.table1_rows(run), tell=False)
    return [table1.initialisations_row(run, table1.fullest_row(possible))]


def _tuned(run: Run) -> list[Variant]:
    rows = table1.tuned_rows(run) + table1.best_rows(run) + table1.averaged_rivals(run)
    return rows + table1.shuffled_rows(run) if run.settings.tuning.wide else rows


def _ours_do_without(run: Run, rows: Sequence[Variant]) -> list[Variant]:
    """Rows of the paper's table are left out; our own model is asked what it does without."""
    ours = [row for row in rows if row.model == "bonmf+"]
    others = [row for row in rows if row not in ours]
    return absent.leave_out(run, others) + absent.do_without(run, ours)


def _subsets(run: Run) -> list[Variant]:
    return list(ablations.modality_rows(run).values())


def _grid(question: str) -> Rows:
    return lambda run: ablations.ablation_rows(run)[question]


def _claimed(run: Run) -> list[Variant]:
    bases = [row for row in table1.table1_rows(run) if row.name in ablations.ABLATION_BASES]
    return bases + ablations.claimed_ablations(run)


def _parts_of_ours(run: Run) -> list[Variant]:
    return absent.do_without(run, ablations.best_ablation_rows(run), tell=False)


def _centres(run: Run) -> list[Variant]:
    return specifications.rows_of(run, list(specifications.centres(run.settings).values()))


def _other_readings(run: Run) -> list[Variant]:
    return _but_centres(run, specifications.rows_of(run, specifications.all_readings(run.settings)))


def _more_splits(run: Run) -> list[Variant]:
    asked = specifications.more_splits_rows(run) if run.later_reading_seeds else []
    return _but_centres(run, asked)


def _but_centres(run: Run, rows: Sequence[Variant]) -> list[Variant]:
    middle = {row.name for row in _centres(run)}
    return [row for row in rows if row.name not in middle]


def _of_encoders(rows: Callable[[Run, tuple[str, ...]], list[Variant]]) -> Rows:
    return lambda run: rows(run, language_models.text_encoders(run)[0])


def _ranked(run: Run) -> tuple[int, ...]:
    return run.settings.seeds[: run.settings.rankings.seeds]


def _ranked_by_content(run: Run) -> tuple[int, ...]:
    own = run.settings.multimodal
    few = run.dataset.given is not None or multimodal_ranking.is_small(run)
    return run.settings.seeds[: own.side_seeds if few else own.seeds]


def _varied(run: Run) -> tuple[int, ...]:
    return run.settings.seeds[: run.settings.multimodal.side_seeds]


def _read_otherwise(run: Run) -> tuple[int, ...]:
    return run.settings.seeds[: run.settings.specification.seeds]


def _revealed(run: Run) -> tuple[int, ...]:
    return run.settings.seeds[: run.settings.cold_start.seeds]


def _revealed_aside(run: Run) -> tuple[int, ...]:
    return run.settings.seeds[: run.settings.cold_start.side_seeds]


def _in_both(rows: Rows) -> Experiment:
    return Experiment(lambda run: neural_cf.in_both_evaluations(run, rows(run)), _ranked)


def _cold(experiment: Experiment) -> Experiment:
    return Experiment(
        lambda run: on_cold_items(experiment.rows(run)), experiment.seeds, experiment.adapt
    )


SHUFFLED = CONTROLS[:1]  # where noise is not tried
CONTROLS_OF = {  # the experiment whose rows are an experiment's rows on controls of their content
    "03_model_training": "03_controls",
    "04_table1": "04_controls",
    "05_modalities": "05_modalities_controls",
    "05_bonmf_plus": "05_bonmf_plus_controls",
    "05_claims": "05_claims_controls",
}
GRIDS = (
    "depth and width",
    "embedding size",
    "batch size and learning rate",
    "regularisation",
    "side information",
)
_LISTS = {
    "03_model_training": Experiment(model_training.recipe_rows, _every, absent.do_without),
    "03_controls": Experiment(_controls_of(_recipe_networks), _ablated),
    "04_table1": Experiment(table1.table1_rows, _compared, explained=True),
    "04_controls": Experiment(_controls_of(table1.table1_rows), _ablated),
    "04_native": Experiment(table1.native_rows, _ablated),
    "04_tuned": Experiment(_tuned, _ablated, _ours_do_without),
    "04_fresh_splits": Experiment(table1.fresh_rows, lambda run: run.fresh_seeds, _ours_do_without),
    "04_fresh_networks": Experiment(table1.fresh_network_rows, lambda run: run.fresh_seeds),
    "04_initialisations": Experiment(_initialisations, _first),
    "04_review": Experiment(second_reading.review_rows, _ablated),
    "04_implicit": Experiment(second_reading.implicit_rows, _ablated),
    "04_folds": Experiment(anchors.fold_rows, anchors.folds),
    "04_shuffled_rows": Experiment(
        anchors.shuffled_rows, lambda run: anchors.SHUFFLE_SEEDS, absent.do_without
    ),
    "05_modalities": Experiment(_subsets, _compared),
    "05_modalities_controls": Experiment(_controls_of(_subsets), _ablated),
    "05_centres": Experiment(_centres, lambda run: run.centre_seeds),
    "05_one_input": Experiment(specifications.one_input_rows, lambda run: run.centre_seeds),
    "05_noise": Experiment(specifications.noise_rows, _read_otherwise),
    "05_specifications": Experiment(_other_readings, _read_otherwise),
    "05_more_splits": Experiment(_more_splits, lambda run: run.later_reading_seeds),
    "05_language_models": Experiment(specifications.other_language_models, _read_otherwise),
    "05_bonmf_plus": Experiment(ablations.best_ablation_rows, _ablated, absent.do_without),
    "05_bonmf_plus_controls": Experiment(_controls_of(_parts_of_ours, SHUFFLED), _ablated),
    "05_claims": Experiment(_claimed, _compared),
    "05_claims_controls": Experiment(_controls_of(_claimed, SHUFFLED), _ablated),
    **{
        f"05_{grid.replace(' ', '_')}": Experiment(_grid(grid), _ablated, absent.do_without)
        for grid in GRIDS
    },
    "06_encoders": Experiment(
        _of_encoders(language_models.encoder_rows), _compared, absent.do_without
    ),
    "06_native": Experiment(_of_encoders(language_models.native_text_rows), _compared),
    "06_pooling": Experiment(language_models.pooling_rows, _ablated, absent.do_without),
    "06_content": Experiment(language_models.content_rows, _ablated, absent.do_without),
    "06_size": Experiment(language_models.dimension_rows, _ablated, absent.do_without),
    "06_claims": Experiment(_of_encoders(language_models.claimed_language_models), _compared),
    "07_readings": Experiment(visual_fusion.picture_encoder_rows, _compared, absent.do_without),
    "07_fusions": Experiment(visual_fusion.fusion_rows, _compared),
    "08_subsets": Experiment(_subsets, _compared),
    **{
        f"09_{name}": Experiment(
            rows,
            _revealed_aside if name in cold_start.SIDE_QUESTIONS else _revealed,
            cold_start.possible,
        )
        for name, rows in cold_start.QUESTIONS.items()
    },
    **{f"10_{name}": Experiment(rows, domains.seeds) for name, rows in domains.EXPERIMENTS.items()},
    "11_solved": _in_both(neural_cf.solved_rows),
    "11_naive": Experiment(neural_cf.naive_rows, _ranked),
    "11_neumf": _in_both(neural_cf.neumf_rows),
    "11_factors": _in_both(neural_cf.factor_rows),
    "11_layers": _in_both(neural_cf.layer_rows),
    "11_negatives": _in_both(neural_cf.negative_rows),
    "11_dot_products": _in_both(neural_cf.dot_product_rows),
    "11_tuned": _in_both(neural_cf.tuned_rows),
    "11_shared": _in_both(neural_cf.shared_rows),
    "11_bonmf": _in_both(neural_cf.bonmf_rows),
    **{
        f"12_{name}": Experiment(
            rows,
            _varied if name in multimodal_ranking.SIDE_QUESTIONS else _ranked_by_content,
            absent.do_without if name == "models" else absent.leave_out,
        )
        for name, rows in multimodal_ranking.QUESTIONS.items()
    },
    "08_resolve_random": Experiment(modality_overlap.overlap_rows, _compared, explained=True),
}
_ON_COLD_ITEMS = {
    "06_encoders": "06_cold_items",
    "06_native": "06_native_cold",
    "06_pooling": "06_pooling_cold",
    "06_content": "06_content_cold",
    "06_size": "06_size_cold",
    "07_readings": "07_cold_items",
    "08_resolve_random": "08_resolve_cold",
}
EXPERIMENTS: dict[str, Experiment] = _LISTS | {
    cold: _cold(_LISTS[warm]) for warm, cold in _ON_COLD_ITEMS.items()
}


OTHER_LIBRARIES = {
    anchors.SURPRISE_FOLDS: OtherLibrary(anchors.surprise_share, anchors.folds),
}


def asked(
    run: Run, experiment: str, seeds: tuple[int, ...] | None = None
) -> tuple[list[Variant], tuple[int, ...]]:
    """The rows of an experiment that the run's data allow, and its seeds; other ``seeds`` in their
    place. What is left out is printed.

    Raises:
        ConfigError: an unknown name.
    """
    if experiment not in EXPERIMENTS:
        known = [*EXPERIMENTS, *OTHER_LIBRARIES]
        raise ConfigError(unknown_name("experiment", experiment, known))
    chosen = EXPERIMENTS[experiment]
    rows = [replace(row, explained=chosen.explained) for row in chosen.adapt(run, chosen.rows(run))]
    return rows, chosen.seeds(run) if seeds is None else seeds


def asked_together(run: Run, names: Sequence[str]) -> list[tuple[list[Variant], tuple[int, ...]]]:
    """The rows of experiments in as few groups as can be, so that rows of one can be compared with
    those of another: a group has the same seeds, and no name twice for different rows."""
    groups: list[tuple[dict[str, Variant], tuple[int, ...]]] = []
    for name in names:
        rows, seeds = asked(run, name)
        own = {row.name: row for row in rows}
        for known, others in groups:
            if others == seeds and all(known.get(key, row) == row for key, row in own.items()):
                known.update(own)
                break
        else:
            groups.append((own, seeds))
    return [(list(known.values()), seeds) for known, seeds in groups]


def train(
    run: Run,
    experiment: str,
    seeds: tuple[int, ...] | None = None,
    part: int = 1,
    parts: int = 1,
) -> int:
    """Train the ``part``-th of so many equal shares of an experiment, on its own seeds or others
    (:func:`~bonmf_lib.runs.runner.train_share`); models of another library are recorded too.

    Returns:
        how many trainings the share has.

    Raises:
        ConfigError: an unknown name, or there is no such share.
    """
    if experiment in OTHER_LIBRARIES:
        other = OTHER_LIBRARIES[experiment]
        return other.train(run, other.seeds(run) if seeds is None else seeds, part, parts)
    rows, own = asked(run, experiment, seeds)
    return train_share(run, rows, own, part, parts)


def run_experiment(run: Run, experiment: str) -> pd.DataFrame:
    """Run the rows of an experiment that the run's data allow; its records."""
    return run_variants(run, experiment, *asked(run, experiment))


def run_on_each(runs: Mapping[str, Run], experiment: str) -> dict[str, pd.DataFrame]:
    """:func:`run_experiment` on several data sets; the records of those that have its rows."""
    found = {name: run_experiment(run, experiment) for name, run in runs.items()}
    return {name: records for name, records in found.items() if len(records)}
