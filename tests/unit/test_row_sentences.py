"""Tables of rows and the sentences beside them say the same as their verdicts."""

import re

import pandas as pd
import pytest

from bonmf_lib.claims.judge import UNTESTABLE, VERDICTS, Judgement, qualifier
from bonmf_lib.claims.ledger import ledger, qualified
from bonmf_lib.errors import RecordError
from bonmf_lib.evaluation import Estimate
from bonmf_lib.evaluation.shapley import shapley_table
from bonmf_lib.report import row_sentences, tables
from tests.unit.made_records import CLAIMS, NOISE, rows_of, table


def test_sentences_follow_verdicts_and_intervals():
    records = table(A=0.70 + NOISE, B=0.75 - NOISE)
    pair = (("A", "as published"), ("B", "as published"))
    assert "is better than" in row_sentences.difference_sentence(records, "mse", *pair)
    assert "is worse than" in row_sentences.difference_sentence(records, "mse", *pair[::-1])
    close = table(A=0.70 + NOISE, B=0.70 - NOISE)
    assert "no clear difference" in row_sentences.difference_sentence(close, "mse", *pair)
    for ours, theirs, said in (
        (0.80 + NOISE, 0.70 - NOISE, "the opposite holds"),
        (0.7501 + NOISE, 0.75 - NOISE, "no difference is told from zero"),
    ):
        judged = ledger(pd.concat([table(BoNMF=ours), rows_of("BoNMF (a)", ours, theirs)]))
        assert (
            tables.interpret(judged, "BoNMF (a)")
            == f"BoNMF (a): not reproduced on ml-1m, content full; {said}."
        )
    cell = "BoNMF Table 1: BoNMF, MSE"
    assert tables.interpret(judged, cell).endswith("; ours, 0.7501, is higher.")
    assert tables.interpret(judged, "BoNMF (a)", cell).splitlines() == [
        tables.interpret(judged, claim) for claim in ("BoNMF (a)", cell)
    ]
    for verdict in VERDICTS:
        assert tables.interpret(judged.assign(verdict=verdict), cell).startswith(f"{cell}: ")
    judged = judged.assign(verdict="not testable on this data")
    assert tables.interpret(judged, cell).endswith(
        "it needs other data, or real plots and posters."
    )
    elsewhere = tables.interpret(judged.assign(dataset="folder:xwines"), cell)
    assert elsewhere.endswith("cannot be judged on folder:xwines, content full; it is about ml-1m.")
    away = judged.iloc[:1].assign(claim="BM3 (r)", verdict=UNTESTABLE)
    assert tables.interpret(away, "BM3 (r)") == (
        "BM3 (r): cannot be judged. Amazon Electronics is not at hand."
    )


def test_lowest_row_is_named_with_those_it_is_not_told_apart_from():
    tuned = table(A=0.70 + NOISE, B=0.75 - NOISE, C=0.70 - NOISE).assign(protocol="tuned")
    records = pd.concat([table(B=0.69 + NOISE), tuned])
    sentence = row_sentences.lowest_sentence(records, "mse")
    assert sentence.startswith("Lowest MSE: B (as published) 0.690; A (tuned) 0.700.")
    assert sentence.endswith("not clearly different from, or worse than: C (tuned).")


def test_means_of_several_networks_are_named_but_not_compared():
    tuned = table(**{"A": 0.70 + NOISE, "B": 0.75 - NOISE, "A, 5 members": 0.65 - NOISE}).assign(
        protocol="tuned"
    )
    assert row_sentences.lowest_sentence(tuned, "mse") == (
        "Lowest MSE: A (tuned) 0.700. A (tuned) is better than each of the other 1 rows in MSE "
        "(Holm-adjusted p < 0.05). A, 5 members (tuned), a mean of several networks, "
        "which no other row is: 0.650."
    )


def test_what_an_input_adds_to_the_others():
    """Alone both inputs help; on top of A, B adds nothing: a share of the gain is not a reason to
    add it."""
    both, a, b = frozenset("AB"), frozenset("A"), frozenset("B")
    per_seed = [{frozenset(): 1.2, a: 0.8 + n, b: 0.9 - n, both: 0.8} for n in NOISE]
    sentence = tables.last_step_sentence(per_seed, "mse", 0.3)
    assert sentence == "MSE, added to the other inputs: A: improves; B: is not told from zero."
    worse = [values | {both: 0.85} for values in per_seed]
    assert "B: worsens" in tables.last_step_sentence(worse, "mse", 0.3)
    assert "B: improves" in tables.last_step_sentence(worse, "ndcg@10", 0.3)


