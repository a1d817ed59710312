"""Tables of rankers: one row per model that both evaluations have, and pairs by evaluation."""

import pandas as pd
import pytest

from bonmf_lib.claims.across_users import COLUMNS
from bonmf_lib.errors import RecordError
from bonmf_lib.report.rankers import (
    both_evaluations,
    choice_lines,
    pair_intervals,
    printed_hit_rates,
)
from bonmf_lib.studies.sampled_metrics import TURNED, pair_orders

FULL, GIVEN = "full ranking, train masked", "given negatives"


def row(evaluation: str, variant: str, mean: float, other: str = "", metric: str = "hr@10") -> dict:
    known = {"dataset": "ml-1m", "content": "full", "split": "given", "users": 100, "seeds": "0 1"}
    return known | {
        "evaluation": evaluation, "metric": metric, "variant": variant, "other": other,
        "mean": mean, "error": 0.01, "freedom": 99.0, "config": variant, "other_config": other,
    }  # fmt: skip


ACROSS = pd.DataFrame(
    [
        row(FULL, "B", 0.3), row(FULL, "A", 0.2), row(FULL, "only here", 0.9),
        row(GIVEN, "A", 0.7), row(GIVEN, "B", 0.5), row(GIVEN, "A", 0.1, metric="ndcg@10"),
        row("given negatives, own item kept", "A", 0.4),
        row(GIVEN, "A", 40.0, "B"), row(FULL, "A", -33.0, "B"),
    ],
    columns=COLUMNS,
)  # fmt: skip


def test_models_of_both_evaluations_stand_side_by_side():
    table = both_evaluations(ACROSS, "hr@10")
    assert table.index.tolist() == ["B", "A"]
    assert table["sampled"].tolist() == [0.5, 0.7]
    assert table["full"].tolist() == [0.3, 0.2]
    half = table["full_high"] - table["full"]
    assert half.tolist() == pytest.approx([0.01 * 1.9842] * 2, rel=1e-3)


def test_pairs_are_told_apart_by_their_own_intervals():
    told = pair_intervals(ACROSS, "hr@10")
    assert {side: len(table) for side, table in told.items()} == {"sampled": 1, "full": 1}
    pairs = pair_orders(both_evaluations(ACROSS, "hr@10")[["sampled", "full"]], told)
    assert pairs["order"].tolist() == [TURNED]


def test_an_ambiguous_evaluation_is_refused():
    with pytest.raises(RecordError, match="name one of them"):
        both_evaluations(ACROSS, "hr@10", {"sampled": "given", "full": "full ranking"})


def test_what_choosing_the_epoch_adds_is_said_beside_print():
    choice = pd.DataFrame(
        {"last epoch": [0.65, 0.7], "best on test": [0.69, 0.7], "its epoch": [7, 20]},
        index=["MLP, 32 factors", "Other"],
    )
    assert choice_lines(choice, printed_hit_rates()) == [
        "MLP, 32 factors: HR@10 0.650 after the last epoch, 0.690 after epoch 7, the best on the "
        "test ratings; printed 0.691.",
        "Other: HR@10 0.700 after the last epoch, 0.700 after epoch 20, the best on the test "
        "ratings.",
    ]
