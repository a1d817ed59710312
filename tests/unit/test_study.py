"""Records, claims, verdicts, ledger and the command line."""

import dataclasses
import json
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from bonmf_lib.__main__ import main
from bonmf_lib.claims.judge import (
    NOT_RUN,
    UNTESTABLE,
    VERDICTS,
    Judgement,
    Rules,
    judge,
    qualifier,
)
from bonmf_lib.claims.ledger import (
    ledger,
    ledger_text,
    qualified,
    readable,
    second_reading_sentence,
    uncounted_sentence,
    untestable_lines,
    untestable_reasons,
    verdict_counts,
)
from bonmf_lib.claims.reading import (
    OWN_SOURCE,
    BetterClaim,
    EquivalentClaim,
    ValueClaim,
    read_claims,
)
from bonmf_lib.claims.sensitivity import changed_verdicts, sensitivity_sentence, verdicts_by_rule
from bonmf_lib.errors import ConfigError, DamagedError, RecordError
from bonmf_lib.evaluation import Estimate, holm, mean_interval
from bonmf_lib.evaluation.shapley import shapley_table
from bonmf_lib.integrity import read_json, read_sealed_text, sealed_text
from bonmf_lib.report import row_sentences, tables
from bonmf_lib.runs import publication, records as records_module
from bonmf_lib.runs.manifest import save_manifest, write_manifest
from bonmf_lib.runs.records import (
    COLUMNS,
    Record,
    add_records,
    file_note,
    gathered,
    is_recorded,
    keep_table,
    kept_table,
    mark_current,
    published_table,
    read_published,
    read_records,
    table_path,
)
from bonmf_lib.runs.run import NotebookParameters, Run, start_run

COMMON = {"id": "c", "source": "bonmf", "statement": "s", "paper": "p", "datasets": ("ml-1m",)}
VALUE = ValueClaim(**COMMON, kind="value", variant="A", metric="mse", value=0.70, tolerance=0.02)
CLAIMS = {claim.id: claim for claim in read_claims()}
BETTER = BetterClaim(**COMMON, kind="better", variant="A", than=("B",), metric="mse")


def record(variant="A", seed=0, value=0.7, **changes) -> Record:
    values = {
        "experiment": "e", "variant": variant, "protocol": "as published", "model": "bonmf",
        "dataset": "ml-1m", "fingerprint": "f", "content": "full",
        "split": "ratio(test=0.3, valid=0)", "test_share": 0.3,
        "evaluation": "rated items", "config": f"config-{variant}",
        "seed": seed, "metric": "mse", "value": value, "seconds": 1.0, "device": "cpu", "code": "x",
    }  # fmt: skip
    return Record(**values | changes)