def test_our_model_is_compared_with_every_row_of_the_tables():
    rows = table(A=0.70 + NOISE, B=0.75 - NOISE).assign(experiment="04_table1")
    assert row_sentences.own_model_sentence(rows) == "Our own model was not run on this data."
    own = table(**{"BoNMF+": 0.65 - NOISE}).assign(
        experiment="05_bonmf_plus", protocol="early stopped"
    )
    sentence = row_sentences.own_model_sentence(pd.concat([rows, own]))
    assert "BoNMF+ (early stopped) 0.650" in sentence
    assert (
        "BoNMF+ (early stopped), MSE: better than 2 of 2 other rows of all protocols, worse than 0"
        in sentence
    )
    searched = table(**{"BoNMF+": 0.64 + NOISE, "BoNMF+, 3 members": 0.63 - NOISE})
    searched = searched.assign(experiment="04_tuned", protocol="tuned")
    sentence = row_sentences.own_model_sentence(pd.concat([rows, own, searched]))
    assert re.search(
        r": BoNMF\+ \(tuned\) 0.640 .*members \(tuned\) 0.630 .*early stopped\) 0.650", sentence
    )
    assert (
        "BoNMF+ (tuned), MSE: better than 2 of 2 other rows of all protocols, worse than 0"
        in sentence
    )
    rare = pd.concat([rows, searched]).assign(metric="mse-cold-items")
    rare.loc[rare["variant"] == "A", "value"] -= 0.1
    sentence = row_sentences.own_model_sentence(pd.concat([rows, searched, rare]))
    assert (
        "5 training ratings: better than 1 of 2 other rows of all protocols, worse than 1 (A"
        in sentence
    )
    bare = table(**{"BoNMF+, no content": 0.65 + NOISE}).assign(
        experiment="05_bonmf_plus", protocol="early stopped"
    )
    sentence = row_sentences.own_model_sentence(pd.concat([rows, own, bare]))
    assert sentence.endswith(
        "BoNMF+ (early stopped) and BoNMF+, no content (early stopped): the unadjusted interval "
        "of the difference in MSE includes zero: no clear difference."
    )


def test_verdicts_say_what_their_interval_says():
    for ours, theirs, said in (
        (0.80 + NOISE, 0.70 - NOISE, "not reproduced: reversed"),
        (0.7501 + NOISE, 0.75 - NOISE, "not reproduced: not told from zero"),
        (0.7499 + NOISE, 0.75 - NOISE, "direction only: not told from zero"),
        (0.70 + NOISE, 0.80 - NOISE, "reproduced"),
    ):
        judged = ledger(rows_of("BoNMF (a)", ours, theirs))
        rows = {row.claim: row for row in judged.itertuples()}
        assert qualified(rows["BoNMF (a)"]) == said
    less = ledger(rows_of("BoNMF (a)", 0.78 + NOISE, 0.80 - NOISE)).itertuples()
    assert (
        qualified({row.claim: row for row in less}["BoNMF (a), size"])
        == "direction only: another size"
    )


@pytest.mark.parametrize("p", [0.001, 0.3])
def test_a_table_and_its_sentence_say_the_same(p):
    """Both go by the ledger's qualifier, whatever the interval."""
    judged = ledger(rows_of("BoNMF (a)", 0.80 + NOISE, 0.70 - NOISE))
    row = next(row for row in judged.itertuples() if row.claim == "BoNMF (a)")
    judgement = Judgement(
        CLAIMS["BoNMF (a)"], "ml-1m", "full", Estimate(-1, -2, -0.1, 5), row.verdict, p_holm=p
    )
    changed = judged.assign(qualifier=qualifier(judgement))
    row = next(row for row in changed.itertuples() if row.claim == "BoNMF (a)")
    words = {
        "not reproduced: reversed": "the opposite holds",
        "not reproduced: not told from zero": "not certain among many tests",
    }
    assert words[qualified(row)] in tables.interpret(changed, "BoNMF (a)")


def test_shapley_values_are_told_from_zero_by_adjusted_tests():
    """Both inputs' own intervals exclude zero; B's is not told from zero beside A."""
    both, a, b = frozenset("AB"), frozenset("A"), frozenset("B")
    noise = 15 * NOISE
    per_seed = [{frozenset(): 1.2, a: 0.8, b: 1.155 - n, both: 0.755 - n} for n in noise]
    shares = shapley_table(per_seed, 0.3)
    assert (shares.loc[["A", "B"], "high"] < 0).all()
    assert shares.loc["B", "p_value"] < 0.05
    assert tables.shapley_sentence(shares.assign(p_holm=shares["p_value"]), "mse").endswith(
        "A, B: improves."
    )
    unsure = shares.assign(p_holm=[0.001, 0.06, 1.0])
    assert tables.shapley_sentence(unsure, "mse").endswith("A: improves; B: is not told from zero.")
    assert tables.shapley_sentence(unsure, "ndcg@10").endswith(
        "A: worsens; B: is not told from zero."
    )


def test_tables_name_protocol_and_half_width():
    found = tables.metric_table(table(A=0.70 + NOISE), {"mse": "MSE"})
    assert found.index.tolist() == ["A (as published)"]
    assert found.loc["A (as published)", "MSE"].startswith("0.700 ± 0.00")


def test_means_over_several_data_sets_are_refused():
    both = pd.concat([table(A=0.70 + NOISE), table(A=0.80 + NOISE).assign(dataset="ml-100k")])
    with pytest.raises(RecordError, match="one data set"):
        tables.metric_table(both, {"mse": "MSE"})
