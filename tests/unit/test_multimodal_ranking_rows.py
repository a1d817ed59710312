"""Rows of 12: one protocol for all, knock-outs that differ in content alone, forms by name."""

from dataclasses import replace

import pytest

from bonmf_lib.claims.reading import read_claims
from bonmf_lib.encoders.controls import FeatureControl
from bonmf_lib.encoders.registry import get_encoder
from bonmf_lib.errors import ModelError
from bonmf_lib.experiments import multimodal_ranking as rows_of
from bonmf_lib.experiments.registry import asked
from bonmf_lib.models import get_model
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.training import Training
from bonmf_lib.runs.variant import training_hash, variant_hash


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
    for row in rows:
        known = dict(row.search.space)
        for name, distribution in known.items():
            owner = row.model_config if name.startswith("model.") else row.training
            value = getattr(owner, name.partition(".")[2])
            assert distribution._contains(distribution.to_internal_repr(value)), (row.name, name)
    known = set(rows_of.RANKERS)
    for claim in read_claims():
        if claim.source == "mmrec":
            assert claim.variant in known


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
    forms = rows_of.forms(rows)
    assert set(forms["BM3"]) == {
        "", "trained features", "auxiliary terms doubled", "as its code has it",
        "penalty of equation 12",
    }  # fmt: skip
    pairs = rows_of.form_pairs(rows)
    assert len(pairs) == len(rows_of.IN_CODE)
    assert all(other.name.startswith(f"{usual.name}, ") for usual, other in pairs)


def test_profiles_name_where_few_models_are_trained(run, monkeypatch):
    few = run.settings.multimodal
    monkeypatch.setattr(type(few), "small_on", (run.dataset.name,), raising=False)
    object.__setattr__(few, "small_on", (run.dataset.name,))
    try:
        assert rows_of.models(run) == rows_of.SMALL
        assert {row.name for row in asked(run, "12_models")[0]} == set(rows_of.SMALL)
        assert set(rows_of.content_models(run)) == {"VBPR", "FREEDOM", "BM3"}
        assert all(get_model(row.model) for row in asked(run, "12_knock_outs")[0])
    finally:
        object.__setattr__(few, "small_on", ())