def table(**variants) -> pd.DataFrame:
    """Records of variants given as lists of one value per seed."""
    rows = [
        record(name, seed, value)
        for name, values in variants.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame([dataclasses.asdict(row) for row in rows])


def rows_of(claim_id: str, ours, theirs) -> pd.DataFrame:
    """Records of a claim's row and of its only competitor, under its protocol."""
    claim = CLAIMS[claim_id]
    (other,) = claim.than
    return table(**{claim.variant: ours, other: theirs}).assign(protocol=claim.protocol)


def verdict(claim, records) -> str:
    (judgement,) = judge((claim,), records)
    return judgement.verdict


NOISE = np.array([0.001, -0.001, 0.0005, -0.0005, 0.0])


def test_a_difference_in_percent_of_zero_is_not_testable():
    lists_nothing = table(A=0.1 + NOISE, B=np.zeros(5))
    assert verdict(BETTER, lists_nothing) == "not testable on this data"
    by_mean = BETTER.model_copy(update={"relative_to": "mean"})
    assert verdict(by_mean, lists_nothing) == "not testable on this data"
    one_hit = table(A=0.1 + NOISE, B=np.array([0.0, 0.0, 0.2, 0.2, 0.2]))
    assert verdict(BETTER, one_hit) == "not testable on this data"  # of two seeds' zeros
    assert verdict(by_mean, one_hit) != "not testable on this data"
    assert verdict(BETTER, table(A=np.zeros(5), B=0.1 + NOISE)) == "reproduced"  # less is better


def test_gains_over_controls_are_compared_where_a_claim_says_so():
    """A is worse than B, and gains 20 % over its control where B gains 5 %."""
    terms = {"than": ("B",), "gains_over": {"A": "A, noise", "B": "B, noise"}}
    claim = BETTER.model_copy(update=terms)
    values = {"A": 0.8, "A, noise": 1.0, "B": 0.57, "B, noise": 0.6}
    of_all = {name: value * (1 + 0.1 * NOISE) for name, value in values.items()}
    of_all["A"] = 0.8 + NOISE
    (found,) = judge((claim,), table(**of_all))
    assert found.ours.mean == pytest.approx(15, abs=0.1) and found.verdict == "reproduced"
    turned = claim.model_copy(update={"variant": "B", "than": ("A",)})
    (found,) = judge((turned,), table(**of_all))
    assert (found.verdict, qualifier(found)) == ("not reproduced", "reversed")
    del of_all["B, noise"]
    assert verdict(claim, table(**of_all)) == "not run"
    with pytest.raises(ValidationError, match="a control of the variant and of all others"):
        BetterClaim(**BETTER.model_dump() | {"gains_over": {"A": "A, noise"}})


def test_an_equivalence_is_around_one_of_its_variants():
    terms = COMMON | {"kind": "equivalent", "variants": ("A", "B"), "metric": "mse", "margin": 1.0}
    assert EquivalentClaim(**terms, around="B").around == "B"
    with pytest.raises(ValidationError, match="one of the variants"):
        EquivalentClaim(**terms, around="C")
    with pytest.raises(ValidationError, match="may_be_better needs around"):
        EquivalentClaim(**terms, may_be_better=True)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (0.70 + NOISE, "reproduced"),
        (0.706 + NOISE, "reproduced"),  # within 2 %
        (0.714 + NOISE, "inconclusive"),  # across the edge
        (0.70 + 20 * NOISE, "inconclusive"),  # noise is no evidence
        (0.78 + NOISE, "not reproduced"),
        (0.62 + NOISE, "not reproduced"),  # better than claimed is not the claim
        ([0.70], "inconclusive"),
    ],
)
def test_value_verdicts(values, expected):
    assert verdict(VALUE, table(A=values)) == expected


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (0.70 + NOISE, 0.75 - NOISE, "reproduced"),
        (0.75 + NOISE, 0.70 - NOISE, "not reproduced"),
        (0.7490 + 10 * NOISE, 0.75 - 10 * NOISE, "direction only"),
    ],
)
def test_better_verdicts_for_an_error(ours, theirs, expected):
    assert verdict(BETTER, table(A=ours, B=theirs)) == expected


def test_better_means_higher_for_a_ranking_metric():
    claim = BETTER.model_copy(update={"metric": "ndcg@10"})
    records = table(A=0.8 + NOISE, B=0.7 - NOISE).assign(metric="ndcg@10")
    assert verdict(claim, records) == "reproduced"


def test_better_must_beat_every_competitor():
    claim = BETTER.model_copy(update={"than": ("B", "C")})
    assert verdict(claim, table(A=0.70 + NOISE, B=0.75 - NOISE, C=0.69 + NOISE)) == "not reproduced"


def test_an_unproven_win_over_one_competitor_is_not_hidden_by_a_clear_one_over_another():
    """D is farther below A on average than B, but with so much noise that nothing is proven."""
    claim = BETTER.model_copy(update={"than": ("B", "D")})
    ours = 0.70 + NOISE
    assert verdict(claim, table(A=ours, B=0.71 - NOISE, D=0.73 + 100 * NOISE)) == "direction only"


def test_claimed_size_decides_between_reproduced_and_direction_only():
    sized = BETTER.model_copy(update={"percent": (5.0, 10.0)})
    assert verdict(sized, table(A=0.70 + NOISE, B=0.75 - NOISE)) == "reproduced"  # 6.7 %
    assert verdict(sized, table(A=0.70 + NOISE, B=0.71 - NOISE)) == "direction only"  # 1.4 %


