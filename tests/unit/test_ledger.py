"""The ledger: what it counts, says and leaves out, and the command that prints it."""

import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from bonmf_lib.__main__ import main
from bonmf_lib.claims.judge import NOT_RUN, UNTESTABLE
from bonmf_lib.claims.ledger import (
    ledger,
    ledger_text,
    readable,
    second_reading_sentence,
    uncounted_sentence,
    untestable_lines,
    untestable_reasons,
    verdict_counts,
)
from bonmf_lib.claims.reading import OWN_SOURCE, read_claims
from bonmf_lib.claims.sensitivity import changed_verdicts, sensitivity_sentence, verdicts_by_rule
from bonmf_lib.runs.records import COLUMNS, add_records, read_published
from tests.unit.made_records import CLAIMS, NOISE, record, rows_of, table


def test_verdicts_by_rule_name_what_moves():
    printed = table(**{"NMD (ID only)": 0.7965 + NOISE})
    claimed = rows_of("BoNMF (a)", 0.70 + NOISE, 0.7965 + NOISE)
    by_rule = verdicts_by_rule(pd.concat([printed, claimed]))
    assert (by_rule.loc[("BoNMF (a)", "ml-1m", "full")] == "reproduced").all()
    cell = by_rule.loc[("BoNMF Table 1: NMD, MSE", "ml-1m", "full")]
    assert cell[["as judged", "tolerance 1 %", "tolerance 2 %"]].tolist() == [
        "reproduced", "not reproduced", "reproduced",
    ]  # fmt: skip
    moved = changed_verdicts(by_rule)
    assert ("BoNMF (a)", "ml-1m", "full") not in moved.index
    assert moved.loc[("BoNMF Table 1: NMD, MSE", "ml-1m", "full"), "tolerance 3 %"] == ""
    assert (
        f"Of {len(by_rule)} verdicts, {len(by_rule) - len(moved)} are the same"
        in sensitivity_sentence(by_rule)
    )
    assert sensitivity_sentence(verdicts_by_rule(table(X=0.70 + NOISE))) == (
        "Nothing was judged, so that no rule can change a verdict."
    )


def test_claims_file_holds_every_number_of_the_papers():
    claims = {claim.id: claim for claim in read_claims()}
    assert len(claims) == len(read_claims())
    values = [claim for claim in claims.values() if claim.kind == "value"]
    in_table_1 = {
        id_: claim.value for id_, claim in claims.items() if id_.startswith("BoNMF Table 1: ")
    }
    assert len(in_table_1) == 7 * 3
    assert in_table_1["BoNMF Table 1: SVD, MSE"] == 5.011
    assert sum(claim.source == "mmrec" for claim in values) == 4 * (9 + 9 + 8)
    assert claims["MMRec's table, Sports: BM3, R@20"].value == pytest.approx(0.0980)
    words = {id_[7] for id_ in claims if id_.startswith("BoNMF (") and id_[8] == ")"}
    assert words == set("abcdefghijklm")
    numbers = Counter(claim.source for claim in values if claim.source.startswith("ncf"))
    assert numbers == {"ncf": 2 * (8 + 4 * 5), "ncf-independent": 8, "ncf-revisited": 10}


def test_neumfs_claims_are_of_its_test_part_or_checks_on_all_items():
    """Their rows: ``test_neural_cf_rows``."""
    own = [claim for claim in CLAIMS.values() if claim.about == "NeuMF"]
    assert {claim.source for claim in own} == {
        "ncf", "ncf-independent", "ncf-revisited", OWN_SOURCE,
    }  # fmt: skip
    for claim in own:
        printed = (claim.evaluation, claim.split) == ("given negatives", "given")
        assert printed or (claim.source, claim.evaluation) == (OWN_SOURCE, "full ranking")
        assert claim.verified and claim.content == "any"


def test_ledger_of_no_records_is_all_not_run():
    found = ledger(pd.DataFrame(columns=COLUMNS))
    assert set(found["verdict"]) == {"not run"}
    assert verdict_counts(found)["not run"] == sum(
        claim.source != "this-study" and claim.defined for claim in read_claims()
    )
    assert readable(found).empty


