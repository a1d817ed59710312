"""Every reading of the recipe: which trainings there are, what their effects are, and what is said
of them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bonmf_lib.claims.reading import read_claims
from bonmf_lib.datasets.texts import compose_texts
from bonmf_lib.errors import ConfigError
from bonmf_lib.evaluation.significance import equivalence, paired_difference
from bonmf_lib.experiments import specifications
from bonmf_lib.experiments.protocols import WITHOUT_PLOTS
from bonmf_lib.experiments.registry import EXPERIMENTS
from bonmf_lib.experiments.specifications import (
    CONTENTS,
    NETWORKS,
    PICTURE_SHUFFLED,
)
from bonmf_lib.experiments.table1 import table1_rows
from bonmf_lib.report.figures.specification import centre_gains, specification_curve
from bonmf_lib.report.specification_curve import (
    beats_controls,
    centre_sentence,
    coverage_sentence,
    curve_sentence,
    deciding_choices,
    helps_by_content,
    one_input_sentence,
    shown_to_help,
    summary,
)
from bonmf_lib.report.specification_effects import (
    COMPARISONS,
    OVER,
    OVER_ONE_INPUT,
    OWN_SPREAD,
    around,
    at,
    published_effects,
    specification_effects,
)
from bonmf_lib.runs.profiles import read_profile
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.runner import run_variants
from bonmf_lib.runs.variant import training_hash, variant_hash
from bonmf_lib.splits.rules import resampling_share
from tests.unit.made_records import table

PAPER = read_profile("paper")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path_factory.mktemp("run"))))


def test_every_choice_is_varied_alone_around_both_centres():
    first, second = specifications.centres(PAPER).values()
    assert (first.preparation, first.regularisation, first.stopping) == (
        "native",
        "no regularisation",
        "fixed",
    )
    assert first.differences(second) == ["stopping"]
    near = specifications.neighbours(PAPER, first)
    assert all(len(first.differences(other)) == 1 for other in near)
    assert {first.differences(other)[0] for other in near} == set(specifications.choices(PAPER))
    every = specifications.around_centres(PAPER)
    # each centre is a neighbour of the other
    assert len(every) == len(set(every)) == 2 * (1 + len(near)) - 2


def drawing(count):
    """The profile with so many random combinations."""
    return replace(PAPER, specification=replace(PAPER.specification, random=count))


def test_random_combinations_are_others_and_stay_the_same():
    drawn = specifications.random_combinations(drawing(40))
    assert len(set(drawn)) == 40
    assert not set(drawn) & set(specifications.around_centres(PAPER))
    assert drawn == specifications.random_combinations(drawing(40))
    assert drawn[:10] == specifications.random_combinations(drawing(10))  # fewer are the first
    for name, values in specifications.choices(PAPER).items():
        assert {getattr(specification, name) for specification in drawn} == set(values)


def varying(profile, choices):
    return replace(profile, specification=replace(profile.specification, choices=choices))


def test_a_profile_names_the_choices_it_varies():
    few = varying(PAPER, ("stopping",))
    assert len(specifications.around_centres(few)) == 2
    with pytest.raises(ConfigError, match="preparation"):
        specifications.choices(varying(PAPER, ("preparations",)))


def test_rows_are_told_apart_by_name_exactly_where_their_trainings_differ(run):
    every = varying(run.settings, PAPER.specification.choices)
    found = specifications.around_centres(every)
    contents = {
        network: CONTENTS if modalities else ("real",) for network, modalities in NETWORKS.items()
    }
    rows = [
        s.row(run, network, content)
        for s in found
        for network in NETWORKS
        for content in contents[network]
    ]
    names = {row.name: training_hash(run, row) for row in rows}
    assert all(names[row.name] == training_hash(run, row) for row in rows)
    assert len(set(names.values())) == len(names)


def test_claims_name_readings_that_a_profile_does_not_shorten(run):
    first = specifications.centres(PAPER)["paper's recipe"]
    name = first.row_name("IDs + text")
    named = {claim.protocol for claim in read_claims() if getattr(claim, "variant", "") == name}
    assert named == {specifications.PROTOCOL}
    whole = SimpleNamespace(settings=PAPER)
    assert first.row(whole, "IDs + text").protocol == specifications.PROTOCOL
    for shorter in ({"epochs": 2}, {"feature_dim": 32}, {"learning_rate": 0.01}):
        settings = replace(PAPER, comparison=replace(PAPER.comparison, **shorter))
        row = first.row(SimpleNamespace(settings=settings), "IDs + text")
        assert row.name == name and row.protocol not in named
    assert first.row(run, "IDs").protocol not in named


def test_the_first_centre_is_the_papers_row_on_native_features(run):
    first = specifications.centres(run.settings)["paper's recipe"]
    table1 = {row.name: row for row in table1_rows(run)}
    pairs = {
        "IDs": "NMD (ID only)",
        "IDs + text": "BoNMF, no picture",
        "IDs + picture": "BoNMF, no text",
        "IDs + text + picture": "BoNMF",
    }
    own = {
        "text_encoder": run.settings.encoders.text,
        "image_encoder": run.settings.encoders.image,
    }
    for network, name in pairs.items():
        theirs = table1[name].prepared("native")
        named = {
            key: value for key, value in own.items() if theirs.uses(key.removesuffix("_encoder"))
        }
        assert training_hash(run, first.row(run, network)) == training_hash(
            run, replace(theirs, **named)
        )
        assert training_hash(run, theirs) == training_hash(run, replace(theirs, **named))


def test_readings_that_are_not_run_yet_are_counted():
    found = specifications.around_centres(PAPER)
    near, drawn = len(found), PAPER.specification.random
    records = made_records(found[:3], lambda s: 1.0)
    said = coverage_sentence(records, "paper")
    assert said == (
        f"Run so far: 3 of {near} readings around the centres and 0 of {drawn} random "
        "combinations. Until all around the centres are, an answer that is not robust may become "
        "so, and the other way round."
    )
    without = records[~records["variant"].str.startswith("IDs + picture, real")]
    assert coverage_sentence(without, "paper").startswith("Run so far: 0 of ")
    every = specifications.around_centres(PAPER)
    whole = pd.DataFrame({"variant": [one.row_name(name) for one in every for name in NETWORKS]})
    said = coverage_sentence(whole, "paper")
    assert said.startswith(f"Run so far: {len(every)} of {len(every)} ") and "Until" not in said


def test_large_batches_have_more_epochs_to_stop_in():
    fixed, stopped = specifications.centres(PAPER).values()
    small, large = specifications.choices(PAPER)["batch"]
    assert small[0] < large[0]
    assert stopped.epochs_and_patience(PAPER) == (PAPER.recipe.early_stopping_epochs, 3)
    epochs, patience = replace(stopped, batch=large).epochs_and_patience(PAPER)
    assert epochs > PAPER.recipe.early_stopping_epochs and patience > 3
    for batch in (small, large):  # the paper's ten, whatever the batch
        assert replace(fixed, batch=batch).epochs_and_patience(PAPER) == (10, None)


def test_effects_of_runs(run):
    found = specifications.around_centres(run.settings)
    rows = specifications.rows_of(run, found) + specifications.noise_rows(run)
    assert len({variant_hash(run, row) for row in rows}) == len(rows) == 2 * (1 + 3 * 3)
    effects = specification_effects(run_variants(run, "x", rows, (0,)), found)
    # no item of the generated data has fewer than five ratings: no (e)
    assert len(effects) == 2 * (3 * 5 + 2 * 3)
    assert effects["low"].isna().all()  # one split
    assert "one split" in curve_sentence(effects, "text")
    assert curve_sentence(effects, "(e)").endswith("No specification was run on this data.")
    assert len(specification_curve(effects, "(a)").axes) == 2


def test_data_without_texts_and_pictures_have_no_effects(run):
    found = specifications.around_centres(run.settings)
    ids = [row for row in specifications.rows_of(run, found) if row.name.startswith("IDs;")]
    effects = specification_effects(run_variants(run, "ids", ids, (0,)), found)
    assert effects.empty and summary(effects).empty


def made_records(found, gain, splits=2, noise=0.0) -> pd.DataFrame:
    """Records in which text takes ``gain(specification)`` percent off the error and controls
    nothing."""
    draw, rows = np.random.default_rng(0), []
    for s in found:
        for network, content in (
            ("IDs", "real"),
            *((n, c) for n in list(NETWORKS)[1:] for c in CONTENTS),
        ):
            taken = gain(s) if "text" in network and content == "real" else 0.0
            for seed in range(splits):
                error = 1 - (taken + noise * draw.standard_normal()) / 100
                rows.append({"variant": s.row_name(network, content), "seed": seed, "value": error})
    return as_records(pd.DataFrame(rows))


def as_records(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.drop_duplicates(["variant", "seed"]).assign(
        protocol="specification",
        metric="mse",
        dataset="d",
        content="full",
        fingerprint="f",
        test_share=0.3,
        split="ratio(test=0.3, valid=0)",
        evaluation="rated items",
    )


def trained_apart(found, comparison: str) -> list:
    """Specifications but for those that train the networks of an earlier one."""
    pair = COMPARISONS[comparison].ours, COMPARISONS[comparison].theirs
    first = {}
    for s in found:
        first.setdefault(tuple(s.row_name(network) for network in pair), s)
    return list(first.values())


@pytest.mark.case(
    "numbers",
    "two specifications of one training: a text network with another picture encoder",
    "it counts once in curves and sentences",
)
def test_effects_by_hand():
    found = specifications.around_centres(PAPER)
    records = made_records(found, lambda s: 3.0, noise=0.1)
    effects = specification_effects(records, found)
    own = effects[(effects["comparison"] == "text") & (effects["content"] == "real")]
    assert len(trained_apart(found, "text")) == len(found) - 2  # one beside each centre
    assert len(trained_apart(found, "(a)")) == len(found)
    found = trained_apart(found, "text")
    assert len(own) == len(found)
    np.testing.assert_allclose(own["gain"], 3, atol=0.5)
    one = found[0]
    values = {name: group.set_index("seed")["value"] for name, group in records.groupby("variant")}
    gains = [
        -100 * (values[s.row_name("IDs + text")] / values[s.row_name("IDs")] - 1).to_numpy()
        for s in found
        if s.stopping == one.stopping  # the others leave another spread
    ]
    assert len(gains) < len(found)
    spread = np.sqrt(np.mean([gain.var(ddof=1) for gain in gains]))
    half = stats.t.ppf(0.975, len(gains)) * spread * np.sqrt(1 / 2 + 3 / 7)
    first = own.iloc[0]
    np.testing.assert_allclose(
        [first["gain"], first["high"] - first["gain"]], [gains[0].mean(), half]
    )
    assert first["preparation"] == one.preparation and first["splits"] == 2


def test_an_effect_on_many_splits_has_the_interval_of_the_claim_about_it():
    found = specifications.around_centres(PAPER)
    many = made_records(found[:1], lambda s: 3.0, noise=0.5, splits=OWN_SPREAD)
    others = made_records(found[1:], lambda s: 3.0, noise=5.0)
    effects = specification_effects(pd.concat([many, others], ignore_index=True), found)
    first = effects[(effects["comparison"] == "text") & (effects["content"] == "real")].iloc[0]
    by_name = {name: rows.set_index("seed")["value"] for name, rows in many.groupby("variant")}
    ours, ids = (by_name[found[0].row_name(network)] for network in ("IDs + text", "IDs"))
    gain = -100 * (ours / ids - 1).to_numpy()
    share = resampling_share("ratio(test=0.3, valid=0)", 0.3)
    claimed = paired_difference(gain, np.zeros_like(gain), share)
    expected = [claimed.mean, claimed.low, claimed.high]
    np.testing.assert_allclose(first[["gain", "low", "high"]].astype(float), expected)


def test_real_features_are_compared_with_controls_on_the_same_splits():
    """Splits differ by far more than real and shuffled texts do on each of them."""
    found = specifications.around_centres(PAPER)[:1]
    records = made_records(found, lambda s: 2.0, splits=5, noise=0.1)
    records["value"] *= 1 + 0.2 * records["seed"]
    effects = specification_effects(records, found)
    by_name = {name: rows.set_index("seed")["value"] for name, rows in records.groupby("variant")}
    real, dealt = (by_name[found[0].row_name("IDs + text", c)] for c in ("real", "shuffled"))
    over = at(effects, found[0]).loc[("text", OVER["shuffled"])]
    assert over["gain"] == pytest.approx(-100 * (real / dealt - 1).mean())
    assert 1.5 < over["low"] < over["gain"] < over["high"] < 2.5
    assert beats_controls(effects, "text") == (1, 1)
    assert beats_controls(effects, "picture") == (0, 1)
    assert (helps_by_content(effects, "text"), helps_by_content(effects, "picture")) == (1, 0)
    lower = effects.assign(low=effects["low"].where(effects["content"] != "real", -1.0))
    assert beats_controls(lower, "text") == (1, 1) and helps_by_content(lower, "text") == 0


def test_noise_is_run_in_the_centres_on_as_many_splits_as_other_readings(tmp_path):
    run = Run(NotebookParameters(profile="paper", run_dir=str(tmp_path)))
    known = PAPER.specification
    rows = {name: EXPERIMENTS[name].rows(run) for name in specifications.EXPERIMENTS}
    seeds = {name: EXPERIMENTS[name].seeds(run) for name in specifications.EXPERIMENTS}
    assert len(seeds["05_centres"]) == known.centre_seeds > known.seeds == len(seeds["05_noise"])
    assert seeds["05_noise"] == seeds["05_specifications"] == seeds["05_centres"][: known.seeds]
    middle = specifications.centres(PAPER).values()
    read = [network for network, modalities in NETWORKS.items() if modalities]
    assert [row.name for row in rows["05_noise"]] == [
        s.row_name(network, "noise") for s in middle for network in read
    ]
    for name in ("05_centres", "05_specifications", "05_more_splits", "05_language_models"):
        assert not any(", noise;" in row.name for row in rows[name])
    assert len(rows["05_centres"]) == 2 * (1 + 2 * len(read))


def test_controls_of_one_input_leave_the_other_as_it_is(run):
    """Beside the text, another item's picture; and the text without its plots, where it has any."""
    whole = compose_texts(run.dataset.items, ("title", "genres", "plot"))
    data = SimpleNamespace(items=run.dataset.items.assign(text=whole))
    rows = specifications.one_input_rows(SimpleNamespace(settings=run.settings, dataset=data))
    names = {row.name: row for row in rows}
    for centre in specifications.centres(run.settings).values():
        real = centre.row(run, "IDs + text + picture")
        dealt = names[centre.row_name("IDs + text + picture", PICTURE_SHUFFLED)]
        assert dealt.text_encoder == real.text_encoder
        assert dealt.image_encoder == f"{real.image_encoder}-shuffled"
        short = names[centre.row_name("IDs + text", WITHOUT_PLOTS)]
        assert (short.text_encoder, short.text_parts) == (real.text_encoder, ("title", "genres"))
    assert len(names) == 2 * 2


