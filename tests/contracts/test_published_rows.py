"""Every published row is still a row of this code: what decides its numbers has the hash that it was published with."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bonmf_lib import encoders
from bonmf_lib.config import config_hash
from bonmf_lib.encoders.controls import FeatureControl
from bonmf_lib.encoders.features import Features, content_key
from bonmf_lib.experiments import comparisons, open_questions, specifications
from bonmf_lib.runs.records import read_published
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.runner import Variant, variant_hash
from bonmf_lib.studies import practices

pytestmark = pytest.mark.mirror

SIZES = {"colours": 48, "tfidf": 128, "minilm-l6": 384, "dinov2-s": 384}  # of their vectors; of others, more than 256
LATER = ("distilbert-grammar", "t5-small-encoder")  # of the profile's encoders, not published yet


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The published profile on its data; features know their keys, but nothing is encoded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoders, "cached_poolings", unencoded)
        patch.setattr(Features, "principal", components)
        for control in FeatureControl.__subclasses__():
            patch.setattr(control, "rows", lambda self, rows: rows)
        yield Run(NotebookParameters(profile="paper", run_dir=str(tmp_path_factory.mktemp("run"))))


class Poolings(dict):
    def __init__(self, items: int, size: int):
        self.items_, self.size = items, size

    def __missing__(self, pooling: str) -> np.ndarray:
        regions = int(pooling.removeprefix("grid")) ** 2 if pooling.startswith("grid") else 1
        return np.zeros((self.items_, regions * self.size), np.float32)


def unencoded(description, contents, encode):
    poolings = Poolings(len(contents), SIZES.get(description["encoder"], 400))
    return poolings, np.array([content is not None for content in contents]), content_key(description, contents)


def components(features: Features, dim: int, standardised: bool = True) -> Features:
    if dim >= features.dim // features.regions:
        return features
    return replace(features, key=features.components_key(dim, standardised))


def rows_of(run: Run) -> dict[str, list[Variant]]:
    """The rows of every published experiment, as the notebooks ask for them."""
    oq = open_questions
    known = [name for name in (run.settings.text_encoder, *run.settings.compared_text_encoders) if name not in LATER]
    bases = [row for row in comparisons.table1_rows(run) if row.name in comparisons.ABLATION_BASES]
    rows = {
        "03_model_training": comparisons.recipe_rows(run),
        "04_table1": comparisons.table1_rows(run),
        "04_tuned": comparisons.tuned_rows(run) + comparisons.best_rows(run),
        "04_review": comparisons.review_rows(run),
        "04_implicit": comparisons.implicit_rows(run),
        "05_modalities": list(comparisons.modality_rows(run).values()),
        "05_bonmf_plus": comparisons.best_ablation_rows(run),
        "05_claims": bases + comparisons.claimed_ablations(run),
        "06_encoders": oq.encoder_rows(run, tuple(dict.fromkeys(known))),
        "07_readings": oq.picture_encoder_rows(run),
        "07_fusions": oq.fusion_rows(run),
        "05_centres": specifications.rows_of(run, list(specifications.centres(run.settings).values())),
    }
    rows |= {f"05_{question.replace(' ', '_')}": grid for question, grid in comparisons.ablation_rows(run).items()}
    choices = {"pooling": oq.pooling_rows, "content": oq.content_rows, "size": oq.dimension_rows}
    rows |= {f"06_{question}": make(run) for question, make in choices.items()}
    cold = {"06_encoders": "06_cold_items", "07_readings": "07_cold_items"}
    cold |= {f"06_{question}": f"06_{question}_cold" for question in choices}
    return rows | rows_of_overlap(run) | {name: oq.on_cold_items(rows[of]) for of, name in cold.items()}


def rows_of_overlap(run: Run) -> dict[str, list[Variant]]:
    rows = open_questions.overlap_rows(run)
    return {"08_resolve_random": rows, "08_resolve_cold": open_questions.on_cold_items(rows)}


def published(run: Run) -> pd.DataFrame:
    """Experiment, variant, protocol and hash of every published row on the run's data."""
    records = read_published()
    own = records[(records["dataset"] == run.dataset.name) & (records["content"] == run.dataset.content)]
    return own[["experiment", "variant", "protocol", "config"]].drop_duplicates()


def test_every_published_row_has_the_hash_it_was_published_with(run):
    for name, one in open_questions.overlap_runs(run)[0].items():
        whole = one.dataset.name == run.dataset.name
        asked = rows_of(one) if whole else rows_of_overlap(one)
        hashes = {(key, r.name, r.protocol): variant_hash(one, r) for key, rows in asked.items() for r in rows}
        rows = [row for row in published(one).itertuples() if row.protocol != practices.PROTOCOL]
        assert len(rows) >= (170 if whole else 18), name
        for row in rows:
            assert hashes.get((row.experiment, row.variant, row.protocol)) == row.config, row


def test_published_leaks_have_the_hash_they_were_published_with(run):
    found = published(run)
    (config,) = found[found["protocol"] == practices.PROTOCOL]["config"].unique()
    first = comparisons.table1_rows(run)[0]
    longer = replace(first, training=replace(first.training, epochs=2 * first.training.epochs))
    assert config == config_hash(variant_hash(run, longer), list(practices.LEAKS))
