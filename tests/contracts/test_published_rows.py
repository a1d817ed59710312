"""Every published row is still a row of this code: what decides its numbers has the hash that it
was published with."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bonmf_lib import encoders
from bonmf_lib.config import config_hash
from bonmf_lib.encoders.controls import FeatureControl
from bonmf_lib.encoders.features import Features, content_key
from bonmf_lib.errors import SourceError
from bonmf_lib.evaluation.rules import RATED_ITEMS
from bonmf_lib.experiments import anchors, modality_overlap, multimodal_ranking, table1
from bonmf_lib.experiments.registry import EXPERIMENTS, OTHER_LIBRARIES
from bonmf_lib.runs.records import read_published
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.variant import variant_hash
from bonmf_lib.studies import practices

pytestmark = pytest.mark.mirror

# of their vectors; of others, more than 256
SIZES = {
    "colours": 48,
    "tfidf": 128,
    "minilm-l6": 384,
    "dinov2-s": 384,
}
# at least so many rows of 12 are published on them
FEWEST_OF_12 = {"ml-100k+core5": 23, "amazon-baby": 75}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The published profile on its data; features know their keys, but nothing is encoded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoders, "cached_poolings", unencoded)
        patch.setattr(Features, "principal", components)
        for control in FeatureControl.__subclasses__():
            patch.setattr(control, "rows", lambda self, rows: rows)
        run = Run(NotebookParameters(profile="paper", run_dir=str(tmp_path_factory.mktemp("run"))))
        # a hub is not asked; none of them is published
        run.settings = replace(run.settings, encoders=replace(run.settings.encoders, hub=False))
        yield run


class Poolings(dict):
    def __init__(self, items: int, size: int):
        self.items_, self.size = items, size

    def __missing__(self, pooling: str) -> np.ndarray:
        regions = int(pooling.removeprefix("grid")) ** 2 if pooling.startswith("grid") else 1
        return np.zeros((self.items_, regions * self.size), np.float32)


def unencoded(description, contents, encode):
    poolings = Poolings(len(contents), SIZES.get(description["encoder"], 400))
    return (
        poolings,
        np.array([content is not None for content in contents]),
        content_key(description, contents),
    )


def components(features: Features, dim: int, standardised: bool = True) -> Features:
    if dim >= features.dim // features.regions:
        return features
    return replace(features, key=features.components_key(dim, standardised))


def published(run: Run) -> pd.DataFrame:
    """Experiment, variant, protocol, evaluation and hash of every published row on the run's
    data."""
    records = read_published()
    own = records[
        (records["dataset"] == run.dataset.name) & (records["content"] == run.dataset.content)
    ]
    return own[["experiment", "variant", "protocol", "evaluation", "config"]].drop_duplicates()


def test_every_published_row_has_the_hash_it_was_published_with(run):
    for name, one in modality_overlap.overlap_runs(run)[0].items():
        rows = [row for row in published(one).itertuples() if row.protocol != practices.PROTOCOL]
        assert len(rows) >= (170 if one.dataset.name == run.dataset.name else 18), name
        assert_known(one, rows)


def test_rows_of_rankers_with_content_have_the_hash_they_were_published_with(run):
    """On those data of 12 that are at hand, in about two seconds; costs tell of a machine, not of
    rows that are trained."""
    found, met = read_published(), []
    with_rows = found[found["experiment"].str.startswith("12_")]["dataset"].unique()
    for one in multimodal_ranking.data_sets(run):
        if one.settings.dataset not in with_rows:
            continue  # nor are they loaded
        try:
            name = one.dataset.name
        except SourceError:
            continue
        rows = [row for row in published(one).itertuples() if row.experiment.startswith("12_")]
        trained = [row for row in rows if row.experiment != "12_costs"]
        assert len(trained) >= FEWEST_OF_12.get(name, 1)
        assert_known(one, trained)
        met.append(name)
    assert met


def assert_known(run: Run, rows: list) -> None:
    """That rows of :func:`published` are rows of the code, by all that names them."""
    asked = {row.experiment for row in rows} - set(OTHER_LIBRARIES)
    known = {name: EXPERIMENTS[name].rows(run) for name in asked}
    hashes = {
        (key, row.name, row.protocol, row.evaluation.name): variant_hash(run, row)
        for key, of_key in known.items()
        for row in of_key
    } | {
        (anchors.SURPRISE_FOLDS, algorithm, anchors.SURPRISE, RATED_ITEMS.name): (
            anchors.surprise_config(run, algorithm)
        )
        for algorithm in anchors.ALGORITHMS
    }
    for row in rows:
        named = row.experiment, row.variant, row.protocol, row.evaluation
        assert hashes.get(named) == row.config, row


def test_published_leaks_have_the_hash_they_were_published_with(run):
    found = published(run)
    (config,) = found[found["protocol"] == practices.PROTOCOL]["config"].unique()
    first = table1.table1_rows(run)[0]
    longer = replace(first, training=replace(first.training, epochs=2 * first.training.epochs))
    assert config == config_hash(variant_hash(run, longer), list(practices.LEAKS))
