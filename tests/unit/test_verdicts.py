"""What stands under a verdict: what a win means, and one sentence where a run decides nothing."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bonmf_lib.claims.ledger import ledger
from bonmf_lib.claims.reading import claims_by_id
from bonmf_lib.report.tables import not_certain
from bonmf_lib.report.verdicts import (
    OWN_MODEL,
    best_model_sentences,
    data_sentence,
    demonstration_sentence,
    verdict_sentences,
    verdict_table,
)
from tests.unit.made_records import table

NOISE = np.array([0.001, -0.001, 0.002, -0.002, 0.0])
CLAIMS = claims_by_id()
BOTH, (IDS,) = CLAIMS["BoNMF (a)"].variant, CLAIMS["BoNMF (a)"].than
NO_PICTURE, (NO_TEXT,) = CLAIMS["BoNMF (c)"].variant, CLAIMS["BoNMF (c)"].than
# leaving the picture out helps, leaving the text out costs nothing
BY_RECIPE = {
    BOTH: 0.70 + NOISE,
    IDS: 0.75 - NOISE,
    NO_PICTURE: 0.65 + NOISE / 2,
    NO_TEXT: 0.70 + NOISE,
}
PRINTED = {"BoNMF": 0.70 + NOISE, "SVD": 6.50 + NOISE, "Global mean": 1.25 + NOISE}


def records_of(**changes) -> pd.DataFrame:
    by_recipe = table(**BY_RECIPE).assign(protocol=CLAIMS["BoNMF (a)"].protocol)
    printed = table(**PRINTED).assign(experiment="04_table1")
    return pd.concat([printed, by_recipe], ignore_index=True).assign(**changes)


def said(records: pd.DataFrame, *claims: str) -> str:
    return verdict_sentences(ledger(records), records, *claims)


def test_a_win_over_an_svd_that_is_worse_than_the_mean_says_little():
    records = records_of()
    assert said(records, "BoNMF (b)") == (
        "BoNMF (b): holds on ml-1m, content full. That says little: predicting the mean "
        "rating errs less (1.25, that SVD 6.50)."
    )
    better = records.assign(value=records["value"].where(records["variant"] != "SVD", 1.0))
    assert said(better, "BoNMF (b)") == "BoNMF (b): holds on ml-1m, content full."
    lost = records.assign(value=records["value"].where(records["variant"] != "SVD", 0.5))
    assert "not reproduced" in said(lost, "BoNMF (b)")
    assert "little" not in said(lost, "BoNMF (b)")


def test_text_matters_more_where_leaving_the_picture_out_helps():
    why = "It holds because leaving the picture out helps"
    records = records_of()
    assert why in said(records, "BoNMF (c)")
    variant = records["variant"]
    costly = records.assign(value=records["value"] + 0.1 * (variant == NO_TEXT))
    assert "holds on" in said(costly, "BoNMF (c)")
    assert why not in said(costly, "BoNMF (c)")  # leaving the text out costs something too
    no_harm = costly.assign(value=costly["value"] + 0.1 * (variant == NO_PICTURE))
    assert why not in said(no_harm, "BoNMF (c)")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"dataset": "planted", "content": "packaged"},
            "these data decide no claim of the paper (planted, packaged content).",
        ),
        (
            {"dataset": "folder:wines"},
            "these data decide no claim of the paper (folder:wines, full content).",
        ),
        ({"protocol": "2 epochs"}, "its rows decide no claim of the paper."),
    ],
)
def test_a_run_that_decides_nothing_says_so_once(changes, why):
    records = records_of(**changes)
    sentence = demonstration_sentence(ledger(records))
    assert why in sentence
    assert said(records, "BoNMF (a)", "BoNMF (b)") == sentence
    assert verdict_table(ledger(records)) is None


def test_a_check_that_is_judged_is_said_although_no_claim_is():
    models = "minilm-l6", "minilm-l3", "wordllama", "tfidf"
    alike = table(**{f"BoNMF, {name}": 0.70 + NOISE for name in models})
    records = alike.assign(protocol="early stopped, batch 16384")
    assert demonstration_sentence(ledger(records))
    assert said(records, "BoNMF (f)", "BoNMF (f), packaged").splitlines() == [
        "BoNMF (f), packaged: holds on ml-1m, content full.",
        "Not run: BoNMF (f).",
    ]


def test_a_run_that_decides_something_lists_the_rest_in_one_line():
    records = records_of()
    assert demonstration_sentence(ledger(records)) == ""
    lines = said(records, "BoNMF (a)", "BoNMF (h)", "BoNMF (i)").splitlines()
    assert lines[0].startswith("BoNMF (a): holds")
    assert lines[1:] == ["Not run: BoNMF (h); BoNMF (i)."]
    assert list(verdict_table(ledger(records), "BoNMF (a)", "BoNMF (h)").index) == ["BoNMF (a)"]


@pytest.mark.parametrize(
    ("dataset", "content", "decides"),
    [
        ("ml-1m", "full", True),
        ("ml-100k", "full", True),
        ("ml-100k", "packaged", False),
        ("planted", "full", False),
    ],
)
def test_data_that_decide_no_claim_are_a_demonstration(dataset, content, decides):
    sentence = data_sentence(dataset, content)
    assert f"({dataset}, {content} content)" in sentence
    assert ("a demonstration" in sentence) is not decides


def test_how_our_own_model_was_chosen_stands_beside_its_win():
    tuned = table(**{"BoNMF+": 0.6 + NOISE, "FM": 0.8 - NOISE}).assign(protocol="tuned")
    assert best_model_sentences(tuned, "mse", ["tuned"]).endswith(f"{OWN_MODEL}.")
    others = tuned.replace({"variant": {"BoNMF+": "SVD++"}})
    assert OWN_MODEL not in best_model_sentences(others, "mse", ["tuned"])


@pytest.mark.parametrize(
    ("qualifier", "low", "high", "unsure"),
    [
        ("not told from zero", 0.5, 2.0, True),
        ("not told from zero", -2.0, -0.5, True),
        ("not told from zero", -0.5, 0.5, False),
        ("not told from zero", np.nan, np.nan, False),
        ("reversed", -2.0, -0.5, False),
    ],
)
def test_only_an_interval_that_leaves_out_zero_is_called_uncertain(qualifier, low, high, unsure):
    row = SimpleNamespace(qualifier=qualifier, low=low, high=high)
    assert bool(not_certain(row)) == unsure