@pytest.mark.parametrize(
    ("other", "expected"),
    [(0.7001, "reproduced"), (0.72, "not reproduced")],
)
def test_equivalence_verdicts(other, expected):
    claim = EquivalentClaim(
        **COMMON, kind="equivalent", variants=("A", "B"), metric="mse", margin=0.5
    )
    assert verdict(claim, table(A=0.70 + NOISE, B=other + NOISE)) == expected


@pytest.mark.parametrize(
    ("other", "expected"),
    [(0.60, "reproduced"), (0.7001, "reproduced"), (0.72, "not reproduced")],
)
def test_what_may_be_better_by_any_amount_is_at_most_the_margin_behind(other, expected):
    claim = EquivalentClaim(
        **COMMON, kind="equivalent", variants=("A", "B"), around="A", may_be_better=True,
        metric="mse", margin=0.5,
    )  # fmt: skip
    assert verdict(claim, table(A=0.70 + NOISE, B=other + NOISE)) == expected
    far = table(A=0.70 + 10 * NOISE, B=other - 10 * NOISE)
    assert (verdict(claim, far) == "reproduced") == (other == 0.60)  # mse: less is better
    both_ways = claim.model_copy(update={"may_be_better": False})
    assert verdict(both_ways, table(A=0.70 + NOISE, B=0.60 + NOISE)) == "not reproduced"


def test_noisy_equivalence_is_not_proven():
    claim = EquivalentClaim(
        **COMMON, kind="equivalent", variants=("A", "B"), metric="mse", margin=0.5
    )
    assert verdict(claim, table(A=0.70 + 10 * NOISE, B=0.70 - 10 * NOISE)) == "direction only"


def test_what_was_not_run_and_what_cannot_be_judged():
    records = table(A=0.70 + NOISE)
    assert verdict(BETTER, records) == "not run"
    assert verdict(VALUE, records.assign(dataset="ml-100k")) == "not testable on this data"
    posters = VALUE.model_copy(update={"content": "full"})
    assert verdict(posters, records.assign(content="packaged")) == "not testable on this data"
    assert verdict(posters, records) == "reproduced"
    assert verdict(VALUE, records.assign(protocol="tuned")) == "not run"
    other_split = VALUE.model_copy(update={"split": "leave-one-out"})
    assert verdict(other_split, records) == "not run"
    lost_split = other_split.model_copy(update={"untestable": "That split is not at hand."})
    assert verdict(lost_split, records) == "not testable on this data"
    found = records.assign(split="leave-one-out()")  # at hand after all
    assert verdict(lost_split, found) == verdict(other_split, found) == "reproduced"
    apart = pd.concat(
        [table(A=0.70 + NOISE), table(B=0.75 + NOISE).assign(seed=lambda t: t["seed"] + 10)]
    )
    assert verdict(BETTER, apart) == "not run"  # no seed in common


def test_comparisons_are_adjusted_together():
    """One comparison passes alone; among twenty hopeless ones Holm asks for more."""
    values = {"A": 0.70 + 5 * NOISE, "B": 0.722 - 5 * NOISE}
    assert verdict(BETTER, table(**values)) == "reproduced"
    noise = {f"N{n}": 0.722 + 5 * np.roll(NOISE, n) for n in range(20)}
    others = tuple(BETTER.model_copy(update={"id": f"c {name}", "variant": name}) for name in noise)
    judged = judge((BETTER, *others), table(**values, **noise))
    assert judged[0].verdict == "direction only"
    checks = tuple(claim.model_copy(update={"source": OWN_SOURCE}) for claim in others)
    another = tuple(claim.model_copy(update={"id": f"other {claim.variant}"}) for claim in others)
    for apart in (checks, another):  # families of their own
        assert judge((BETTER, *apart), table(**values, **noise))[0].verdict == "reproduced"


