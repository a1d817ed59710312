"""Files that were damaged, cut, edited or swapped: made again in a run folder or cache, an error
where published."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bonmf_lib.__main__ import main
from bonmf_lib.encoders.features import cached_poolings
from bonmf_lib.errors import DamagedError, RecordError
from bonmf_lib.experiments.protocols import tuned
from bonmf_lib.integrity import (
    read_arrays,
    read_json,
    read_sealed_bytes,
    read_sealed_text,
    sealed_bytes,
    sealed_text,
    write_arrays,
    write_json,
)
from bonmf_lib.models.rating.biased_svd import BiasedSVDConfig
from bonmf_lib.runs import records as records_module, training as training_module
from bonmf_lib.runs.records import (
    keep_table,
    kept_table,
    published_dir,
    published_table,
    read_published,
    read_records,
)
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.runner import run_variants
from bonmf_lib.runs.training import Training
from bonmf_lib.runs.trials import read_trials
from bonmf_lib.runs.variant import Variant
from bonmf_lib.training.config import TrainingConfig
from bonmf_lib.training.loop import fit

TRAINING = TrainingConfig(epochs=2, batch_size=256, learning_rate=0.005)
ROW = Variant("Biased SVD", "as published", "biased-svd", BiasedSVDConfig(factors=5), TRAINING)


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    monkeypatch.delenv("BONMF_WORKERS", raising=False)
    return Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path / "run")))


def numbers(records: pd.DataFrame) -> dict:
    return records.set_index(["variant", "seed", "metric"])["value"].to_dict()


def flipped(data: bytes, place: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1 << bit
    return bytes(changed)


# The formats


WRITERS = {
    "json": (
        lambda path: write_json(path, {"values": [0.1, 2, "three"]}, "a"),
        lambda path: read_json(path, "a"),
    ),
    "arrays": (
        lambda path: write_arrays(
            path, {"x": np.arange(40, dtype=np.float32), "empty": np.zeros(0)}, "a"
        ),
        lambda path: read_arrays(path, "a"),
    ),
    "text": (lambda path: path.write_text(sealed_text("a,b\n1,2\n3,4\n")), read_sealed_text),
    "bytes": (lambda path: path.write_bytes(sealed_bytes(bytes(range(256)))), read_sealed_bytes),
}


@pytest.mark.case(
    "damage", "any single flipped bit, any cut, of any kept file", "noticed on reading"
)
@pytest.mark.parametrize("kind", WRITERS)
def test_every_flipped_bit_and_every_cut_is_noticed(tmp_path, kind):
    write, read = WRITERS[kind]
    path = tmp_path / "file"
    write(path)
    whole, expected = path.read_bytes(), read(path)
    for place in range(len(whole)):
        path.write_bytes(flipped(whole, place, place % 8))
        try:
            found = read(path)
        except DamagedError:
            continue
        assert kind in ("json", "arrays") and str(found) == str(expected)  # white space of a header
    for end in range(len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(DamagedError, match="delete it and run again"):
            read(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[1]",
        b"null",
        b'{"sha256": 1}',
        b"[" * 100_000,
        b"\xff\xfe",
        b"# sha256 x\n",
        b"\0" * 64,
    ],
    ids=lambda content: repr(content[:12]),
)
def test_strange_content_is_damage_not_a_traceback(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    for _, read in WRITERS.values():
        with pytest.raises(DamagedError):
            read(path)


@pytest.mark.case(
    "damage", "the whole file of another run under this run's name", "noticed, made again"
)
def test_what_belongs_to_something_else_is_not_read(tmp_path):
    write_json(tmp_path / "a.json", {"value": 1}, "one")
    write_arrays(tmp_path / "a.safetensors", {"x": np.zeros(3)}, "one")
    for read, name in ((read_json, "a.json"), (read_arrays, "a.safetensors")):
        with pytest.raises(DamagedError):
            read(tmp_path / name, "two")


# Cached features


@pytest.mark.case(
    "damage",
    "400 flipped bits in cached features",
    "features are made again, none used as they are",
)
def test_flipped_bits_in_cached_features_are_never_used(empty_cache):
    matrix = np.random.default_rng(0).standard_normal((20, 8)).astype(np.float32)
    encoded = []

    def encode(positions):
        encoded.append(len(positions))
        return {"mean": matrix[positions]}

    def ask():
        return cached_poolings(
            {"encoder": "made-up", "version": "1"}, [bytes([n]) for n in range(20)], encode
        )

    expected, _, _ = ask()
    (path,) = (empty_cache / "features" / "made-up").iterdir()
    whole, random = path.read_bytes(), np.random.default_rng(1)
    for _ in range(400):
        path.write_bytes(flipped(whole, int(random.integers(len(whole))), int(random.integers(8))))
        before = len(encoded)
        found, present, _ = ask()
        assert present.all() and np.array_equal(found["mean"], expected["mean"])
        if len(encoded) == before:  # not made again: then nothing but white space was hit
            assert read_arrays(path, path.stem)["mean"].tobytes() == matrix.tobytes()
        path.write_bytes(whole)
    assert len(encoded) > 300


# Run folders


def spoil(path, how):
    data = path.read_bytes()
    if how == "flip":
        path.write_bytes(flipped(data, len(data) // 2, 0))
    elif how == "cut at a line end":
        path.write_bytes(data[: data.rstrip(b"\n").rfind(b"\n") + 1])
    elif how == "emptied":
        path.write_bytes(b"")


@pytest.mark.case(
    "damage", "a record file cut at a line end", "its numbers are made again, equal to before"
)
@pytest.mark.case(
    "damage",
    "histories, predictions or trials flipped, cut or emptied",
    "trained again, equal to before",
)
@pytest.mark.parametrize("how", ["flip", "cut at a line end", "emptied"])
@pytest.mark.parametrize("kept", ["records", "history", "predictions", "tuning"])
def test_damage_in_a_run_folder_is_made_again(run, kept, how):
    row = tuned(run, replace(ROW, model_config=BiasedSVDConfig()))
    first = run_variants(run, "one", [row], seeds=(0,))
    trials = read_trials(run, [row], (0,)).drop(columns="seconds")
    (path,) = (path for path in (run.run_dir / kept).rglob("*.*") if path.is_file())
    spoil(path, how)
    again = run_variants(run, "one", [row], seeds=(0,))
    assert numbers(again) == numbers(first)
    pd.testing.assert_frame_equal(read_trials(run, [row], (0,)).drop(columns="seconds"), trials)
    Training(run, row, 0).history(), Training(run, row, 0).predictions()  # whole again


@pytest.mark.case(
    "damage", "an edited value in a search's trials", "the search starts over and chooses the same"
)
def test_an_edited_trial_does_not_choose(run):
    row = tuned(run, replace(ROW, model_config=BiasedSVDConfig()))
    first = run_variants(run, "one", [row], seeds=(0,))
    path = Training(run, row, 0).trials_path
    noted = json.loads(path.read_text())
    noted["trials"][-1]["value"] = 0.001
    path.write_text(json.dumps(noted))
    assert numbers(run_variants(run, "one", [row], seeds=(0,))) == numbers(first)
    assert read_trials(run, [row], (0,))["value"].min() > 0.01


def test_predictions_of_another_run_are_not_read(run):
    other = replace(ROW, name="One epoch", training=replace(TRAINING, epochs=1))
    first = run_variants(run, "one", [ROW, other], seeds=(0,))
    ours, theirs = (Training(run, row, 0).predictions_path for row in (ROW, other))
    shutil.copy(theirs, ours)
    with pytest.raises(DamagedError):
        Training(run, ROW, 0).predictions()
    assert numbers(run_variants(run, "one", [ROW, other], seeds=(0,))) == numbers(first)


@pytest.mark.case(
    "damage",
    "a damaged checkpoint of a stopped training",
    "the training starts over, equal numbers",
)
def test_a_damaged_checkpoint_starts_over(run, monkeypatch, tmp_path):
    other = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path / "undisturbed")))
    whole = run_variants(other, "one", [ROW], seeds=(0,))

    def killed(*args, **kwargs):
        def stop(history):
            raise KeyboardInterrupt

        return fit(*args, **kwargs, stop=stop)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training_module, "fit", killed)
        run_variants(run, "one", [ROW], seeds=(0,))
    (checkpoint,) = (run.run_dir / "checkpoints").iterdir()
    spoil(checkpoint, "flip")
    assert numbers(run_variants(run, "one", [ROW], seeds=(0,))) == numbers(whole)


def test_a_damaged_note_of_what_is_current_is_named(run):
    run_variants(run, "one", [ROW], seeds=(0,))
    (note,) = (run.run_dir / "current").iterdir()
    spoil(note, "flip")
    with pytest.raises(DamagedError, match=note.name):
        read_records(run.run_dir)
    run_variants(run, "one", [ROW], seeds=(0,))  # notes it anew
    assert len(read_records(run.run_dir))


def test_a_damaged_table_is_named(tmp_path):
    keep_table(tmp_path, "trials", pd.DataFrame({"variant": ["NA", "=1"], "value": [0.5, np.nan]}))
    found = kept_table(tmp_path, "trials")
    assert found["variant"].tolist() == ["NA", "=1"] and found["value"].isna().tolist() == [
        False,
        True,
    ]
    spoil(tmp_path / "tables" / "trials.csv", "cut at a line end")
    with pytest.raises(DamagedError, match=r"trials\.csv"):
        kept_table(tmp_path, "trials")


# Published records


@pytest.fixture
def published(tmp_path, monkeypatch):
    copy = tmp_path / "published"
    shutil.copytree(published_dir(), copy)
    monkeypatch.setattr(records_module, "published_dir", lambda: copy)
    return copy / "paper"


def halved(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(lines[: len(lines) // 2])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            halved, r"records\.csv is not what was published, \d+ rows instead of \d+",
            marks=pytest.mark.case(
                "damage", "a halved published records.csv", "an error that names file and rows"
            ),
        ),
        pytest.param(
            lambda text: text.replace(",0.7", ",0.6", 1),
            r"records\.csv is not what was published; take",
            marks=pytest.mark.case(
                "damage", "an edited number in published records", "an error that names the file"
            ),
        ),
    ],
)  # fmt: skip
def test_changed_published_records_are_refused(published, change, said, capsys):
    text = (published / "records.csv").read_text()
    (published / "records.csv").write_text(change(text))
    with pytest.raises(RecordError, match=said):
        read_published()
    assert main(["headline"]) == 2
    captured = capsys.readouterr()
    assert not captured.out and "not what was published" in captured.err


@pytest.mark.case(
    "damage",
    "a changed published table or manifest, or one that is missing",
    "an error that names it",
)
def test_changed_published_tables_and_manifests_are_refused(published):
    path = published / "tables" / "svd.csv"
    path.write_text(path.read_text().replace("5", "6", 1))
    with pytest.raises(RecordError, match=r"svd\.csv is not what was published"):
        published_table("paper", "svd")
    records = (published / "records.csv").rename(published / "elsewhere")
    with pytest.raises(RecordError, match=r"records\.csv was published and is not there"):
        read_published()
    records.rename(published / "records.csv")
    path.unlink()
    with pytest.raises(RecordError, match=r"svd\.csv was published and is not there"):
        published_table("paper", "svd")
    manifest = published / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"cores": 2', '"cores": 3'))
    with pytest.raises(DamagedError, match=r"manifest\.json"):
        published_table("paper", "trials")
    manifest.unlink()
    with pytest.raises(RecordError, match=r"has no manifest\.json"):
        read_published()


def test_a_published_file_that_the_manifest_does_not_know_is_refused(published):
    shutil.copy(published / "tables" / "svd.csv", published / "tables" / "stray.csv")
    with pytest.raises(RecordError, match="does not know"):
        published_table("paper", "stray")
