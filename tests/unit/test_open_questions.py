"""Rows of the open questions, equivalence tables, and what encoders cost."""

import numpy as np
import pandas as pd
import pytest

from bonmf_lib.encoders import get_encoder
from bonmf_lib.encoders.cost import encoding_cost
from bonmf_lib.errors import ConfigError, EncoderError, RecordError, SourceError
from bonmf_lib.experiments import language_models, names, protocols, visual_fusion
from bonmf_lib.report import answers, row_sentences
from bonmf_lib.report.figures import comparison as comparison_figures
from bonmf_lib.report.relative import equivalence_sentence, equivalences, gains, row_of, short_names
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.runner import run_variants
from bonmf_lib.runs.training import Training, parameter_counts
from bonmf_lib.runs.variant import variant_hash


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path_factory.mktemp("run"))))


def test_every_encoder_row_reads_features_of_one_size(run):
    encoders = ("tfidf", "random-text", "tfidf-shuffled")
    rows = language_models.encoder_rows(run, encoders)
    dims = {
        feature.dim
        for row in rows
        for m in ("text", "image")
        if (feature := row.features(run, m)) is not None
    }
    assert dims == {run.settings.encoders.common_dim}
    assert len({variant_hash(run, row) for row in rows}) == len(rows) == 4
    assert rows[-1].features(run, "text") is None


def test_contents_grow_part_by_part(run):
    rows = language_models.content_rows(run)
    assert [row.text_parts for row in rows] == [
        ("title",),
        ("title", "genres"),
        ("title", "genres", "plot"),
    ]
    assert len({row.features(run, "text").key for row in rows}) == 3


def test_dimensions_fall_from_all(run):
    rows = language_models.dimension_rows(run)
    whole = run.features("text").dim
    assert [row.features(run, "text").dim for row in rows] == [
        whole,
        *[s for s in (256, 64, 16) if s < whole],
    ]


def test_poolings_start_with_the_default():
    run = Run(NotebookParameters(profile="smoke", text_encoder="minilm-l6"))
    assert [row.text_pooling for row in language_models.pooling_rows(run)] == [
        "mean",
        "cls",
        "last",
    ]


def test_cold_rows_are_tested_on_items_without_training_ratings(run):
    (row,) = protocols.on_cold_items(language_models.encoder_rows(run, ())[:1])
    split = Training(run, row, 0).split
    items = run.dataset.ratings["item"].to_numpy()
    assert not set(items[split.test]) & set(items[np.r_[split.train, split.valid]])
    assert len(split.valid)


def test_hub_models_that_cannot_be_had_are_named(run, monkeypatch):
    def refuse(self):
        raise SourceError("no hub here")

    monkeypatch.setattr(type(get_encoder("bert-base-uncased", "text")), "folder", refuse)
    assert language_models.text_encoders(run) == (("tfidf", "random-text", "tfidf-shuffled"), {})
    asked = Run(NotebookParameters(profile="paper", run_dir=str(run.run_dir)))
    names, lacking = language_models.text_encoders(asked)
    assert names[0] == "minilm-l6" and not set(names) & set(language_models.HUB_MODELS)
    assert lacking == dict.fromkeys(language_models.HUB_MODELS, "no hub here")
    assert set(names) <= set(language_models.KINDS)


def records(values: dict[str, list[float]], metric: str = "mse") -> pd.DataFrame:
    rows = [
        {"variant": name, "protocol": "p", "seed": seed, "value": value}
        for name, found in values.items()
        for seed, value in enumerate(found)
    ]
    return pd.DataFrame(rows).assign(
        metric=metric,
        dataset="d",
        content="full",
        test_share=0.3,
        split="ratio(test=0.3, valid=0)",
        evaluation="rated items",
    )