def test_rows_stand_beside_their_controls():
    values = {
        "A": 0.70 + NOISE,
        "A, shuffled": 0.77 - NOISE,
        "A, noise": 0.70 + 0 * NOISE,
        "B": 0.75 + NOISE,
    }
    beside = tables.beside_controls(table(**values), "mse", ("shuffled", "noise"))
    assert beside.index.tolist() == ["A (as published)"]
    row = beside.iloc[0]
    assert row["real"].startswith("0.7000 ± 0.0") and row["noise"] == "0.7000 ± 0.0000"
    found = mean_interval(100 * (1 - values["A"] / values["A, shuffled"]), 0.3)
    assert (
        row["better than shuffled, %"] == f"{found.mean:+.1f} [{found.low:+.1f}, {found.high:+.1f}]"
    )
    assert found.mean == pytest.approx(9.1, abs=0.05)
    seeds = [0.70, 0.71, 0.72, 0.69]
    uneven = tables.beside_controls(
        table(A=seeds, **{"A, noise": seeds[:1]}), "mse", ("noise",)
    ).iloc[0]
    assert (uneven["real"], uneven["noise"]) == ("0.7000", "0.7000")  # the seeds that both have
    fewer = tables.beside_controls(
        table(A=[0.70], **{"A, shuffled": [0.77]}), "mse", ("shuffled", "noise")
    )
    assert fewer.iloc[0].to_dict() == {
        "real": "0.7000",
        "shuffled": "0.7700",
        "better than shuffled, %": "+9.1",
    }


def test_a_difference_and_its_size_are_one_test():
    """Holm's factor is the number of tests: two claims of one difference leave the p-values as one
    does."""
    records = table(A=0.70 + 5 * NOISE, B=0.722 - 5 * NOISE, C=0.73 + 4 * NOISE)
    other = BETTER.model_copy(update={"id": "c other", "than": ("C",)})
    sized = BETTER.model_copy(update={"id": "c sized", "percent": (14.0, 15.0)})
    expected = [judgement.p_holm for judgement in judge((BETTER, other), records)]
    whole, size, last = judge((BETTER, sized, other), records)
    assert [whole.p_holm, last.p_holm] == expected and size.p_holm == whole.p_holm
    assert last.p_holm == pytest.approx(2 * last.ours.p_value)  # the lowest of two, not of three
    assert (whole.verdict, size.verdict) == ("reproduced", "direction only")


def test_a_claim_and_its_reverse_are_one_test():
    records = table(A=0.70 + 5 * NOISE, B=0.722 - 5 * NOISE)
    reverse = BETTER.model_copy(update={"id": "c reverse", "variant": "B", "than": ("A",)})
    found = judge((BETTER, reverse), records)
    assert [one.p_holm for one in found] == pytest.approx([found[0].ours.p_value] * 2)
    assert [one.verdict for one in found] == ["reproduced", "not reproduced"]


def test_rules_that_are_choices_can_be_varied():
    records = table(A=0.714 + NOISE, B=0.73 - NOISE, C=0.70 + NOISE)
    assert judge((VALUE,), records, Rules(tolerance=0.01))[0].verdict == "not reproduced"
    assert judge((VALUE,), records, Rules(tolerance=0.03))[0].verdict == "reproduced"
    claim = BETTER.model_copy(update={"than": ("B", "C")})
    assert judge((claim,), records)[0].verdict == "not reproduced"
    easiest = judge((claim,), records, Rules(competitor="easiest"))[0]
    assert (easiest.verdict, easiest.against) == ("reproduced", "B")
    check = BETTER.model_copy(update={"id": "c check", "source": OWN_SOURCE, "than": ("C",)})
    for families, together in {"apart": False, "together": True, "unadjusted": False}.items():
        found = judge((BETTER, check), records, Rules(families=families))
        alone = [judgement.ours.p_value for judgement in found]
        expected = holm(alone) if together else alone
        assert [judgement.p_holm for judgement in found] == pytest.approx(expected), families


def test_what_is_asked_of_all_data_is_adjusted_over_all_of_them():
    one = table(A=0.70 + 5 * NOISE, B=0.722 - 5 * NOISE)
    data = "ml-1m", "ml-100k", "xwines"
    records = pd.concat([one.assign(dataset=name) for name in data])
    for claim_id, factor in {"c one": 1, "Domains (c)": 3}.items():
        found = judge((BETTER.model_copy(update={"id": claim_id, "datasets": data}),), records)
        assert [one.p_holm for one in found] == pytest.approx(
            [factor * one.ours.p_value for one in found]
        )


