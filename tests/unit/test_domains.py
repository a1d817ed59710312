"""10: its rows, and what is said of their records: gains, verdicts, summaries, thinned data."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from bonmf_lib.claims.reading import read_claims
from bonmf_lib.datasets import MIRROR_FOLDERS, only_in_mirror, read_from
from bonmf_lib.datasets.starred import NAMES as STARRED
from bonmf_lib.datasets.words import shown_name
from bonmf_lib.errors import SourceError
from bonmf_lib.evaluation.rules import RATED_ITEMS
from bonmf_lib.experiments import domains as rows_of
from bonmf_lib.experiments.domains import BIASES, BOTH, FACTORISATION, IDS, TEXT
from bonmf_lib.report import domain_counts, domain_transfer, domains
from bonmf_lib.report.domains import (
    COLD,
    FEW,
    HARMS,
    HELPS,
    NETWORK_ONLY,
    OPEN,
    OVER_IDS,
    OVER_PLAIN,
    OVER_SHUFFLED,
    WARM,
)
from bonmf_lib.report.figures import domains as figures
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.training import Training
from bonmf_lib.runs.variant import training_hash
from bonmf_lib.splits.rules import ColdItems, Ratio
from tests.unit.made_records import record


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path_factory.mktemp("run"))))


def with_domains(run: Run, **changes) -> Run:
    other = run.on("planted", "packaged")
    own = dataclasses.replace(run.settings.domains, **changes)
    other.settings = dataclasses.replace(other.settings, domains=own)
    return other


# Rows


def test_rows_differ_in_content_alone_and_every_use_of_it_has_its_control(run):
    for rows, split in (
        (rows_of.warm_rows(run), Ratio(0.3)),
        (rows_of.cold_rows(run), ColdItems(0.2)),
    ):
        by_name = {row.name: row for row in rows}
        ids = by_name[IDS]
        assert {row.split for row in rows} == {split}
        assert {row.training for row in rows if row.name != BIASES} == {ids.training}
        assert all(row.evaluation == RATED_ITEMS and row.valid_share == 0.1 for row in rows)
        for question in rows_of.ASKED:
            real, control = by_name[question.row], by_name[question.control]
            assert real.model_config.modalities == question.modalities
            assert dataclasses.replace(real.model_config, modalities=()) == ids.model_config
            assert control.model_config == real.model_config
            for modality in question.modalities:
                assert getattr(real, f"{modality}_encoder") is None
                assert getattr(control, f"{modality}_encoder").endswith("-shuffled")
        assert by_name[FACTORISATION].model == "biased-svd"
        assert by_name[BIASES].model == "user-item-bias" and len(rows) == 9


def test_claims_name_the_rows(run):
    known = {row.name for row in rows_of.warm_rows(run)}
    protocols = {"warm": (rows_of.WARM, Ratio()), "cold": (rows_of.COLD, ColdItems())}
    own = [claim for claim in read_claims() if claim.about == "Domains"]
    few = [claim for claim in own if ", few ratings" in claim.id]
    own = [claim for claim in own if claim not in few]
    assert (len(own), len(few)) == (6, 6)
    assert {*MIRROR_FOLDERS, *STARRED} < {shown_name(n) for n in own[0].datasets}
    assert all(f"folder:{name}" in own[0].datasets for name in MIRROR_FOLDERS)  # as records do
    for claim in own:
        assert {claim.variant, *claim.than} <= known
        protocol, rule = protocols[claim.id.rpartition(" ")[2]]
        assert claim.protocol == protocol
        assert rule.split(run.dataset, 0, 0.1).rule.startswith(claim.split)
    warm = {claim.id.removesuffix(", warm"): claim for claim in own if claim.id.endswith("warm")}
    for claim in few:
        name, _, scale = claim.id.partition(", few ratings")
        assert claim.protocol == f"{rows_of.WARM}{scale}"
        same = {"variant", "than", "split", "content", "evaluation"}
        assert claim.model_dump(include=same) == warm[name].model_dump(include=same)
        assert set(warm[name].datasets) - set(claim.datasets) == {"folder:boardgames"}


@pytest.mark.parametrize(
    ("ratings", "steps", "batch"), [(3600, 16, 128), (3600, 2521, 16), (3600, 1, 2048)]
)
def test_an_epoch_has_at_least_the_wanted_steps(run, ratings, steps, batch):
    assert len(run.dataset.ratings) == ratings
    found = rows_of.batch_size(with_domains(run, steps=steps))
    assert found == batch
    assert (
        found == rows_of.SMALLEST_BATCH or 0.7 * ratings / found >= steps > 0.35 * ratings / found
    )


def test_thinning_reaches_the_wanted_density_of_the_training_part(run):
    own = with_domains(run, densities=(0.1, 0.3, 0.001))
    assert rows_of.density(own) == pytest.approx(0.375)
    found = rows_of.thinnings(own)
    assert list(found) == [0.1]  # .3 is about its own, and .001 leaves hardly a rating
    split = found[0.1].split(own.dataset, 0, 0.1)
    whole = Ratio().split(own.dataset, 0, 0.1)
    assert len(split.train) / len(whole.train) == pytest.approx(0.1 / 0.375, rel=0.01)
    assert np.array_equal(split.test, whole.test)
    names = [row.name for row in rows_of.thinned_rows(own)]
    assert names == [
        f"{name}, 10 % known" for name in (FACTORISATION, BIASES, IDS, TEXT.row, TEXT.control)
    ]


def test_data_that_cannot_be_had_are_named(run, monkeypatch):
    runs, lacking = rows_of.domain_runs(with_domains(run, also_on=("planted", "xwines")))
    assert "planted" in runs
    monkeypatch.delenv("BONMF_MIRROR", raising=False)
    other = with_domains(run, also_on=("planted", "xwines"))
    runs, lacking = rows_of.domain_runs(other)
    assert list(runs) == ["planted"] and list(lacking) == ["xwines"]
    said = rows_of.data_sentence(other, lacking)
    assert "it decides nothing" in said and "xwines is left out: xwines is read from" in said
    with pytest.raises(SourceError):
        other.on("xwines").dataset  # noqa: B018


# What records say


def records(domain: str, where: str, suffix: str = "", seeds: int = 5, **mse: float):
    """Records of one data set: ``ids``, ``text``, ``shuffled``, ``svd`` and ``bias``."""
    names = {
        "ids": IDS,
        "text": TEXT.row,
        "shuffled": TEXT.control,
        "svd": FACTORISATION,
        "bias": BIASES,
    }
    random = np.random.default_rng(len(domain))
    rows = [
        record(
            names[name] + suffix, seed, value + 1e-3 * random.standard_normal(), dataset=domain,
            experiment=domains.EXPERIMENTS[where],
        )
        for name, value in mse.items()
        for seed in range(seeds)
    ]  # fmt: skip
    return pd.DataFrame([dataclasses.asdict(row) for row in rows])


FOUND = {
    WARM: {
        "helps": records("helps", WARM, ids=1.0, text=0.9, shuffled=1.0, svd=0.95),
        "network": records("network", WARM, ids=1.0, text=0.9, shuffled=1.0, svd=0.95, bias=0.8),
        "regularises": records("regularises", WARM, ids=1.0, text=0.9, shuffled=0.88, svd=0.95),
        "harms": records("harms", WARM, ids=1.0, text=1.1, shuffled=1.2, svd=0.95),
        "nothing": records("nothing", WARM, ids=1.0, text=1.0, shuffled=1.0, svd=1.0),
        "few": records("few", WARM, seeds=2, ids=1.0, text=0.9, shuffled=1.0, svd=0.95),
    },
    COLD: {"helps": records("helps", COLD, ids=1.0, text=0.5, shuffled=1.0, svd=0.95)},
}


def test_gains_are_percent_of_the_row_that_is_beaten():
    found = {(one.domain, one.where, one.over): one.found for one in domains.gains(FOUND)}
    assert found["helps", COLD, OVER_IDS].mean == pytest.approx(50, abs=0.5)
    assert found["network", WARM, OVER_PLAIN].mean == pytest.approx(-12.5, abs=0.5)
    assert found["harms", WARM, OVER_SHUFFLED].mean == pytest.approx(100 / 12, abs=0.5)
    assert {one.question for one in domains.gains(FOUND)} == {"text"}  # no picture was run


def test_all_readings_are_told_in_short():
    whole = domains.gains(FOUND)
    native = [
        dataclasses.replace(one, where=domains.NATIVE_WARM)
        for one in whole
        if one.where == WARM and one.domain != "helps"
    ]
    mean = [dataclasses.replace(one, where=domains.COLD_MEAN) for one in whole if one.where == COLD]
    (said,) = domain_counts.in_short([whole, native, mean])
    means = [domains.summaries(gained)["text", where, OVER_IDS].effect.mean
             for gained, where in ((whole, WARM), (native, domains.NATIVE_WARM))]  # fmt: skip
    low, high = (f"{value:+.1f}" for value in sorted(means))
    assert said == (
        "**Text** on random splits, 2 readings, helps in 0 to 1 of 4 to 5 data sets, helps its "
        f"network only in 1, harms in 1, mean gain over IDs alone {low} to {high} %; "
        "on cold items, 2 readings, helps in 1 of 1 data sets."
    )
    assert domain_counts.in_short([]) == []
    assert domain_counts.in_few_words([whole, native, mean]) == [
        "text, random splits: beats all in 0 to 1 of 4 to 5, harms in 1, mean over IDs "
        f"{low} to {high} %",
        "text, cold items: beats all in 1 of 1",
    ]
    assert domain_counts.in_few_words([]) == []


def test_items_with_few_ratings_are_asked_of_their_own_errors():
    """Text gains 20 % on them where it gains 10 % on all; one data set has none of them."""
    rare = [
        records("both", WARM, ids=1.0, text=0.8, shuffled=1.0, svd=0.95).assign(
            metric="mse-cold-items"
        ),
        records("both", WARM, ids=1.0, text=0.9, shuffled=1.0, svd=0.95),
        records("dense", WARM, ids=1.0, text=0.9, shuffled=1.0, svd=0.95),
    ]
    native = [own.assign(experiment="10_warm_native") for own in rare[1:]]
    whole = pd.concat([*rare, *native])
    gains = domains.published_gains(whole, domains.RARE_ITEMS)
    told = {(one.domain, one.where, one.over): one.found.mean for one in gains}
    assert set(told) == {("both", domains.RARE, over) for over in domains.OVER}
    assert told["both", domains.RARE, OVER_IDS] == pytest.approx(20, abs=0.5)
    all_items = domains.published_gains(whole)
    over_ids = [one.found.mean for one in all_items if one.over == OVER_IDS]
    assert over_ids == [pytest.approx(10, abs=0.5)] * 2
    (said,) = domain_counts.in_short([all_items, gains])
    assert "; on items with few ratings, 1 reading, helps in 1 of 1 data sets." in said
    assert domain_counts.in_few_words([all_items, gains]) == domain_counts.in_few_words([all_items])
    assert domains.RARE_ITEMS in domains.READINGS  # the report tells them


def test_content_helps_only_where_it_beats_all_three():
    judged = domains.verdicts(domains.gains(FOUND))
    words = {one.domain: one.word for one in judged if one.where == WARM}
    plain = {one.domain: one.plain for one in judged if one.where == WARM}
    assert (plain["network"], plain["helps"]) == (BIASES, FACTORISATION)
    assert words == {
        "helps": HELPS, "network": NETWORK_ONLY, "regularises": OPEN, "harms": HARMS,
        "nothing": OPEN, "few": FEW,
    }  # fmt: skip
    said = domains.question_sentence(judged, "text", WARM)
    assert said == (
        "Text on random splits: helps in 1 of 6 data sets (helps), helps its network only in 1 "
        "(network), harms in 1 (harms), not told from zero in 2, too few seeds in 1."
    )
    assert domains.question_sentence(judged, BOTH.asked, WARM).endswith("not run.")
    table = domains.verdict_table(judged)
    assert table.loc[("text", WARM, "few"), "seeds"] == 2
    assert list(table.index.get_level_values("where")) == [WARM] * 6 + [COLD]


def test_p_values_are_adjusted_over_all_questions_at_once():
    """A gain that stands alone may not stand among many."""
    values = 1 + np.array([-0.020, -0.001, -0.012, -0.017, -0.005])
    one = pd.concat([
        pd.DataFrame([dataclasses.asdict(record(name, s, v)) for s, v in enumerate(rows)])
        for name, rows in {IDS: np.ones(5), TEXT.control: np.ones(5), TEXT.row: values,
                           FACTORISATION: np.full(5, 1.01)}.items()
    ])  # fmt: skip
    gains = domains.domain_gains(one, "x", TEXT, WARM)
    raw = next(gain.found.p_value for gain in gains if gain.over == OVER_IDS)
    assert 0.01 < raw < 0.5
    alone = dataclasses.replace(gains[0].found, p_value=0.03)
    mine = [dataclasses.replace(gain, found=alone) for gain in gains]
    assert domains.verdicts(mine)[0].word == HELPS
    twice = [*mine, *(dataclasses.replace(gain, domain="y") for gain in mine)]
    assert {one.word for one in domains.verdicts(twice)} == {OPEN}


def test_the_summary_is_over_data_sets_with_intervals():
    pooled = domains.summaries(domains.gains(FOUND))
    found = pooled["text", WARM, OVER_IDS]
    assert found.effect.n == 6 and found.effect.low < 0 < found.effect.high
    assert found.i2 > 0.9 and found.low_new < found.effect.low
    assert ("text", COLD, OVER_IDS) not in pooled  # one data set
    said = domains.summary_sentence(pooled, "text", WARM)
    assert said.startswith("Mean gain over IDs alone +")
    assert "Expected of another data set, over IDs: −" in said
    assert domains.summary_sentence(pooled, "text", COLD) == ""
    table = domains.summary_table(pooled)
    assert table.loc[("text", WARM, OVER_IDS), "data sets"] == 6
    two = {WARM: {name: FOUND[WARM][name] for name in ("helps", "harms")}}
    lines = domains.answers(domains.gains(two))
    assert "Two data sets predict no third." in lines[0] and len(lines) == 6


def test_published_records_give_the_same_gains_on_full_content_alone():
    whole = pd.concat([own for by_name in FOUND.values() for own in by_name.values()])
    whole = whole.drop_duplicates()
    assert len(domains.published_gains(whole)) == len(domains.gains(FOUND))
    assert domains.published_gains(whole.assign(content="packaged")) == []


def test_the_forest_says_what_the_verdicts_say_and_needs_no_second_data_set():
    gains = domains.gains(FOUND)
    judged, pooled = domains.verdicts(gains), domains.summaries(gains)
    figure = figures.question_forest(gains, pooled, judged, "text")
    assert "on random splits in 1 of 6 data sets and on cold items in 1 of 1" in figure.get_label()
    axis = figure.axes[0]
    assert axis.get_yticklabels()[-1].get_text() == "all data sets"
    one = [gain for gain in gains if gain.domain == "helps" and gain.where == COLD]
    alone = figures.question_forest(one, {}, domains.verdicts(one), "text")
    assert [tick.get_text() for tick in alone.axes[0].get_yticklabels()] == ["helps"]


def test_thinned_data_stand_beside_the_whole(run):
    own = with_domains(run, densities=(0.1,))
    thin = records("planted", WARM, ", 10 % known", ids=1.0, text=0.8, shuffled=1.05, svd=1.0)
    whole = records("planted", WARM, ids=0.9, text=0.89, shuffled=0.9, svd=0.9)
    table = domain_transfer.thinned_gains({"planted": own}, {"planted": thin}, {"planted": whole})
    gain = table.set_index(["over", "known"])["mean"]
    assert gain[OVER_IDS, 0.1] == pytest.approx(20, abs=0.5)
    assert gain[OVER_IDS, 0.375] == pytest.approx(100 / 90, abs=0.5)
    assert gain[domain_transfer.CONTROL_OVER_IDS, 0.1] == pytest.approx(-5, abs=0.5)
    per_user = table.set_index("known")["per_user"]
    assert per_user[0.375].iloc[0] == pytest.approx(0.7 * 30)
    assert per_user[0.1].iloc[0] == pytest.approx(0.7 * 30 * 0.1 / 0.375, rel=0.01)
    said = domain_transfer.thinned_sentences(table)
    assert said.endswith("clearly more.") and "with 10 % of pairs known" in said
    figure = figures.thinned_curves(table)
    assert "clearly gains more over IDs in 1 of 1 data set, clearly less in 0" in figure.get_label()
    few = table.assign(seeds=2)
    assert "too few to tell" in domain_transfer.thinned_sentences(few)
    assert "too few to tell" in figures.thinned_curves(few).get_label()
    assert domain_transfer.thinned_sentences(table.iloc[:0]).startswith("No data set is denser")


def test_the_table_of_data_says_what_items_carry(run):
    shown = domains.data_table({"planted": run})
    assert shown.loc["planted", "items with a text"] == "80"
    assert shown.loc["planted", "known pairs, %"] == "37.50"
    assert shown.loc["planted", "read from"] == "made here"
    assert read_from("ml-1m") == "public host or mirror"
    assert (read_from("folder:xwines"), read_from("folder:shop")) == ("mirror only", "a folder")


def test_data_that_only_the_mirror_has_are_named():
    names = pd.DataFrame({"dataset": ["ml-1m", "folder:xwines", "amazon-baby-stars", "ml-1m"]})
    words = domains.mirror_sentence(names)
    assert words.endswith("in this form: xwines, amazon-baby-stars.")
    assert domains.mirror_sentence(names.iloc[[0]]) == ""
    assert only_in_mirror("tiktok+core5") and not only_in_mirror("ml-100k+from4+core5")


def test_native_rows_differ_in_the_scale_of_features_alone(run):
    plain, native = rows_of.warm_rows(run), rows_of.native(rows_of.warm_rows(run))
    assert [row.name for row in native] == [row.name for row in plain]
    for one, other in zip(plain, native, strict=True):
        assert other.protocol == f"{one.protocol}, native"
        reads = one.uses("text") or one.uses("image")
        assert (training_hash(run, one) != training_hash(run, other)) == reads
        if reads:
            config = other.model_config
            assert (config.text_preparation, config.image_preparation) == ("native", "native")


def test_new_items_meet_the_mean_of_trained_embeddings(run):
    native = {row.name: row for row in rows_of.EXPERIMENTS["cold_native"](run)}
    by_name = {row.name: row for row in rows_of.EXPERIMENTS["cold_mean"](run)}
    assert list(by_name) == list(native)
    for name, row in by_name.items():
        assert (row.model == "bonmf-stand-in") == (native[name].model == "bonmf")
        assert row.training == native[name].training and row.split == native[name].split
        assert row.text_encoder == native[name].text_encoder
        if row.uses("text"):
            assert row.model_config.text_preparation == "native"
    one = Training(run, by_name[TEXT.row], 0)
    model, items = one.untrained().eval(), run.dataset.ratings["item"].to_numpy()
    known = np.unique(items[one.split.train])
    cold = np.setdiff1d(np.unique(items), known)
    assert len(cold)
    table = model.item_embedding.weight.detach()
    rows = model.id_rows("item", torch.from_numpy(cold))
    torch.testing.assert_close(rows, table[known].mean(0).expand(len(cold), -1))
    assert (model.id_rows("item", torch.from_numpy(known)) == table[known]).all()


def test_answers_name_their_places():
    gained = [dataclasses.replace(one, where=domains.NATIVE_WARM) for one in domains.gains(FOUND)]
    said = domains.answers(gained, domains.NATIVE)
    assert said[0].startswith("Text on random splits, native features: ")
    assert len(said) == len(domains.ASKED) * len(domains.NATIVE)