def test_readable_ledger_shows_number_and_interval():
    printed = table(BoNMF=0.78 - NOISE)
    claimed = rows_of("BoNMF (a)", 0.78 - NOISE, 0.80 + NOISE)
    shown = readable(ledger(pd.concat([printed, claimed]))).set_index("claim")
    assert shown.loc["BoNMF Table 1: BoNMF, MSE", "ours"].startswith("0.7800 [0.77")
    assert shown.loc["BoNMF (a)", "ours"].startswith("+2.50 % [")


def test_a_claim_that_was_run_somewhere_is_not_listed_as_not_run_elsewhere():
    one = table(**{"NMD (ID only)": 0.8075 + 0.3 * NOISE})
    other = table(unrelated=0.8 + NOISE).assign(dataset="folder:boardgames")
    both, alone = ledger(pd.concat([one, other])), ledger(one)
    assert len(both) == len(alone)
    assert verdict_counts(both).equals(verdict_counts(alone))
    named = both[
        both["claim"].str.startswith("BoNMF Table 1: NMD") & (both["verdict"] != "not run")
    ]
    assert named[["dataset", "verdict"]].to_numpy().tolist() == [["ml-1m", "reproduced"]]


def test_a_claim_that_no_data_decide_is_listed_once_and_not_beside_its_verdict():
    one, two = (
        table(**{"NMD (ID only)": 0.8 + NOISE}).assign(dataset=name)
        for name in ("folder:boardgames", "folder:xwines")
    )
    cell = "BoNMF Table 1: NMD, MSE"
    untestable = ledger(pd.concat([one, two])).set_index("claim")
    assert untestable.loc[[cell], "verdict"].tolist() == ["not testable on this data"]
    own = table(**{"NMD (ID only)": 0.8075 + 0.3 * NOISE})
    decided = ledger(pd.concat([one, own, two])).set_index("claim")
    assert decided.loc[[cell], ["dataset", "verdict"]].to_numpy().tolist() == [
        ["ml-1m", "reproduced"]
    ]
    shown = readable(untestable.reset_index()).set_index("claim").loc[cell]
    assert shown["seeds"] == "" and shown["dataset"] == "boardgames"


def test_what_other_data_may_still_decide_is_not_run():
    """Rows of Amazon Baby, on the parts that come with it, in a study that waits for other data."""
    baby = {"dataset": "amazon-baby", "split": "given()", "evaluation": "full ranking"}
    claims = "BM3 (a), Sports", "BM3 (a), Electronics", "BM3 (j), random", "BM3 (j), user time"
    rows = ["BM3", *CLAIMS["BM3 (a), Sports"].than, *CLAIMS["BM3 (a), Electronics"].than]
    measured = table(**dict.fromkeys(rows, 0.05 + 0.01 * NOISE)).assign(
        **baby, protocol="fixed settings", metric="recall@10"
    )
    alone, waits = (ledger(measured, growing=growing) for growing in (False, True))
    shown = alone.set_index("claim")["verdict"]
    assert [shown[claim] for claim in claims] == [UNTESTABLE] * 3 + ["not run"]
    shown = waits.set_index("claim")
    assert list(shown.loc[list(claims), "verdict"]) == [NOT_RUN, UNTESTABLE, UNTESTABLE, NOT_RUN]
    assert list(shown.loc[list(claims), "dataset"]) == [
        "amazon-sports", "amazon-electronics", "amazon-sports", "amazon-sports"
    ]  # fmt: skip
    assert shown.loc["BM3 (a), Electronics", "note"] == "Amazon Electronics is not at hand."
    assert "DiffMM" in shown.loc["BM3 (j), random", "note"]
    figures = shown[shown.index.str.match("DiffMM's figure, (Sports|TikTok)")]
    assert list(figures["verdict"]) == [NOT_RUN] * 8
    sports = measured.assign(dataset="amazon-sports", metric="recall@20", variant="BM3")
    decided = ledger(pd.concat([measured, sports]), growing=True).set_index("claim")
    assert decided.loc["DiffMM's figure, Sports: BM3, R@20", "verdict"] == "not reproduced"
    assert decided.loc["BM3 (j), random", "verdict"] == UNTESTABLE  # on another split


