"""Rows of 12: one protocol for all, knock-outs that differ in content alone, forms by name."""

from dataclasses import replace

import pytest

from bonmf_lib.claims.reading import read_claims
from bonmf_lib.encoders.controls import FeatureControl
from bonmf_lib.encoders.registry import get_encoder
from bonmf_lib.errors import ModelError
from bonmf_lib.experiments import multimodal_ranking as rows_of, ranker_forms
from bonmf_lib.experiments.registry import asked
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.training import Training
from bonmf_lib.runs.variant import training_hash, variant_hash

PROTOCOLS = (rows_of.FIXED_SETTINGS, rows_of.TUNED)  # solved rows answer claims of both


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("multimodal")
    whole = Run(NotebookParameters(profile="smoke", run_dir=str(folder)))
    (found,) = rows_of.data_sets(whole)
    return found


@pytest.mark.parametrize("question", rows_of.QUESTIONS)
def test_nobody_trains_on_what_validates_and_all_are_ranked_alike(run, question):
    rows, seeds = asked(run, f"12_{question}")
    assert rows
    assert len({variant_hash(run, row) for row in rows}) == len(rows)
    for row in rows:
        assert row.holds_out
        assert row.evaluation == rows_of.FULL_RANKING
        assert row.training.patience is None or row.watches == rows_of.CHOSEN_BY
    part = Training(run, rows[0], seeds[0]).split
    assert len(part.valid)


def test_every_model_of_the_claims_has_a_row_and_searches_start_inside_their_space(run):
    rows, _ = asked(run, "12_tuned")
    assert {row.watches.watches for row in rows} == {"recall@20"}
    for row in rows:
        known = dict(row.search.space)
        for name, distribution in known.items():
            owner = row.model_config if name.startswith("model.") else row.training
            value = getattr(owner, name.partition(".")[2])
            assert distribution._contains(distribution.to_internal_repr(value)), (row.name, name)


NO_ROWS = {
    "BM3 (j), global time": "Amazon's pairs come without times, those of Sports in users' order",
    "Multimodality (c)": "no texts of TikTok's videos are at hand",
}


@pytest.mark.mirror
def test_every_claim_on_rankers_with_content_names_rows_of_the_paper_profile():
    """On one of the claim's data sets, by its protocol; or it says why none can be had."""
    whole = Run(NotebookParameters(profile="paper", content="full"))
    known = {}
    for sub in rows_of.data_sets(whole):
        rows = [one for question in rows_of.QUESTIONS for one in asked(sub, f"12_{question}")[0]]
        known[sub.dataset.name] = {
            (one.name, protocol)
            for one in [*rows, *rows_of.timed_rows(sub, asked(sub, "12_models")[0])]
            for protocol in ([one.protocol] if one.training.patience else PROTOCOLS)
        }
    for claim in read_claims():
        if claim.about not in ("BM3", "Embeddings", "Multimodality", "DiffMM's"):
            continue
        named = getattr(claim, "variants", None) or (claim.variant, *getattr(claim, "than", ()))
        asked_for = {(name, claim.protocol) for name in named}
        found = [name for name in claim.datasets if asked_for <= known.get(name, set())]
        elsewhere = claim.untestable and not known.keys() & set(claim.datasets)
        assert elsewhere or (claim.id in NO_ROWS) != bool(found), claim.id


def test_strata_have_controls_where_these_are_trained(run, with_profile):
    names = [row.name for row in rows_of.strata_rows(run)]
    controls = [f"{name}, shuffled" for name in ("VBPR", "LATTICE", "FREEDOM", "BM3")]
    assert names == [*rows_of.SMALL, *controls]
    assert set(controls) <= {row.name for row in asked(run, "12_knock_outs")[0]}
    few = with_profile(small_on=(run.dataset.name,))
    assert [row.name for row in rows_of.strata_rows(few)] == list(rows_of.SMALL)