def test_texts_without_plots_are_asked_for_only_where_plots_are_their_end(run):
    """Of planted data, a text is the plot alone."""

    def read(items: pd.DataFrame) -> set[tuple[str, ...]]:
        data = SimpleNamespace(settings=run.settings, dataset=SimpleNamespace(items=items))
        return {row.model_config.modalities for row in specifications.one_input_rows(data)}

    items = run.dataset.items
    assert read(items) == read(items.assign(plot=None)) == {("text", "image")}
    whole = compose_texts(items, ("title", "genres", "plot"))
    assert read(items.assign(text=whole)) == {("text", "image"), ("text",)}


def test_what_one_input_adds_stands_against_all_that_is_real(run):
    """Three splits: text 3 % less error than IDs, 1 % of it by title and genres alone; the picture
    2 % less than the text, another item's 1 % more."""
    centre = next(iter(specifications.centres(run.settings).values()))
    level = np.array([1.0, 1.1, 0.9])
    both, text = "IDs + text + picture", "IDs + text"
    values = {
        centre.row_name("IDs"): 1.0,
        centre.row_name(text): 0.97,
        centre.row_name(text, WITHOUT_PLOTS): 0.99,
        centre.row_name(both): 0.97 * 0.98,
        centre.row_name(both, PICTURE_SHUFFLED): 0.97 * 1.01,
    }
    records = pd.concat(
        table(**{name: list(value * level)}).assign(protocol="p") for name, value in values.items()
    )
    found = at(specification_effects(records, [centre]), centre)["gain"]
    assert found["(d)", PICTURE_SHUFFLED] == pytest.approx(-1)
    assert found["(d)", OVER_ONE_INPUT[PICTURE_SHUFFLED]] == pytest.approx(100 * (1 - 0.98 / 1.01))
    assert found["text", WITHOUT_PLOTS] == pytest.approx(1)
    assert found["text", OVER_ONE_INPUT[WITHOUT_PLOTS]] == pytest.approx(100 * (1 - 0.97 / 0.99))
    assert not {PICTURE_SHUFFLED, WITHOUT_PLOTS} & set(found["(a)"].index)
    effects = specification_effects(records, [centre])
    assert one_input_sentence(effects, "the recipe", centre).startswith(
        "The recipe, one input at a time: text +3.0 %, without plots +1.0 %, real over that "
        "+2.0 % ("
    )
    both = effects[effects["comparison"] == "(d)"]
    assert "; " not in (said := one_input_sentence(both, "the recipe", centre))
    assert "picture beside the text +2.0 %, picture shuffled −1.0 %, real over that +3.0 %" in said
    assert one_input_sentence(both.iloc[:0], "the recipe", centre) == ""


