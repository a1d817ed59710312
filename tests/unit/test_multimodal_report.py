"""Tables of 12: printed values and orders, grids and layers by the rows' names."""

import pandas as pd
import pytest

from bonmf_lib.evaluation.rules import FULL_RANKING, FullRanking
from bonmf_lib.experiments import multimodal_ranking as rows_of
from bonmf_lib.report import multimodal
from bonmf_lib.report.figures import multimodal as figures
from tests.unit.test_study import record


def records(values: dict[str, float], metric: str = "recall@20", seeds=(0, 1, 2)) -> pd.DataFrame:
    return pd.DataFrame(
        [
            record(name, seed, value + 1e-4 * seed, metric=metric, split="given", test_share=0.1)
            for name, value in values.items()
            for seed in seeds
        ]
    )


def test_models_stand_beside_their_printed_values():
    for data, source, value in (
        ("amazon-baby", "mmrec", 0.0883), ("amazon-baby", "diffmm", 0.0839),
        ("amazon-sports", "mmrec", 0.098),
    ):  # fmt: skip
        assert multimodal.printed(data, source)["BM3"] == pytest.approx(value)
    own = records({"BM3": 0.08, "LATTICE": 0.09, "FREEDOM": 0.1, "Popularity": 0.01})
    both = multimodal.beside_printed(own, "amazon-baby")
    assert list(both.index) == ["FREEDOM", "BM3", "LATTICE"]
    assert both["rank, ours"].to_dict() == {"FREEDOM": 1, "BM3": 3, "LATTICE": 2}
    said = multimodal.order_sentence(both, "amazon-baby")
    assert "of 3 models is 0.33" in said
    assert "FREEDOM, is also the best in print" in said
    few = multimodal.order_sentence(both.iloc[:2], "amazon-baby")
    assert "too few models" in few
    assert both["printed, this split"].isna().to_dict() == {
        "FREEDOM": True, "BM3": False, "LATTICE": False,
    }  # fmt: skip
    assert multimodal.printed("planted", "mmrec").empty
    assert multimodal.beside_printed(own, "planted").empty
    alone = multimodal.beside_printed(own, "tiktok")
    assert set(alone.index) == {"BM3", "LATTICE"} and alone["rank, printed"].isna().all()
    assert "too few models" in multimodal.order_sentence(alone, "tiktok")


def test_the_dropout_grid_finds_its_rows():
    names = {
        f"BM3, {rows_of.dropout_name(dropout, penalty)}": dropout + penalty
        for dropout in rows_of.DROPOUTS
        for penalty in rows_of.PENALTIES
    }
    table = multimodal.dropout_grid(records(names), "recall@20")
    assert table.shape == (len(rows_of.PENALTIES), len(rows_of.DROPOUTS))
    assert table.loc[0.01, 0.3] == pytest.approx(0.3101)
    figure = figures.setting_grid(table, "recall@20", "planted")
    assert "best at penalty 0.1 and dropout 0.5" in figure.get_label()


def test_layers_are_read_off_names():
    own = records({"BM3": 0.1, "BM3, 2 layers": 0.2, "LightGCN": 0.3, "LightGCN, 1 layer": 0.4})
    table = multimodal.layer_table(own, "recall@20", rows_of.usual_layers())
    assert table[["model", "x"]].to_numpy().tolist() == [
        ["BM3", 1], ["BM3", 2], ["LightGCN", 1], ["LightGCN", 2],
    ]  # fmt: skip
    assert table["mean"].tolist() == pytest.approx([0.1001, 0.2001, 0.4001, 0.3001])


def test_what_a_ranking_is_watched_by_is_in_its_name():
    by_recall = FullRanking(watches="recall@20")
    assert by_recall.name == f"{FULL_RANKING.name}, by recall@20"
    assert by_recall == rows_of.CHOSEN_BY