def test_equivalence_table_tells_equal_from_different_from_unknown():
    base = np.array([0.80, 0.81, 0.79, 0.80])
    noise = np.array([1, -1, 1, -1])
    table = equivalences(
        records({
            "base": base,
            "same": base * (1 + 0.0003 * noise),
            "worse": base * (1.03 + 0.0003 * noise),
            "better": base * (0.97 + 0.0003 * noise),
            "noisy": base * (1 + 0.02 * noise),
        }),
        "mse", ("base", "p"), 0.5,
    )  # fmt: skip
    assert table["verdict"].to_dict() == {
        "same (p)": "equivalent", "worse (p)": "worse", "better (p)": "better",
        "noisy (p)": "undecided",
    }  # fmt: skip
    assert table.loc["worse (p)", "percent"] == pytest.approx(3, abs=0.01)
    sentence = equivalence_sentence(short_names(table), "MSE", "base", 0.5)
    assert (
        sentence
        == "MSE, against base: within 0.5 %: same; better: better; worse: worse; undecided: noisy."
    )
    assert comparison_figures.equivalence_plot(table, "base", "mse", 0.5).axes


@pytest.mark.parametrize(
    ("random", "shuffled", "words"),
    [
        (
            "equivalent",
            "equivalent",
            "the text hardly matters: every control is within 0.5 %; 1 of 1",
        ),
        ("worse", "worse", "the text has an effect: every control is worse; 1 of 1"),
        ("worse", "undecided", "stays undecided"),
        ("better", "better", "the text is not shown to help: random-text is better"),
        (
            "worse",
            "equivalent",
            "the text is not shown to help: random-text is worse, tfidf-shuffled is equivalent",
        ),
    ],
)
def test_the_sentence_follows_the_controls(random, shuffled, words):
    names = ["BoNMF, minilm-l3 (p)", "BoNMF, random-text (p, q)", "BoNMF, tfidf-shuffled (p)"]
    table = pd.DataFrame({"verdict": ["equivalent", random, shuffled]}, index=names)
    assert words in answers.swap_sentence(short_names(table), 0.5, "random splits")


@pytest.mark.parametrize(("cost", "cautious"), [(0.47, True), (5.5, False)])
def test_the_sentence_says_what_no_text_costs_and_whether_that_exceeds_the_margin(cost, cautious):
    table = pd.DataFrame(
        {"verdict": ["equivalent", "worse"], "percent": [0.0, cost]}, index=["wordllama", "no text"]
    )
    table["low"], table["high"] = table["percent"] - 0.1, table["percent"] + 0.1
    sentence = answers.swap_sentence(table, 0.5, "random splits")
    assert f"no text by {cost:.2f} % [{cost - 0.1:.2f}, {cost + 0.1:.2f}; 90 %]" in sentence
    assert ("so small an effect" in sentence) == cautious


def test_native_rows_read_one_text_each_at_its_own_scale(run):
    rows = language_models.native_text_rows(
        run, ("wordllama", "tfidf", "random-text", "tfidf-shuffled")
    )
    assert [row.name.removeprefix(language_models.NATIVE) for row in rows] == [
        "wordllama", "tfidf", "wordllama-shuffled", "no text",
    ]  # fmt: skip
    assert [row.text_encoder for row in rows] == ["wordllama", "tfidf", "wordllama-shuffled", None]
    assert not any(row.uses("image") for row in rows) and {row.feature_dim for row in rows[:3]} == {
        None
    }
    assert {row.model_config.text_preparation for row in rows[:3]} == {"native"}
    own = language_models.native_text_rows(run, ("tfidf",))
    found = run_variants(run, "native", own, (0,))
    table = answers.text_equivalences(
        pd.concat([found.assign(seed=seed) for seed in range(3)]),
        "mse",
        (own[0].name, own[0].protocol),
        "Native, ",
    )
    assert table.index.tolist() == ["tfidf-shuffled", "no text"]


def test_controls_of_texts_are_a_family_of_their_own():
    base, noise = np.array([0.80, 0.81, 0.79, 0.80, 0.82]), 0.002 * np.array([1, -1, 1, -1, 0])
    rows = {
        "wordllama": base,
        "tfidf": base + 0.003 + noise,
        "wordllama-shuffled": base + 0.003 + noise,
    }
    made = records({f"Native, {name}": values for name, values in rows.items()})
    table = answers.text_equivalences(made, "mse", ("Native, wordllama", "p"), "Native, ")
    alone = equivalences(
        made[made["variant"] != "Native, tfidf"], "mse", ("Native, wordllama", "p"), answers.MARGIN
    )
    # not twice as high
    assert table["p_difference"].tolist() == pytest.approx([alone["p_difference"].iloc[0]] * 2)