def test_readings_with_more_splits_are_readings_around_the_centres_on_later_seeds(tmp_path):
    run = Run(NotebookParameters(profile="paper", run_dir=str(tmp_path)))
    asked, seeds = (getattr(EXPERIMENTS["05_more_splits"], what)(run) for what in ("rows", "seeds"))
    known = {row.name for row in EXPERIMENTS["05_specifications"].rows(run)}
    assert asked and {row.name for row in asked} < known
    assert (*EXPERIMENTS["05_specifications"].seeds(run), *seeds) == run.settings.seeds
    choices = [row.name.split("; ") for row in asked if "text" in row.name]
    scaled = {(scale, size) for _, scale, *_, size in choices}
    assert scaled == {("unit", "std 0.05"), ("standardised", "std 0.05"), ("native", "std 1")}
    assert len(asked) == 2 * (6 + 6 + 7)  # IDs alone know no scale
    short = Run(NotebookParameters(profile="quick", run_dir=str(tmp_path)))
    assert not short.later_reading_seeds


def test_gains_over_noise_have_the_spread_of_gains_over_any_control():
    """Ten splits of real and shuffled texts, two of noise."""
    found = specifications.around_centres(PAPER)[:2]
    records = made_records(found, lambda s: 2.0, splits=10, noise=0.3)
    records = records[~records["variant"].str.contains(", noise;") | (records["seed"] < 2)]
    effects = specification_effects(records, found)
    by_name = {name: rows.set_index("seed")["value"] for name, rows in records.groupby("variant")}
    gains = [
        -100 * (by_name[s.row_name("IDs + text")] / by_name[s.row_name("IDs + text", c)] - 1)
        for s in found[:1]  # the other one stops otherwise
        for c in ("shuffled", "noise")
    ]
    gains = [gain.dropna().to_numpy() for gain in gains]
    freedom = 9 + 1
    spread = np.sqrt(sum(((g - g.mean()) ** 2).sum() for g in gains) / freedom)
    half = stats.t.ppf(0.975, freedom) * spread * np.sqrt(1 / 2 + 3 / 7)
    over = at(effects, found[0]).loc[("text", OVER["noise"])]
    assert over["high"] - over["gain"] == pytest.approx(half) and over["splits"] == 2


