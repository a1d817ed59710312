"""What training costs: told of every row in turns, memory in processes of their own, growth as
powers."""

import shutil

import numpy as np
import pandas as pd
import pytest

from bonmf_lib.claims.judge import judge
from bonmf_lib.claims.reading import BetterClaim
from bonmf_lib.experiments import multimodal_ranking as rows_of
from bonmf_lib.models.ranking.lightgcn import LightGCNConfig
from bonmf_lib.parallel import in_own_processes
from bonmf_lib.runs.manifest import write_manifest
from bonmf_lib.runs.records import MANIFEST, RECORDS, read_records
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.studies import costs
from bonmf_lib.studies.costs import Sizes


def test_random_data_of_a_size_can_hold_their_pairs():
    for pairs in (10_000, 300_000):
        size = costs.sizes_of(pairs)
        assert size.pairs == pairs < size.users * size.items / 2
    inputs, train = costs.random_pairs(costs.sizes_of(10_000))
    assert len(train.users) == 10_000 and inputs.text.matrix.shape == (150, 16)


def test_every_row_is_timed_in_every_round(tmp_path):
    whole = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path)))
    (run,) = rows_of.data_sets(whole)
    rows = [row for row in rows_of.compared_rows(run) if row.name in ("LightGCN", "BM3")]
    table = costs.epoch_costs(run, rows, rounds=2)
    assert table.groupby("variant")["round"].apply(list).to_dict() == {
        "LightGCN": [0, 1], "BM3": [0, 1],
    }  # fmt: skip
    assert (table["seconds"] > 0).all()
    measured = table.dropna()
    assert (measured["memory"] >= 0).all() and list(measured["round"]) == [0, 0]
    shown = costs.cost_table(table, "BM3")
    assert shown.loc["BM3", "s per epoch, over BM3"] == 1
    assert list(shown.index) == ["LightGCN", "BM3"]


def test_costs_are_kept_as_records_on_which_claims_are_judged(tmp_path):
    """A round in the place of a seed; what was kept before is measured anew, not pooled."""
    whole = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path)))
    (run,) = rows_of.data_sets(whole)
    rows = [row for row in rows_of.compared_rows(run) if row.name in ("LATTICE", "BM3")]
    made = pd.DataFrame(
        [
            {"variant": name, "round": turn, "seconds": seconds, "memory": memory}
            for turn in range(4)
            for name, seconds, memory in (("LATTICE", 4 + turn / 10, 100), ("BM3", 2, 51 + turn))
        ]
    )
    made.loc[made["round"] > 1, "memory"] = np.nan
    costs.keep_costs(run, "12_costs", rows, made)
    kept = costs.keep_costs(run, "12_costs", rows, made)
    assert kept.groupby("metric")["seed"].apply(list).to_dict() == {
        "peak-memory": [0, 1, 0, 1], "epoch-seconds": [0, 1, 2, 3, 0, 1, 2, 3],
    }  # fmt: skip
    write_manifest(run.run_dir)  # gathers them, one column for each metric
    gathered = tmp_path / "gathered"
    gathered.mkdir()
    for name in (RECORDS, MANIFEST):
        shutil.copy(run.run_dir / name, gathered)
    pd.testing.assert_frame_equal(read_records(gathered), read_records(run.run_dir))
    than = {"variant": "BM3", "than": ("LATTICE",), "protocol": rows[0].protocol}
    terms = {"source": "bm3", "paper": "", "evaluation": "full ranking", "kind": "better"}
    claims = tuple(
        BetterClaim(id=metric, statement="", metric=metric, percent=percent,
                    datasets=(run.dataset.name,), **than, **terms)
        for metric, percent in (("epoch-seconds", (50, 89)), ("peak-memory", (45, 55)))
    )  # fmt: skip
    faster, smaller = judge(claims, kept)
    assert faster.ours.mean == pytest.approx(51.75, abs=0.2)
    assert (faster.verdict, faster.across, faster.ours.n) == ("reproduced", "", 4)
    assert (smaller.ours.n, smaller.ours.mean) == (2, pytest.approx(48.5))


def _holding(megabytes: int) -> float:
    return costs._peak_of(lambda: np.ones(megabytes * 2**17).sum())


def test_memory_is_that_of_the_action_alone():
    """A job sees nothing of what the one before it took."""
    large, small = in_own_processes(_holding, [(200,), (20,)])
    assert 190 < large < 230
    assert 10 < small < 50


def test_powers_are_slopes_on_log_axes():
    growth = pd.DataFrame(
        [
            {"model": model, "grown": "items", "size": size, "seconds": 1e-3 * size**power}
            for model, power in (("LATTICE", 2.0), ("BM3", 0.5))
            for size in (100, 200, 400)
        ]
    )
    table = costs.exponents(growth)
    assert table.loc["LATTICE", "items"] == pytest.approx(2)
    assert table.loc["BM3", "items"] == pytest.approx(0.5)
    assert table.loc["LATTICE", "items, stated at most"] == 3


def test_random_pairs_have_the_sizes_asked_for():
    size = Sizes(50, 30, 400, 7)
    inputs, train = costs.random_pairs(size)
    assert (inputs.n_users, inputs.n_items, len(train)) == (50, 30, 400)
    pairs = set(zip(train.users.tolist(), train.items.tolist(), strict=True))
    assert len(pairs) == 400
    assert inputs.text.matrix.shape == inputs.image.matrix.shape == (30, 7)
    assert costs.random_pairs(size)[1].items.equal(train.items)


def test_growth_has_a_row_for_every_size_and_model():
    models = {"LightGCN": ("lightgcn", LightGCNConfig(factors=8), "bpr")}
    sizes = costs.grown(Sizes(20, 20, 100, 4), (1, 2))
    assert [one.pairs for one in sizes["pairs"]] == [100, 200]
    table = costs.step_growth(models, sizes, batch_size=16, rounds=1)
    assert table.groupby("grown", sort=False)["size"].apply(list).to_dict() == {
        "pairs": [100, 200], "items": [20, 40], "features": [4, 8],
    }  # fmt: skip
    assert (table["seconds"] > 0).all()