def test_what_is_asked_of_all_data_by_another_metric_moves_no_verdict():
    one = table(A=0.70 + 5 * NOISE, B=0.722 - 5 * NOISE)
    records = pd.concat([one, one.assign(metric="mse-cold-items")])
    asked = BETTER.model_copy(update={"id": "Domains (c)"})
    again = asked.model_copy(update={"id": "Domains (c), few", "metric": "mse-cold-items"})
    for judgement in judge((asked, again), records):
        assert judgement.p_holm == pytest.approx(judgement.ours.p_value)


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


def test_closed_form_rows_answer_where_the_asked_protocol_has_none():
    solved = table(B=0.75 - NOISE).assign(protocol="closed form")
    assert verdict(BETTER, pd.concat([table(A=0.70 + NOISE), solved])) == "reproduced"
    tuned = table(A=0.70 + NOISE, B=0.65 + NOISE).assign(protocol="tuned")
    asked = BETTER.model_copy(update={"protocol": "tuned"})
    assert verdict(asked, pd.concat([solved, tuned])) == "not reproduced"


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


@pytest.mark.case(
    "numbers",
    (
        "a difference whose own interval excludes zero, "
        "but not its test adjusted with the other comparisons"
    ),
    (
        "not told from zero, in table and sentence alike; "
        "reversed needs the test that reproduced needs"
    ),
)
def test_reversed_needs_the_same_adjusted_test_as_reproduced():
    """Two checks of tuned rows share a family; each is worse by its own interval, not by the
    adjusted p."""
    fixed = rows_of("BoNMF (d)", 0.72 + NOISE, 0.70 - NOISE)
    tuned = {
        "BoNMF": 0.72 + 5 * NOISE,
        "BoNMF, no picture": 0.70 - 5 * NOISE,
        "NMD (ID only)": 0.70 - 5 * NOISE,
    }
    judged = ledger(pd.concat([fixed, table(**tuned).assign(protocol="tuned")]))
    rows = {row.claim: row for row in judged.itertuples()}
    surely, perhaps = rows["BoNMF (d)"], rows["BoNMF (d), tuned"]
    assert surely.high < 0
    assert surely.p_holm < 0.05
    assert qualified(surely) == "not reproduced: reversed"
    assert tables.interpret(judged, "BoNMF (d)").endswith("; the opposite holds.")
    assert perhaps.high < 0
    assert perhaps.p_holm > 0.05
    assert qualified(perhaps) == "not reproduced: not told from zero"
    assert tables.interpret(judged, "BoNMF (d), tuned").endswith(
        "; no difference is told from zero."
    )


def test_another_size_needs_it_too():
    """Four competitors' claims share a family: one that is better by its own interval alone has no
    size yet."""
    claims = tuple(
        BETTER.model_copy(update={"id": f"c {name}", "than": (name,), "percent": (50, 60)})
        for name in "BCDE"
    )
    noisy = dict.fromkeys("BCDE", 0.72 - 8 * NOISE)
    judgements = judge(claims, table(A=0.70 + NOISE, **noisy))
    assert {j.verdict for j in judgements} == {"direction only"}
    assert all(j.ours.low > 0 and j.p_holm > 0.05 for j in judgements)
    assert {qualifier(j) for j in judgements} == {"not told from zero"}
    (alone,) = judge(claims[:1], table(A=0.70 + NOISE, **noisy))
    assert qualifier(alone) == "another size"


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
        "not reproduced: not told from zero": "no difference",
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


def test_rows_on_other_data_are_not_testable_whatever_their_protocol():
    shortened = table(A=0.70 + NOISE).assign(protocol="5 epochs of batch 8192", dataset="ml-100k")
    assert verdict(VALUE, shortened) == "not testable on this data"
    assert verdict(VALUE, shortened.assign(dataset="ml-1m")) == "not run"