def test_noise_in_the_centres_alone_takes_no_other_control_away():
    found = specifications.around_centres(PAPER)
    records = made_records(found, lambda s: 3.0, noise=0.05)
    middle = [s.row_name("IDs + text", "noise") for s in specifications.centres(PAPER).values()]
    elsewhere = records["variant"].str.contains(", noise;") & ~records["variant"].isin(middle)
    effects = specification_effects(records[~elsewhere], found)
    own = effects[effects["comparison"] == "text"].groupby("content").size()
    readings = len(trained_apart(found, "text"))
    assert own.to_dict() == {
        "real": readings,
        "shuffled": readings,
        OVER["shuffled"]: readings,
        "noise": 2,
        OVER["noise"]: 2,
    }
    assert beats_controls(effects, "text") == (readings, readings)
    without = specification_effects(records[~records["variant"].str.contains(", noise;")], found)
    assert beats_controls(without, "text") == (readings, readings)


def test_what_decides_and_what_is_said():
    found = specifications.around_centres(PAPER)
    effects = specification_effects(
        made_records(found, lambda s: 3.0 if s.stopping == "fixed" else -1.0, noise=0.05), found
    )
    decided = deciding_choices(effects, "text")
    assert decided.index[0] == "stopping"
    assert decided.iloc[0]["explained"] > 0.95
    assert decided.iloc[0][["best", "worst"]].tolist() == ["fixed", "best epoch"]
    found = trained_apart(found, "text")
    fixed = sum(s.stopping == "fixed" for s in found)
    table = summary(effects)
    assert table.loc[("text", "real"), ["help", "harm"]].tolist() == [fixed, len(found) - fixed]
    assert table.loc[("text", "shuffled"), ["help", "harm"]].tolist() == [0, 0]
    assert beats_controls(effects, "text") == (fixed, len(found))
    said = curve_sentence(effects, "text")
    assert (
        f"In {fixed} of {len(found)} specifications around the centres it helps, in "
        f"{len(found) - fixed} it harms" in said
    )
    assert said.endswith(" the answer is not a robust yes.")
    always = specification_effects(made_records(found, lambda s: 3.0, noise=0.05), found)
    assert curve_sentence(always, "text").endswith(" the answer is yes, robustly.")
    assert curve_sentence(always, "picture").endswith(" the answer is not a robust yes.")
    assert "stopping" in said and f"every control (shuffled and noise) in {fixed} of" in said