def test_gains_are_positive_where_better():
    table = gains(
        records({"base": [1.0, 0.5, 0.8], "good": [0.9, 0.45, 0.72]}), "mse", ("base", "p")
    )
    assert table.loc["good (p)"].to_numpy() == pytest.approx([10, 10, 10])


def test_costs_are_kept_with_the_run(run, monkeypatch):
    first = language_models.encoder_costs(run, ["tfidf"])
    monkeypatch.setattr(language_models, "encoding_cost", None)
    pd.testing.assert_frame_equal(
        language_models.encoder_costs(run, ["tfidf"]), first, rtol=1e-4, check_index_type=False
    )
    assert first["texts_per_second"].iloc[0] > 0


def test_two_seeds_decide_nothing():
    table = equivalences(
        records({"base": [0.8, 0.81], "same": [0.8, 0.81]}), "mse", ("base", "p"), 0.5
    )
    assert table["verdict"].tolist() == ["undecided"]


def test_higher_is_better_for_ranking():
    base = np.array([0.80, 0.81, 0.79, 0.80])
    table = equivalences(
        records({"base": base, "more": base + 0.05}, "ndcg@10"), "ndcg@10", ("base", "p"), 0.5
    )
    assert table["verdict"].tolist() == ["better"]


def test_costs_are_measured_in_a_fresh_process():
    texts = [f"word{number} film{number % 7} story" for number in range(300)]
    cost = encoding_cost("tfidf", texts)
    assert cost.texts_per_second > 0 and cost.loading_seconds > 0 and cost.memory_mib > 0
    with pytest.raises(EncoderError, match="too few"):
        encoding_cost("tfidf", texts[:3])


def test_pictures_are_read_and_joined_in_different_rows(run):
    readings = visual_fusion.picture_encoder_rows(run)
    assert [row.name for row in readings] == [
        "BoNMF, pixels, mean",
        "BoNMF, colours",
        "BoNMF, random-image",
        "BoNMF, no picture",
    ]
    fusions = visual_fusion.fusion_rows(run)
    assert len({variant_hash(run, row) for row in readings + fusions}) == len(readings) + len(
        fusions
    )
    assert not any("attention" in row.name for row in fusions)  # pixels have no regions
    counts = parameter_counts(run, fusions)
    assert counts["Fusion, no picture"] < counts["Fusion, sum"] < counts["Fusion, concatenation"]


def test_attention_reads_the_regions_of_encoders_that_have_them():
    run = Run(NotebookParameters(profile="smoke", image_encoder="dinov2-s"))
    rows = visual_fusion.attention_rows(run)
    assert rows[0].model_config.fusion == "concatenation"  # what attention is compared with
    assert [row.model_config.query for row in rows[1:]] == ["text", "item", "user"]
    assert {row.image_pooling for row in rows} == {visual_fusion.region_pooling(run)} == {"grid3"}
    assert all(row.feature_dim is None for row in visual_fusion.explained_rows(run))


def test_controls_of_pictures_are_rows_of_the_study():
    run = Run(NotebookParameters(profile="paper"))
    readings = visual_fusion.picture_encoder_rows(run)
    controls = [
        row.name
        for row in readings
        if str(row.image_encoder).endswith(("random-image", "-shuffled"))
    ]
    assert tuple(controls) == names.READING_CONTROLS
    fusions = {row.name: row for row in visual_fusion.fusion_rows(run)}
    for plain, control in zip((names.FUSION_PLAIN, names.LATE), names.FUSION_CONTROLS, strict=True):
        assert fusions[control].image_encoder == "dinov2-s-shuffled"
        assert fusions[control].model_config == fusions[plain].model_config


