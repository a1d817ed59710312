"""Records and tables of a run: written whole, read back as they were, refused when damaged."""

import json

import pandas as pd
import pytest

from bonmf_lib.errors import DamagedError, RecordError
from bonmf_lib.integrity import read_json, read_sealed_text, sealed_text
from bonmf_lib.runs import publication, records as records_module
from bonmf_lib.runs.manifest import save_manifest, write_manifest
from bonmf_lib.runs.records import (
    add_records,
    file_note,
    gathered,
    is_recorded,
    keep_table,
    kept_table,
    mark_current,
    published_table,
    read_records,
    table_path,
)
from tests.unit.made_records import record


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