def test_random_combinations_leave_the_verdict_alone_and_are_counted_apart():
    """They harm by 2 %, and by far from the same on both splits; the readings around the centres
    help by 3 %."""
    found = specifications.around_centres(PAPER)
    near = made_records(found, lambda s: 3.0, noise=0.05)
    alone = specification_effects(near, found)
    drawn = specifications.random_combinations(PAPER)[:8]
    known = {s.row_name("IDs + text") for s in found}
    drawn = [s for s in drawn if s.row_name("IDs + text") not in known]
    far = made_records(drawn, lambda s: -2.0, noise=0.05)
    far["value"] *= 1 + 0.1 * far["seed"] * far["variant"].str.contains("IDs + text,", regex=False)
    both = pd.concat([near, far[~far["variant"].isin(near["variant"])]], ignore_index=True)
    effects = specification_effects(both, found, drawn)
    # a combination may be the other language model of a reading
    same, before = (
        one[one["comparison"] != "(f)"].reset_index(drop=True) for one in (around(effects), alone)
    )
    pd.testing.assert_frame_equal(same, before)
    said = curve_sentence(effects, "text")
    before = curve_sentence(alone, "text")
    assert before.endswith(" the answer is yes, robustly.")
    number = f"0 of {len(drawn)} random combinations, counted apart, it helps, in {len(drawn)}"
    assert said.startswith(f"{before} In {number} it harms; the median gain is −")
    figure = specification_curve(effects, "text")
    title = figure.get_label()
    assert title.startswith(specification_curve(alone, "text").get_label())
    assert title.endswith(f"apart, of {len(drawn)} random combinations, 0 and {len(drawn)}")
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels.count("random combination") == 1
    top, bottom = figure.axes
    (squares,) = top.collections[-1:]
    gains = effects[(effects["comparison"] == "text") & (effects["content"] == "real")]
    gains = gains.sort_values("gain", ignore_index=True)
    expected = gains.loc[gains["combination"], "gain"]
    np.testing.assert_allclose(
        squares.get_offsets(), np.column_stack([expected.index, expected.astype(float)])
    )
    grey = {
        int(place)
        for marks in bottom.collections
        for place, colour in zip(marks.get_offsets()[:, 0], marks.get_edgecolors(), strict=True)
        if np.ptp(colour[:3]) < 0.01
    }
    assert grey == set(expected.index)