@pytest.mark.parametrize("model", [name for name, r in rows_of.RANKERS.items() if r.reads_content])
def test_knock_outs_change_content_alone(run, model):
    rows = rows_of.knocked_out(run, model)
    whole = rows.pop("")
    for left in rows_of.KNOCK_OUTS:
        row = rows.pop(left)
        assert row.model_config == whole.model_config
        for modality in ("text", "image"):
            own, control = (one.features(run, modality) for one in (whole, row))
            assert isinstance(
                get_encoder(f"{run.encoder(modality)}-{left}", modality), FeatureControl
            )
            assert own.matrix.shape == control.matrix.shape
            assert (own.matrix != control.matrix).any()
    for left, changed in {"text shuffled": "text", "picture shuffled": "image"}.items():
        row = rows.pop(left)
        assert row.model_config == whole.model_config
        for modality in ("text", "image"):
            own, control = (one.features(run, modality) for one in (whole, row))
            assert (own.matrix != control.matrix).any() == (modality == changed)
    for left, row in rows.items():
        kept = {"text only": ("text",), "picture only": ("image",), "no modality": ()}[left]
        assert row.model_config.modalities == kept
        assert [m for m in ("text", "image") if row.uses(m)] == list(kept)
    assert ("no modality" in rows) == rows_of.RANKERS[model].without


@pytest.mark.parametrize("model", [name for name, r in rows_of.RANKERS.items() if r.reads_content])
def test_no_control_is_left_out_that_the_model_allows(run, model):
    """A model that can be built without content is knocked out without it too."""
    bare = replace(rows_of.knocked_out(run, model)["text only"], name="bare")
    config = replace(bare.model_config, **rows_of._only(rows_of.RANKERS[model], ()))
    bare = Training(run, replace(bare, model_config=config), 0)
    if rows_of.RANKERS[model].without:
        assert bare.untrained().n_items == run.dataset.n_items
    else:
        with pytest.raises(ModelError):
            bare.untrained()


def test_usual_forms_are_trained_once_for_all_questions(run):
    usual = [
        row
        for question in ("models", "knock_outs", "preparations", "terms", "layers", "code")
        for row in asked(run, f"12_{question}")[0]
        if row.name == "BM3"
    ]
    assert len(usual) == 6
    assert len({training_hash(run, row) for row in usual}) == 1
    named = [row for row in asked(run, "12_dropout")[0] if row.name == "BM3, dropout 0.5"]
    assert training_hash(run, named[0]) == training_hash(run, usual[0])


def test_forms_are_told_by_their_names(run):
    rows, _ = asked(run, "12_code")
    forms = ranker_forms.forms(rows)
    assert set(forms["BM3"]) == {
        "", "trained features", "auxiliary terms doubled", "as its code has it",
        "penalty of equation 12",
    }  # fmt: skip
    pairs = ranker_forms.form_pairs(rows)
    assert len(pairs) == len(rows_of.IN_CODE) + 1
    assert all(other.name.startswith(f"{usual.name}, ") for usual, other in pairs)
    coded = "BM3, as its code has it"
    assert pairs[-1][0].name == coded and pairs[-1][1].name == f"{coded}, shuffled"
    knocked = ranker_forms.forms(asked(run, "12_knock_outs")[0])
    assert {"shuffled", "noise", "constant"} < set(knocked["BM3"])  # of the usual form


@pytest.fixture
def with_profile(run):
    """The run, where its profile names other data or numbers."""
    own = run.settings.multimodal

    def changed(**terms) -> Run:
        settings = replace(run.settings, multimodal=replace(own, **terms))
        other = run.on(run.dataset.name, run.dataset.content)
        other.__dict__.update(settings=settings, dataset=run.dataset)
        return other

    return changed


def test_profiles_name_where_few_models_are_trained(run, with_profile):
    few = with_profile(small_on=(run.dataset.name,))
    assert {row.name for row in asked(few, "12_models")[0]} == set(rows_of.SMALL)
    assert set(rows_of.content_models(few)) == {"VBPR", "LATTICE", "FREEDOM", "BM3"}
    others = {
        name: [row.name for row in asked(few, f"12_{name}")[0]]
        for name in rows_of.QUESTIONS
        if name != "models"
    }
    assert others.pop("times") == ["BM3, user-time split", "BM3, global-time split"]
    assert not any(others.values())
    assert asked(few, "12_models")[1] == asked(run, "12_models")[1][:1]


def test_slow_models_are_neither_searched_nor_varied_where_the_profile_says_so(run, with_profile):
    fixed = with_profile(fixed_on=(run.dataset.name,))
    names = {question: {row.name.partition(",")[0] for row in asked(fixed, f"12_{question}")[0]}
             for question in rows_of.QUESTIONS}  # fmt: skip
    assert names.pop("models") == set(rows_of.RANKERS)
    assert not set(rows_of.SLOW) & set().union(*names.values())
    assert set(rows_of.SLOW) < {row.name for row in asked(run, "12_tuned")[0]}