def test_rows_of_the_same_name_on_cold_items_decide_nothing():
    measured = table(A=0.70 + NOISE)
    cold = table(A=0.90 + NOISE).assign(
        protocol="cold items, early stopped", split="cold-items(test=0.2, valid=0.1)"
    )
    claim = VALUE.model_copy(update={"split": "ratio"})
    assert (
        verdict(claim, pd.concat([measured, cold.assign(test_share=0.2)]))
        == verdict(claim, measured)
        == "reproduced"
    )


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


def test_kept_tables_are_published_with_the_records(tmp_path, monkeypatch):
    for module in (records_module, publication):
        monkeypatch.setattr(module, "published_dir", lambda: tmp_path / "published")
    kept = pd.DataFrame({"variant": ["A"], "value": [0.123456789]})
    add_records(tmp_path / "run", [record()])
    keep_table(tmp_path / "run", "trials", kept)
    publication.publish(tmp_path / "run", "paper")
    assert published_table("paper", "trials").equals(kept.round(6))
    assert (
        tmp_path / "published/paper/tables/trials.csv"
    ).read_text() == "variant,value\nA,0.123457\n"
    with pytest.raises(RecordError, match="no table 'svd'"):
        published_table("paper", "svd")


@pytest.mark.case(
    "numbers",
    "a settings hash such as 46e3316082731737, 1e5 or 007 among records",
    "it stays a text",
)
def test_hashes_and_names_that_look_like_numbers_stay_texts(tmp_path):
    hashes = ["46e3316082731737", "0000000000000001", "1234567890123456", "nan", "NA", "inf", "1e5"]
    for seed, name in enumerate(hashes):
        add_records(tmp_path, [record(name, seed, config=name, fingerprint=name, code=name)])
    for folder in (tmp_path, tmp_path / "kept"):
        records = read_records(folder)
        for column in ("variant", "config", "fingerprint", "code"):
            assert sorted(records[column]) == sorted(hashes)
        if folder == tmp_path:  # gathered as a published run has them
            write_manifest(tmp_path)
            folder = tmp_path / "kept"
            folder.mkdir()
            for name in ("records.csv", "manifest.json"):
                (folder / name).write_bytes((tmp_path / name).read_bytes())
    keep_table(tmp_path, "t", pd.DataFrame({"title": hashes, "value": range(len(hashes))}))
    assert kept_table(tmp_path, "t")["title"].tolist() == hashes


@pytest.mark.case(
    "hostile",
    "texts that a spreadsheet would run (=, +, -, @)",
    "exported as text, read back as they were",
)
def test_formulas_are_exported_as_text(tmp_path):
    titles = ["=1+1", "+1", "-1", "@a", "\tx", "'=quoted", "'Til There Was You", "plain", "−1"]
    keep_table(tmp_path, "t", pd.DataFrame({"title": titles, "-value": [-1.5] * len(titles)}))
    text = table_path(tmp_path, "t").read_text()
    assert "\n'=1+1,-1.5\n" in text and "\n''=quoted,-1.5\n" in text and "\n'Til There" in text
    assert "title,'-value" in text
    found = kept_table(tmp_path, "t")
    assert found["title"].tolist() == titles and found["-value"].tolist() == [-1.5] * len(titles)
    add_records(tmp_path, [record("=cmd()", dataset="folder:@x")])
    assert "'=cmd()" in next((tmp_path / "records").rglob("*.csv")).read_text()
    assert read_records(tmp_path)[["variant", "dataset"]].to_numpy().tolist() == [
        ["=cmd()", "folder:@x"]
    ]


@pytest.mark.case(
    "numbers", "a number that is not finite among new records", "refused before anything is saved"
)
@pytest.mark.parametrize("value", [float("inf"), -float("inf"), float("nan")])
def test_records_are_finite(tmp_path, value):
    with pytest.raises(RecordError, match="new records: value"):
        add_records(tmp_path, [record(value=value)])
    assert not list(tmp_path.iterdir())


@pytest.mark.case(
    "numbers", "publishing a run that was stopped half-way", "refused; names the experiment"
)
def test_an_unfinished_run_is_noted_and_not_published(tmp_path, planted, monkeypatch):
    monkeypatch.setattr(publication, "published_dir", lambda: tmp_path / "published")
    add_records(tmp_path / "run", [record()])
    mark_current(tmp_path / "run", "e", planted, ["config-A"], [0, 1])
    write_manifest(tmp_path / "run")
    assert read_json(tmp_path / "run" / "manifest.json")["unfinished_runs"] == {"e": 1}
    with pytest.raises(RecordError, match="lacks 1 trainings that it began, for instance of e;"):
        publication.publish(tmp_path / "run", "paper")