def test_a_combination_that_trains_the_networks_of_a_reading_is_that_reading():
    found = specifications.around_centres(PAPER)
    twin = replace(found[0], preparation="unit", image_encoder=PAPER.encoders.cnn)
    assert twin not in found
    records = made_records([*found, twin], lambda s: 3.0, noise=0.05)
    effects = specification_effects(records, found, [twin])
    own = effects[effects["content"] == "real"].groupby("comparison")["combination"].sum()
    assert own.to_dict() == {"(a)": 1, "(c)": 1, "(d)": 1, "text": 0, "picture": 1, "(f)": 0}


def test_the_language_model_is_swapped_in_every_reading_around_the_centres(tmp_path):
    run = Run(NotebookParameters(profile="paper", run_dir=str(tmp_path)))
    run.settings = replace(
        run.settings, specification=replace(run.settings.specification, random=0)
    )
    rows = specifications.other_language_models(run)
    # around each centre: 4 other scales, 2 regularisations, a batch, 2 initial embeddings
    assert len({row.name for row in rows}) == len(rows) == 2 * (4 + 2 + 1 + 2)
    assert {row.text_encoder for row in rows} == {"mpnet-base"}
    assert not any(row.uses("image") for row in rows)
    known = {row.name for row in specifications.rows_of(run, specifications.all_readings(PAPER))}
    more = {row.name for row in rows} | known
    for s in specifications.around_centres(PAPER):
        assert replace(s, text_encoder="mpnet-base").row_name("IDs + text") in more
    run.settings = varying(run.settings, ("preparation", "stopping"))
    assert specifications.other_language_models(run) == []


def swapped_records(found, by, splits=5) -> pd.DataFrame:
    """Records in which the other encoder's text takes ``by(specification)`` percent off the error
    that the centres' has, and other items' texts add 2 percent, one split more than another."""
    rows = []
    for s in found:
        errors = {
            s.row_name("IDs + text"): 1.0,
            s.row_name("IDs + text", "shuffled"): 1.02,
            replace(s, text_encoder="mpnet-base").row_name("IDs + text"): 1 - by(s) / 100,
        }
        rows += [
            {
                "variant": name,
                "seed": seed,
                "value": error * (1 + 0.001 * (seed - 2) * (error != 1)),
            }
            for name, error in errors.items()
            for seed in range(splits)
        ]
    return as_records(pd.DataFrame(rows))