def test_a_picture_helps_only_if_it_beats_none_and_every_control():
    base = np.array([0.80, 0.81, 0.79, 0.80, 0.82])
    noise = 1e-4 * np.array([1, -1, 1, -1, 0])
    values = {"none": base, "real": base - 0.05 + noise, "lucky": base - 0.03 - noise,
              "same": base - 0.03 + 2 * noise, "bad": base + 0.02 + noise}  # fmt: skip
    table = answers.picture_evidence(
        records({f"F, {name}": found for name, found in values.items()}),
        "mse",
        "F, none",
        ["F, lucky", "F, absent"],
        "F, ",
    )
    assert table["verdict"].to_dict() == {
        "real": "helps", "lucky": "not shown to help", "same": "not shown to help", "bad": "worse"
    }  # fmt: skip
    assert table.index[table["control"]].tolist() == ["lucky"]
    assert answers.picture_sentence(table, "x") == (
        "On x, 1 of 3 uses of the picture are better than none and than every control (real); "
        "worse than none: bad."
    )
    few = answers.picture_evidence(
        records({"F, none": base[:2], "F, real": base[:2] - 0.05}), "mse", "F, none", [], "F, "
    )
    assert (
        answers.picture_sentence(few, "x")
        == "On x, 0 of 1 uses of the picture are better than none."
    )


def test_published_records_answer_the_open_questions():
    base = np.array([0.80, 0.81, 0.79, 0.80, 0.82])
    noise = 1e-4 * np.array([1, -1, 1, -1, 0])
    text = records(
        {
            "BoNMF, minilm-l6": base,
            "BoNMF, tfidf": base + noise,
            "BoNMF, random-text": base + 0.05 - noise,
        }
    )
    picture = records({"Fusion, no picture": base, "Fusion, sum": base + noise - 0.05})
    ways = {
        "Fusion, concatenation": base,
        "Fusion, gated": base + noise + 0.05,
        "Fusion, no picture": base - noise + 0.02,
    }
    overlap = pd.concat([records(ways), records(ways, "ndcg@10")]).assign(dataset="games")
    native = text.assign(variant=text["variant"].str.replace("BoNMF, ", "Native, "))
    published = pd.concat([
        text.assign(dataset="own", experiment="06_encoders"),
        native.assign(dataset="own", experiment="06_native_cold"),
        picture.assign(dataset="own", experiment="07_fusions"),
        picture.assign(dataset="other", experiment="07_readings"),
        overlap.assign(experiment="08_resolve_cold"),
    ])  # fmt: skip
    found = answers.open_answers(published, "own")
    assert [(answer.question, answer.reference) for answer in found] == [
        ("text", "minilm-l6"), ("text", "minilm-l6"), ("picture", "no picture"),
        ("overlap", "concatenation"),
    ]  # fmt: skip
    scaled, standardised, *_ = found
    assert (scaled.where, standardised.where) == (
        "cold items, own scale", "random splits, standardised"
    )  # fmt: skip
    pd.testing.assert_frame_equal(scaled.table, standardised.table)
    assert answers.families_sentence(found).startswith("Of 2 families")
    assert "in 2 some way differs clearly" in answers.families_sentence(found)
    assert answers.families_sentence(found).endswith("probability 0.10.")  # 1 - 0.95^2
    same = overlap.assign(
        value=overlap["variant"].map(dict.fromkeys(ways, 0.5)), experiment="08_resolve_cold"
    )
    assert [one.nothing_found for one in answers.open_answers(same, "games")] == [True]
    assert [sentence for answer in found for sentence in answer.sentences] == [
        *(
            said
            for where in ("cold items, own scale", "random splits, standardised")
            for said in (
                f"MSE on {where}, against minilm-l6: within 0.5 %: tfidf; worse: random-text.",
                f"In the network of 06, on {where}, the text has an effect: every control is "
                "worse; 1 of 1 other models are within 0.5 %.",
            )
        ),
        "On random splits, by fusion, 1 of 1 uses of the picture are better than none (sum).",
        "MSE on games, cold items, against concatenation: gated is worse (6.2 %).",
        "NDCG@10 on games, cold items, against concatenation: gated is better (6.2 %).",
        "On games, cold items, 1 of 2 uses of the picture are better than none (concatenation); "
        "worse than none: gated.",
    ]