def test_what_its_own_data_cannot_tell_stays_untestable_while_others_are_awaited():
    nothing = rows_of("BoNMF (a)", 0.7 + NOISE, np.zeros(5))
    waits = ledger(nothing, growing=True).set_index("claim")
    assert waits.loc["BoNMF (a)", "verdict"] == UNTESTABLE  # percent of zero


def test_nothing_published_is_untestable_without_a_reason():
    published = ledger(read_published(), growing=True)
    untestable = published[published["verdict"] == UNTESTABLE]
    assert len(untestable) > 104
    assert list(untestable_reasons(published).index) == list(untestable.index)
    told = untestable_lines(published)
    assert sum("MMRec's table, Baby (36); MMRec's table, Sports (36)" in line for line in told) == 1
    assert all(line in ledger_text(published) for line in told)


def test_checks_on_the_second_readings_protocol_are_compared_with_its_claims():
    sevenths = table(
        **{"BoNMF": 0.80 + NOISE, "FM": 0.70 - NOISE, "BoNMF, 3 layers": 0.75 - NOISE}
    ).assign(metric="rmse")
    deeper = sevenths.assign(metric="mse")
    own = {
        "BoNMF, 80/20, embedding 32": 0.70 + NOISE,
        "FM, 80/20": 0.75 - NOISE,
        "BoNMF, 80/20, 3 layers": 0.65 - NOISE,
    }
    own = table(**own).assign(split="ratio(test=0.2, valid=0)", test_share=0.2)
    records = pd.concat([sevenths, deeper, own.assign(metric="rmse"), own])
    assert second_reading_sentence(ledger(records)) == (
        "ml-1m, content full: of 2 checks, another verdict has BoNMF (h), 7:3: "
        "not reproduced instead of reproduced."
    )
    assert "has not been judged" in second_reading_sentence(ledger(pd.concat([sevenths, deeper])))
    assert "has not been judged" in second_reading_sentence(
        ledger(records.assign(content="packaged"))
    )


def test_numbers_that_a_paper_does_not_define_are_judged_but_not_counted():
    judged = ledger(table(BoNMF=0.6911 + NOISE / 100).assign(metric="ndcg@10"))
    row = judged.set_index("claim").loc["BoNMF Table 1: BoNMF, NDCG"]
    assert row["verdict"] == "reproduced"
    assert verdict_counts(judged)["reproduced"] == 0
    assert uncounted_sentence(judged).startswith("Not counted: 14 numbers")


def test_ledger_on_the_command_line(tmp_path, capsys):
    add_records(tmp_path, [record("BoNMF", seed=seed, value=0.78) for seed in [0]])
    add_records(tmp_path, [record("BoNMF", seed=1, value=0.781)])
    add_records(tmp_path, [record("BoNMF", seed=2, value=0.779)])
    assert main(["ledger", "--records", str(tmp_path)]) == 0
    assert "BoNMF Table 1: BoNMF, MSE" in capsys.readouterr().out
    assert main(["ledger", "--records", str(tmp_path), "--format", "json"]) == 0
    rows = {row["claim"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["BoNMF Table 1: BoNMF, MSE"]["verdict"] == "not reproduced"
    assert rows["BoNMF Table 1: BoNMF, MSE"]["ours"] == pytest.approx(0.78)
    assert main(["ledger", "--records", str(tmp_path / "absent")]) == 2
    assert "no run folder" in capsys.readouterr().err


def test_ledger_reads_the_published_records_from_a_shell():
    done = subprocess.run(
        [sys.executable, "-m", "bonmf_lib", "ledger", "--format", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert {row["claim"] for row in json.loads(done.stdout)} >= {
        claim.id for claim in read_claims()
    }


def test_the_readable_ledger_can_leave_out_what_no_data_here_can_test():
    table = ledger(read_published(), growing=True)
    run, decided = readable(table), readable(table, untestable=False)
    assert 0 < len(decided) < len(run) < len(readable(table, everything=True))
    assert set(run["verdict"]) - set(decided["verdict"]) == {UNTESTABLE}