def test_language_models_are_alike_where_intervals_lie_inside_the_margin():
    """The gain has a standard deviation of 0.1 * sqrt(2.5) over five splits, so the 90 % interval
    reaches 2.13 * sqrt(1 / 5 + 3 / 7) times as far from the mean: 0.27."""
    found = [s for s in specifications.around_centres(PAPER) if s.text_encoder == "minilm-l6"]
    texts = trained_apart(found, "(f)")
    gains = {"fixed": 0.1, "best epoch": -0.9}
    records = swapped_records(found, lambda s: gains[s.stopping])
    effects = specification_effects(records, specifications.around_centres(PAPER))
    own = effects[effects["comparison"] == "(f)"].set_index(["stopping", "content"]).sort_index()
    assert len(own.loc["fixed", :].loc["real"]) == len(texts) / 2
    for stopping, gain in gains.items():
        one = own.loc[(stopping, "real")].iloc[0]
        share = resampling_share("ratio(test=0.3, valid=0)", 0.3)
        draws = 100 * (1 - (1 - gain / 100) * (1 + 0.001 * np.arange(-2, 3)))
        alike = equivalence(draws, np.zeros(5), 0.5, share)
        np.testing.assert_allclose(
            one[["gain", "low", "high"]].astype(float), [alike.mean, alike.low, alike.high]
        )
        assert (alike.p_value < 0.05) == (stopping == "fixed")
    assert own.loc[("fixed", "shuffled"), "gain"].iloc[0] == pytest.approx(-2)
    half = len(texts) // 2
    said = curve_sentence(effects, "(f)")
    assert said.startswith(
        f"Is another language model as good? In {half} of {len(texts)} specifications around the "
        f"centres its 90 % interval lies inside ±0.5 %, in {half} wholly outside; the median gain"
    )
    assert (
        f"beat every control (shuffled) in {len(texts)} of {len(texts)}. By the rule "
        "set beforehand, 80 % of them, the answer is not a" in said
    )
    told = summary(effects).loc[("(f)", "real"), ["help", "harm"]]
    assert told.tolist() == [half, len(texts) - half]
    figure = specification_curve(effects, "(f)")
    number = f"in {half} of {len(texts)} specifications around the centres, outside in {half}"
    assert f"Inside ±0.5 % {number}; better than every control in" in figure.get_label()
    (margin,) = figure.axes[0].patches
    assert (margin.get_y(), margin.get_y() + margin.get_height()) == (-0.5, 0.5)
    assert "±0.5 %" in {text.get_text() for text in figure.legends[0].get_texts()}
    alike = specification_effects(swapped_records(found, lambda s: 0.1), found)
    assert alike[alike["comparison"] == "(f)"].empty  # no other encoder was asked for
    alike = specification_effects(
        swapped_records(found, lambda s: 0.1), specifications.around_centres(PAPER)
    )
    assert curve_sentence(alike, "(f)").endswith(" the answer is yes, robustly.")


def test_where_text_tells_nothing_language_models_are_not_alike_robustly():
    found = [s for s in specifications.around_centres(PAPER) if s.text_encoder == "minilm-l6"]
    records = swapped_records(found, lambda s: 0.1)
    told = records["variant"].str.contains("shuffled")
    records["value"] = records["value"].where(~told, 1 + 0.001 * (records["seed"] - 2))
    effects = specification_effects(records, specifications.around_centres(PAPER))
    assert "beat every control (shuffled) in 0 of" in curve_sentence(effects, "(f)")
    assert curve_sentence(effects, "(f)").endswith(" the answer is not a robust yes.")


def test_controls_of_few_readings_make_no_answer_robust():
    """Controls must be beaten in as many readings as must agree."""
    found = trained_apart(specifications.around_centres(PAPER), "text")
    records = made_records(found, lambda s: 3.0, noise=0.05)
    effects = specification_effects(records, found)
    assert curve_sentence(effects, "text").endswith(" the answer is yes, robustly.")
    kept = {s.row_name("IDs + text", "shuffled") for s in found[:2]}
    control = records["variant"].str.contains(", shuffled;|, noise;")
    few = specification_effects(records[~control | records["variant"].isin(kept)], found)
    said = curve_sentence(few, "text")
    rule = "By the rule set beforehand, 80 % of them, the answer is"
    assert f"beat every control (shuffled) in 2 of 2. {rule} not a robust yes." in said


def test_the_margin_of_language_models_is_that_of_the_claim_about_them():
    margins = {claim.margin for claim in read_claims() if claim.id.startswith("BoNMF (f)")}
    assert margins == {COMPARISONS["(f)"].margin}


@pytest.mark.parametrize("comparison", [name for name in COMPARISONS if name != "(e)"])
def test_every_comparison_is_drawn_with_its_controls(comparison):
    found = specifications.around_centres(PAPER)
    effects = specification_effects(made_records(found, lambda s: 1.0, noise=0.2), found)
    figure = specification_curve(effects, comparison)
    bottom = figure.axes[1]
    margin = COMPARISONS[comparison].margin
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {
        *CONTENTS,
        *([] if margin is None else ["±0.5 %"]),
    }
    apart = trained_apart(found, comparison)
    if margin is not None:  # only in the centres are both language models among these
        apart = list(specifications.centres(PAPER).values())
    choices = [{getattr(s, name) for s in apart} for name in specifications.choices(PAPER)]
    assert len(bottom.get_yticks()) == sum(len(values) for values in choices if len(values) > 1)