def test_what_a_modality_adds_stands_side_by_side_for_every_experiment():
    base, noise = np.array([0.80, 0.81, 0.79, 0.80, 0.82]), 1e-3 * np.array([1, -1, 1, -1, 0])
    worse = records({"BoNMF": base + 0.02 + noise, "BoNMF, no picture": base}).assign(
        experiment="04_table1"
    )
    same = records({"Fusion, concatenation": base + noise, "Fusion, no picture": base}).assign(
        experiment="07_fusions"
    )
    alone = records({"BoNMF": base}).assign(experiment="04_tuned")  # nothing to compare it with
    table = answers.added_by_experiment(pd.concat([worse, same, alone]), "picture")
    assert table.index.tolist() == ["as published", "early stopped, the fusions' network (07)"]
    assert table["difference"].to_numpy() == pytest.approx([0.02, 0.0], abs=1e-6)
    assert table["without"].to_numpy() == pytest.approx([base.mean()] * 2)
    assert (table["p_holm"] < 0.05).tolist() == [True, False]
    assert answers.added_by_experiment(alone, "text").empty
    assert answers.added_sentence(alone, "text") == ""


def test_trainings_cut_short_are_counted():
    table = records({"a": [3, 1], "b": [4, 2]}, "best_epoch")
    assert answers.limit_sentence(table, 4) == (
        "1 of 4 trainings were best in their last allowed epoch (4), at least half of those of b."
    )
    assert (
        answers.limit_sentence(table, 5)
        == "0 of 4 trainings were best in their last allowed epoch (5)."
    )


def test_rows_whose_search_found_nothing_better_are_named():
    fixed = records({"a": [0.50, 0.40], "b": [0.5, 0.4], "c": [0.1, 0.1]})
    searched = records({"a": [0.51, 0.44], "b": [0.5, 0.3], "d": [0.9, 0.9]}).assign(protocol="q")
    both = pd.concat([fixed, searched])
    assert row_sentences.searched_worse_sentence(both, ("p", "q")) == (
        "Searched settings have more error than those p (means, not tested) in: a +6.0 %."
    )
    assert row_sentences.searched_worse_sentence(fixed, ("p", "q")) == ""
    better = both[both["variant"] != "a"]
    assert row_sentences.searched_worse_sentence(better, ("p", "q")) == ""


def test_reference_rows_are_found_by_name_in_any_order():
    table = records({"b": [0.1], "a": [0.2]})
    assert row_of(table, "a") == ("a", "p")
    with pytest.raises(RecordError, match="'c' has 0 protocols"):
        row_of(table, "c")


def test_controls_are_no_main_encoders():
    with pytest.raises(ConfigError, match="is a control"):
        Run(NotebookParameters(profile="smoke", text_encoder="tfidf-shuffled"))


def test_other_data_share_the_run_folder(run):
    other = run.on("ml-100k", "packaged")
    assert (other.dataset.name, other.settings.content, other.run_dir) == (
        "ml-100k",
        "packaged",
        run.run_dir,
    )
    assert run.dataset.name == "planted"
    assert len(other.features("text").matrix) == other.dataset.n_items


def test_controls_are_a_family_of_tests_of_their_own():
    base = np.array([0.80, 0.81, 0.79, 0.80, 0.82])
    noise = np.array([1, -1, 1, -1, 0])
    values = {"base": base, "BoNMF, model": base * (1 + 0.0008 * noise)}
    values |= {f"BoNMF, random-{number}": base * (1.004 + 0.001 * noise) for number in range(4)}
    controls = [f"random-{number}" for number in range(4)]
    one, apart = (
        equivalences(records(values), "mse", ("base", "p"), 0.5, own) for own in ((), controls)
    )
    kinds = ["p_equivalence", "p_difference"]
    assert (apart.loc["BoNMF, model (p)", kinds] <= one.loc["BoNMF, model (p)", kinds]).all()
    raw = equivalences(
        records({name: values[name] for name in ("base", "BoNMF, model")}),
        "mse",
        ("base", "p"),
        0.5,
    )
    assert (
        apart.loc["BoNMF, model (p)", kinds].to_dict()
        == raw.loc["BoNMF, model (p)", kinds].to_dict()
    )
    assert (one["p_difference"] >= apart["p_difference"]).all() and (
        one["p_difference"] > apart["p_difference"]
    ).any()