def test_slow_rows_are_left_out_there_and_its_own_settings_are_kept(run, with_profile, monkeypatch):
    fixed = with_profile(fixed_on=(run.dataset.name,))
    names = {question: {row.name for row in asked(fixed, f"12_{question}")[0]}
             for question in ("code", "bonmf")}  # fmt: skip
    assert rows_of.EVERY_STEP not in names["code"]
    assert not names["bonmf"]
    assert rows_of.EVERY_STEP in {row.name for row in asked(run, "12_code")[0]}
    own = {("BM3", run.dataset.name): {"regularisation": 0.5}}
    monkeypatch.setattr(rows_of, "ON_DATA", own)
    usual, *others = rows_of.dropout_rows(run)
    known = rows_of.row(run, "BM3", rows_of.RANKERS["BM3"]).model_config
    assert known.regularisation == 0.5
    assert {row.model_config.regularisation for row in (usual, *others)} == set(rows_of.PENALTIES)


def test_negatives_are_items_that_somebody_rated_in_training(run):
    """Items without a training pair would else be pushed down for being new, where they test."""
    for question in rows_of.QUESTIONS:
        for row in asked(run, f"12_{question}")[0]:
            drawn = row.training.negatives_over == "trained"
            assert drawn == bool(row.training.negatives), row.name


def test_searches_try_no_settings_twice_and_give_every_trial_ten_looks(run, with_profile):
    other = with_profile(validated_every=4, trials=12)
    for row in asked(other, "12_tuned")[0]:
        assert (row.search.distinct, row.search.prune_after) == (True, 40)
    counts = {row.name: row.search.count for row in asked(other, "12_tuned")[0]}
    assert (counts["EASE"], counts["BPR"], counts["BM3"], counts["LATTICE"]) == (6, 6, 8, 12)
    assert asked(other, "12_tuned")[1] == asked(other, "12_models")[1]
    name = run.dataset.name
    fewer = with_profile(trials=12, trials_on_fixed=7, fixed_on=(name,))
    assert {row.search.count for row in asked(fewer, "12_tuned")[0]} == {6, 7}


def test_a_dense_lattice_is_timed_beside_the_trained_rows(run, with_profile):
    compared = asked(run, "12_models")[0]
    timed = rows_of.timed_rows(run, compared)
    assert {row.name for row in compared} - {row.name for row in timed} == {
        name for name, ranker in rows_of.RANKERS.items() if ranker.loss == "solved"
    }
    (dense,) = (row for row in timed if row not in compared)
    (sparse,) = (row for row in compared if row.name == "LATTICE")
    assert (dense.name, dense.model_config.dense) == (rows_of.DENSE, True)
    assert replace(dense, name=sparse.name, model_config=sparse.model_config) == sparse
    few = with_profile(small_on=(run.dataset.name,))
    assert all(row.name != rows_of.DENSE for row in rows_of.timed_rows(few, compared))


def test_large_data_have_larger_batches_and_watch_as_often_as_the_profile_says(run, with_profile):
    pairs = len(run.dataset.ratings)
    for steps, times in ((pairs, 1), (2, 3)):
        other = with_profile(batch_size=pairs // 5, most_steps=steps, validated_every=4)
        batches = {row.training.batch_size for row in asked(other, "12_models")[0]} - {256}
        assert batches == {times * (pairs // 5)}
    watched = {row.watches for row in asked(other, "12_models")[0] if row.training.patience}
    assert watched == {replace(rows_of.CHOSEN_BY, every=4)}


def test_standardised_content_meets_its_controls(run):
    rows, _ = asked(run, "12_preparations")
    by_name = {row.name: row for row in rows}
    assert len(by_name) == len(rows)
    for name in ("VBPR", "LATTICE", "FREEDOM", "BM3"):
        whole = by_name[f"{name}, standardised features"]
        shuffled = by_name[f"{name}, standardised features, shuffled"]
        assert shuffled.model_config == whole.model_config
        assert shuffled.text_encoder.endswith("-shuffled")
        assert (f"{name}, no modality" in by_name) == rows_of.RANKERS[name].without
    assert not any(name.startswith("MMGCN") and "shuffled" in name for name in by_name)