def test_what_is_said_and_drawn_of_the_centres():
    centres = specifications.centres(PAPER)
    readings = specifications.around_centres(PAPER)
    effects = specification_effects(
        made_records(readings, lambda s: 3.0 if s.stopping == "fixed" else 1.0, noise=0.05),
        readings,
    )
    for (name, centre), gain in zip(centres.items(), (3.0, 1.0), strict=True):
        own = at(effects, centre)
        assert own.loc[("text", "real"), "gain"] == pytest.approx(gain, abs=0.2)
        # the records hold no new items; three comparisons are with IDs, one has a margin
        assert len(own) == 6 * len(CONTENTS) + 4 * len(OVER)
        sentence = centre_sentence(effects, name, centre)
        text = own.loc[("text", "real")]
        assert sentence.startswith(
            f"{name.capitalize()}, gain in MSE over IDs alone, 2 splits: "
            f"text {text['gain']:+.1f} % ("
        )
        assert f"({text['low']:+.1f} to {text['high']:+.1f}; shuffled " in sentence
        assert "fewer than 5" not in sentence
        assert sentence.endswith(
            "Better than IDs and than other items' content: text and both; "
            "not shown to be: picture."
        )
    assert (
        centre_sentence(effects.iloc[:0], "x", centres["early stopped"])
        == "x: not run on this data."
    )
    figure = centre_gains(effects, centres)
    for axis, centre in zip(figure.axes, centres.values(), strict=True):
        points = [container.lines[0] for container in axis.containers]
        assert [line.get_label() for line in axis.containers] == list(CONTENTS)
        names = [name for name in effects["comparison"].unique() if name != "(f)"]
        for content, line in zip(CONTENTS, points, strict=True):
            expected = at(effects, centre).xs(content, level="content").loc[names, "gain"]
            np.testing.assert_allclose(line.get_xdata().astype(float), expected.astype(float))


def test_effects_of_published_records_are_of_the_readings_alone():
    centres = list(specifications.centres(PAPER).values())
    records = made_records(centres, lambda s: 3.0, noise=0.05)
    effects, found = published_effects(records.assign(experiment="05_centres"), "paper")
    assert list(found.values()) == centres
    assert set(effects["stopping"]) == {"fixed", "best epoch"}
    assert published_effects(records.assign(experiment="04_table1"), "paper")[0].empty


def test_a_control_of_one_input_on_one_split_leaves_what_is_shown_to_help(run):
    centre = next(iter(specifications.centres(run.settings).values()))
    level, text = 1 + np.array([0.0, 0.01, -0.01, 0.02, -0.02]), "IDs + text"
    values = {"IDs": 1.0, text: 0.95}
    rows = [table(**{centre.row_name(name): list(value * level)}) for name, value in values.items()]
    shuffled = 1.001 + np.array([0.0, 0.011, -0.009, 0.02, -0.021])
    rows.append(table(**{centre.row_name(text, "shuffled"): list(shuffled)}))
    rows.append(table(**{centre.row_name(text, WITHOUT_PLOTS): [0.96]}))
    effects = specification_effects(pd.concat(rows).assign(protocol="p"), [centre])
    found = at(effects, centre)
    assert np.isnan(found.loc[("text", WITHOUT_PLOTS), "low"])
    assert shown_to_help(found) == (["text"], [])


def test_noise_on_one_split_leaves_what_is_shown_to_help(run):
    centre = next(iter(specifications.centres(run.settings).values()))
    level, text = 1 + np.array([0.0, 0.01, -0.01, 0.02, -0.02]), "IDs + text"
    values = {"real": 0.95 * level, "shuffled": 1.001 * level + 0.001, "noise": np.array([0.999])}
    rows = [table(**{centre.row_name("IDs"): list(level)})]
    rows += [table(**{centre.row_name(text, name): list(own)}) for name, own in values.items()]
    found = at(specification_effects(pd.concat(rows).assign(protocol="p"), [centre]), centre)
    assert np.isnan(found.loc[("text", "noise"), "low"])
    assert found.loc[("text", OVER["noise"]), "low"] > 0
    assert shown_to_help(found) == (["text"], [])


def test_a_control_of_one_input_is_drawn_beside_its_specification(run):
    first, second = specifications.centres(run.settings).values()
    both, text = "IDs + text + picture", "IDs + text"
    rows = []
    for centre in (first, second):
        values = {"IDs": 1.0, text: 0.97, both: 0.98}
        rows += [table(**{centre.row_name(name): [value]}) for name, value in values.items()]
    rows.append(table(**{second.row_name(both, PICTURE_SHUFFLED): [0.97 * 1.01]}))
    effects = specification_effects(pd.concat(rows).assign(protocol="p"), [first, second])
    drawn = {"curve": specification_curve(effects, "(d)").axes[0]}
    drawn["centre"] = centre_gains(effects, {"early stopped": second}).axes[0]
    for axis, along in ((drawn["curve"], 1), (drawn["centre"], 0)):
        shown = {one.get_label(): one.lines[0].get_xydata() for one in axis.containers}
        assert shown[PICTURE_SHUFFLED][:, along].astype(float) == pytest.approx([-1])
        assert len(shown["real"]) > 1
