"""The rows of the wide comparisons: claims find them, and the second reading's rows have its
protocol."""

from dataclasses import replace

import pytest

from bonmf_lib.claims.judge import CLOSED_FORM
from bonmf_lib.claims.reading import read_claims
from bonmf_lib.experiments import (
    ablations,
    language_models,
    model_training,
    protocols,
    second_reading,
    specifications,
    table1,
)
from bonmf_lib.runs.run import NotebookParameters, Run


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return Run(NotebookParameters(profile="paper", run_dir=str(tmp_path_factory.mktemp("run"))))


def test_every_row_with_content_has_its_controls(run):
    rows = table1.table1_rows(run)
    controls = protocols.control_rows(run, rows)
    read = [row.name for row in rows if row.uses("text") or row.uses("image")]
    assert [row.name for row in controls] == [
        f"{name}, {end}" for name in read for end in ("shuffled", "noise")
    ]
    by_name = {row.name: row for row in controls}
    assert by_name["BoNMF, shuffled"].text_encoder == "minilm-l6-shuffled"
    assert by_name["CNN-based, noise"].image_encoder == "efficientnet-lite0-noise"
    assert by_name["BoNMF, no text, noise"].text_encoder is None
    for row in controls:
        real = next(r for r in rows if r.name == row.name.rpartition(", ")[0])
        assert (row.model_config, row.training, row.protocol) == (
            real.model_config,
            real.training,
            real.protocol,
        )


def test_every_claim_about_bonmf_names_rows_that_the_paper_profile_runs(run):
    packaged = (run.settings.encoders.text, *run.settings.encoders.compared_text)
    native = language_models.native_text_rows(run, packaged)
    claimed = ("bert-base-uncased", "xlnet-base-cased", "roberta-base")
    rows = [
        *model_training.recipe_rows(run), *table1.table1_rows(run), *table1.tuned_rows(run),
        *ablations.claimed_ablations(run),
        *table1.native_rows(run),
        *specifications.rows_of(run, specifications.around_centres(run.settings)),
        *ablations.modality_rows(run).values(),
        *second_reading.review_rows(run), *second_reading.implicit_rows(run),
        *native, *protocols.on_cold_items(native),
        *language_models.encoder_rows(run, packaged),
        *language_models.claimed_language_models(run, claimed),
    ]  # fmt: skip
    known = {(row.name, row.protocol) for row in rows}
    for claim in read_claims():
        if not claim.id.startswith("BoNMF"):
            continue
        names = {"value": lambda c: [c.variant], "better": lambda c: [c.variant, *c.than]}
        for name in names.get(claim.kind, lambda c: c.variants)(claim):
            assert {(name, claim.protocol), (name, CLOSED_FORM)} & known, (claim.id, name)


def test_rows_of_the_second_reading_share_its_protocol(run):
    explicit, implicit = second_reading.review_rows(run), second_reading.implicit_rows(run)
    trained = [row for row in (*explicit, *implicit) if row.protocol != CLOSED_FORM]
    assert len(trained) == len(explicit) - 1 + len(implicit)
    for row in trained:
        assert (row.split.test, row.training.batch_size, row.training.epochs) == (0.2, 256, 10), (
            row.name
        )
        assert row.training.weight_decay > 0, row.name
        assert row.training.loss == ("bce" if row in implicit else "mse"), row.name
        sizes = {getattr(row.model_config, name, None) for name in ("embedding_dim", "factors")} - {
            None
        }
        assert sizes <= {16, 32, 64}, row.name
        assert set(getattr(row.model_config, "hidden", ())) <= {64, 128}, row.name
        if row.model == "bonmf":
            assert row.model_config.dropout > 0, row.name


def test_native_rows_differ_from_the_tables_in_scale_alone_and_have_controls(tmp_path):
    run = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path)))
    standardised = {row.name: row for row in table1.table1_rows(run)}
    rows = table1.native_rows(run)
    real, shuffled = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    assert [row.name.removesuffix(", native") for row in real] == [
        "BoNMF", "Tensor product", "Text Early Fusion", "CNN-based", "BoNMF, no picture",
        "BoNMF, no text",
    ]  # fmt: skip
    for row, control in zip(real, shuffled, strict=True):
        own = standardised[row.name.removesuffix(", native")]
        assert replace(row.prepared("standardised"), name=own.name) == own
        assert control.name == f"{row.name}, shuffled"
        for modality in ("text", "image"):
            features, dealt = row.features(run, modality), control.features(run, modality)
            assert (features is None) == (dealt is None)
            assert (
                features is None
                or dealt.encoder == f"{features.encoder.partition(',')[0]}, shuffled"
            )