def test_tables_name_protocol_and_half_width():
    found = tables.metric_table(table(A=0.70 + NOISE), {"mse": "MSE"})
    assert found.index.tolist() == ["A (as published)"]
    assert found.loc["A (as published)", "MSE"].startswith("0.700 ± 0.00")


def test_records_are_written_whole_and_read_back(tmp_path):
    add_records(tmp_path, [record(seed=1, value=1 / 3), record(seed=1, metric="rmse", value=0.5)])
    assert is_recorded(tmp_path, "e", "config-A", 1)
    assert not is_recorded(tmp_path, "e", "config-A", 2)
    found = read_records(tmp_path)
    assert found["value"].tolist() == pytest.approx([1 / 3, 0.5])
    assert not list(tmp_path.rglob("*.part"))


def test_records_of_one_experiment_need_no_others(tmp_path):
    add_records(tmp_path, [record(seed=1)])
    add_records(tmp_path, [record(seed=1, experiment="another")])
    assert read_records(tmp_path, "another")["experiment"].tolist() == ["another"]
    (broken,) = (tmp_path / "records" / "e").glob("*.csv")
    broken.write_text("changed")
    assert len(read_records(tmp_path, "another")) == 1
    with pytest.raises(DamagedError):
        read_records(tmp_path)


def test_fresh_runs_everything_again(tmp_path, monkeypatch):
    add_records(tmp_path, [record()])
    monkeypatch.setenv("BONMF_FRESH", "1")
    assert not is_recorded(tmp_path, "e", "config-A", 0)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("0.7,", "much,"),
        lambda text: text + text.splitlines()[1] + "\n",  # the same number twice
        lambda text: text.replace("seed", "sed"),
        lambda text: "",
    ],
)
def test_malformed_records_are_refused_by_name(tmp_path, change):
    add_records(tmp_path, [record()])
    (file,) = tmp_path.rglob("*.csv")
    file.write_text(sealed_text(change(read_sealed_text(file))))
    with pytest.raises(RecordError, match=r"config-A-0\.csv|malformed_records"):
        read_records(tmp_path)


@pytest.mark.case(
    "numbers",
    "records of earlier settings in the same run folder",
    "kept, but never pooled into a row",
)
def test_records_of_earlier_settings_are_not_pooled(tmp_path, planted):
    for config in ("old", "new"):
        add_records(tmp_path, [record(config=config)])
    with pytest.raises(RecordError, match="unique"):
        read_records(tmp_path)
    mark_current(tmp_path, "e", planted, ["new"], [0])
    assert read_records(tmp_path)["config"].tolist() == ["new"]
    # what is current elsewhere is not so here
    mark_current(tmp_path, "other", planted, ["old"], [0])
    assert read_records(tmp_path)["config"].tolist() == ["new"]


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


def test_the_deciding_competitor_is_named_where_there_are_several():
    rows = table(
        **{
            "BoNMF": 0.80 + NOISE,
            "SVD": 0.7 - NOISE,
            "FM": 0.79 - NOISE,
            "Wide & Deep": 0.85 - NOISE,
            "DeepFM": 0.6 - NOISE,
        }
    )
    judged = ledger(rows.assign(metric="precision@10")).set_index("claim")
    assert judged.loc["BoNMF (l), precision, 7:3", "against"] == "Wide & Deep"
    shown = readable(ledger(rows.assign(metric="precision@10"))).set_index("claim")
    assert shown.loc["BoNMF (l), precision, 7:3", "ours"].startswith("Wide & Deep: -")


def test_numbers_that_a_paper_does_not_define_are_judged_but_not_counted():
    judged = ledger(table(BoNMF=0.6911 + NOISE / 100).assign(metric="ndcg@10"))
    row = judged.set_index("claim").loc["BoNMF Table 1: BoNMF, NDCG"]
    assert row["verdict"] == "reproduced"
    assert verdict_counts(judged)["reproduced"] == 0
    assert uncounted_sentence(judged).startswith("Not counted: 14 numbers")


