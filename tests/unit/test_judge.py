"""Verdicts on claims: each rule on a case by hand."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from bonmf_lib.claims.judge import Rules, judge, qualifier
from bonmf_lib.claims.ledger import ledger, qualified, readable
from bonmf_lib.claims.reading import OWN_SOURCE, BetterClaim, EquivalentClaim
from bonmf_lib.evaluation import holm, mean_interval
from bonmf_lib.report import tables
from tests.unit.made_records import BETTER, COMMON, NOISE, VALUE, rows_of, table, verdict


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


def test_closed_form_rows_answer_where_the_asked_protocol_has_none():
    solved = table(B=0.75 - NOISE).assign(protocol="closed form")
    assert verdict(BETTER, pd.concat([table(A=0.70 + NOISE), solved])) == "reproduced"
    tuned = table(A=0.70 + NOISE, B=0.65 + NOISE).assign(protocol="tuned")
    asked = BETTER.model_copy(update={"protocol": "tuned"})
    assert verdict(asked, pd.concat([solved, tuned])) == "not reproduced"


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
        "; its own interval leaves out zero, which is not certain among many tests."
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