def test_means_over_several_data_sets_are_refused():
    both = pd.concat([table(A=0.70 + NOISE), table(A=0.80 + NOISE).assign(dataset="ml-100k")])
    with pytest.raises(RecordError, match="one data set"):
        tables.metric_table(both, {"mse": "MSE"})


def test_two_runs_at_once_are_refused(tmp_path):
    with pytest.raises(RecordError, match="one run at a time"):
        add_records(tmp_path, [record(seed=0), record(seed=1)])


def test_manifest_gathers_the_records(tmp_path):
    add_records(tmp_path, [record()])
    write_manifest(tmp_path)
    noted = json.loads((tmp_path / "manifest.json").read_text())
    assert noted["records"] == 1
    assert noted["data"] == [{"dataset": "ml-1m", "content": "full", "fingerprint": "f"}]
    assert len(pd.read_csv(tmp_path / "records.csv")) == len(read_records(tmp_path)) == 1
    with pytest.raises(RecordError, match="holds no records"):
        write_manifest(tmp_path / "empty")


def test_gathered_records_come_back_as_they_were(tmp_path):
    add_records(
        tmp_path / "run", [record(metric="mse", value=0.8), record(metric="mae", value=0.7)]
    )
    add_records(tmp_path / "run", [record(seed=1, metric="mse", value=0.9)])  # no mae here
    records = read_records(tmp_path / "run")
    (tmp_path / "kept").mkdir()
    text = gathered(records)
    (tmp_path / "kept" / "records.csv").write_text(text, encoding="utf-8")
    save_manifest(tmp_path / "kept", {"files": {"records.csv": file_note(text.encode())}})
    assert len(pd.read_csv(tmp_path / "kept" / "records.csv")) == 2 and len(records) == 3
    pd.testing.assert_frame_equal(read_records(tmp_path / "kept"), records)


def test_a_metric_that_is_called_as_a_column_is_refused(tmp_path):
    """It could not be gathered: there are columns for metrics beside them."""
    add_records(tmp_path, [record(metric="seconds", value=0.8)])
    with pytest.raises(RecordError, match="metric fails is not called as a column is"):
        read_records(tmp_path)


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


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"profile": "quik"}, "Did you mean 'quick'"),
        ({"profile": "smoke", "dataset": 5}, r"dataset: .*string"),
        ({"profile": "smoke", "content": "ful"}, "Did you mean 'full'"),
        ({"profile": "smoke", "seeds": [1, 1]}, "different whole numbers"),
        ({"profile": "smoke", "seeds": [0.5]}, "seeds"),
    ],
)
def test_bad_notebook_parameters(values, message):
    with pytest.raises(ConfigError, match=message):
        start_run(values)


def test_parameters_complete_the_profile(tmp_path, monkeypatch):
    monkeypatch.setenv("BONMF_RUNS", str(tmp_path))
    run = start_run({"profile": "smoke", "seeds": [4], "unrelated": 1})
    assert (run.settings.seeds, run.settings.dataset) == ((4,), "planted")
    assert run.run_dir == tmp_path / "smoke"
    assert (
        Run(NotebookParameters(profile="smoke", dataset="ml-1m")).run_dir
        == tmp_path / "smoke-ml-1m-packaged"
    )


def test_a_parameter_papermill_injected_by_mistake_is_named():
    namespace = {
        "In": ["", "# Parameters\ndatset = 'ml-1m'\n"],
        "profile": "smoke",
        "datset": "ml-1m",
    }
    with pytest.raises(ConfigError, match="Did you mean 'dataset'"):
        start_run(namespace)


def test_the_readable_ledger_can_leave_out_what_no_data_here_can_test():
    table = ledger(read_published(), growing=True)
    run, decided = readable(table), readable(table, untestable=False)
    assert 0 < len(decided) < len(run) < len(readable(table, everything=True))
    assert set(run["verdict"]) - set(decided["verdict"]) == {UNTESTABLE}
