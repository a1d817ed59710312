"""Publishing a run: what it holds replaces what was there, all else stays, and nothing is lost
unasked."""

import json

import pandas as pd
import pytest

from bonmf_lib.__main__ import main
from bonmf_lib.errors import ConfigError, RecordError
from bonmf_lib.integrity import json_text, read_json
from bonmf_lib.runs import publication, records as records_module
from bonmf_lib.runs.manifest import save_manifest
from bonmf_lib.runs.publication import agreement, agreement_sentence, publish
from bonmf_lib.runs.records import add_records, keep_table, published_table, read_records
from bonmf_lib.storage import write_text
from tests.unit.made_records import record


@pytest.fixture
def published(tmp_path, monkeypatch):
    for module in (publication, records_module):
        monkeypatch.setattr(module, "published_dir", lambda: tmp_path / "published")
    first = tmp_path / "first"
    for experiment, value in (("04_table1", 0.70), ("05_modalities", 0.80)):
        for seed in (0, 1):
            add_records(first, [record(seed=seed, value=value, experiment=experiment)])
    keep_table(first, "trials", pd.DataFrame({"trial": [1]}))
    write_text(
        first / "encoders" / "04_table1--x.json",
        json_text({"encoders": [{"encoder": "a", "key": "1"}]}),
    )
    assert publish(first, "paper") == tmp_path / "published" / "paper"
    return tmp_path / "published" / "paper"


def errors(folder) -> dict:
    return read_records(folder).set_index(["experiment", "variant", "seed"])["value"].to_dict()


def test_a_first_publication_is_the_run(published):
    assert len(errors(published)) == 4
    assert json.loads((published / "manifest.json").read_text())["records"] == 4
    assert (published / "tables" / "trials.csv").is_file()


def test_a_later_run_replaces_its_experiments_and_no_others(published, tmp_path):
    later = tmp_path / "later"
    for seed in (0, 1):
        add_records(later, [record(seed=seed, value=0.75, experiment="04_table1", code="y")])
        add_records(later, [record("B", seed=seed, value=0.9, experiment="04_table1")])
    # other data
    add_records(later, [record(value=0.5, experiment="05_modalities", dataset="ml-100k")])
    write_text(
        later / "encoders" / "04_table1--x.json",
        json_text({"encoders": [{"encoder": "b", "key": "2"}]}),
    )
    publish(later, "paper")
    records = read_records(published)
    assert len(records) == 4 + 3
    on_ml1m = (
        records[records["dataset"] == "ml-1m"].groupby(["experiment", "variant"])["value"].unique()
    )
    assert on_ml1m.map(list).to_dict() == {
        ("04_table1", "A"): [0.75], ("04_table1", "B"): [0.9], ("05_modalities", "A"): [0.8],
    }  # fmt: skip
    noted = json.loads((published / "manifest.json").read_text())
    assert noted["records"] == 7
    assert noted["code"]["libraries_behind_records"] == ["x", "y"]
    assert [note["encoder"] for note in noted["encoders"]] == ["a", "b"]
    assert noted["earlier_environments"] == []  # the same machine
    assert (published / "tables" / "trials.csv").is_file()


def test_another_environment_is_remembered(published, tmp_path):
    noted = read_json(published / "manifest.json")
    save_manifest(published, noted | {"python": "3.99"})
    add_records(tmp_path / "later", [record(experiment="08_overlap")])
    for _ in range(2):  # publishing again adds nothing
        publish(tmp_path / "later", "paper")
        found = json.loads((published / "manifest.json").read_text())
        assert [(e["python"], e["cores"]) for e in found["earlier_environments"]] == [
            ("3.99", noted["cores"])
        ]


@pytest.mark.case(
    "numbers",
    "publishing a run that lacks published rows",
    "refused unless it is asked for by name",
)
def test_rows_are_dropped_only_when_asked(published, tmp_path, capsys):
    add_records(tmp_path / "later", [record(seed=0, value=0.75, experiment="04_table1")])
    before = errors(published)
    with pytest.raises(
        RecordError, match=r"lacks 1 published trainings, .*04_table1: A \(as published\), seed 1"
    ):
        publish(tmp_path / "later", "paper")
    assert main(["publish", str(tmp_path / "later"), "paper"]) == 2
    assert "--drop-rows" in capsys.readouterr().err
    assert errors(published) == before
    assert main(["publish", str(tmp_path / "later"), "paper", "--drop-rows"]) == 0
    assert set(errors(published)) == set(before) - {("04_table1", "A", 1)}


def test_rows_are_added_to_an_experiment_when_asked(published, tmp_path, capsys):
    later = tmp_path / "later"
    for seed in (0, 1):
        add_records(later, [record("B", seed=seed, value=0.9, experiment="04_table1")])
    assert main(["publish", str(later), "paper", "--add-rows"]) == 0
    first = {("05_modalities", "A", seed): 0.8 for seed in (0, 1)}
    both = {("04_table1", name, s): v for name, v in (("A", 0.7), ("B", 0.9)) for s in (0, 1)}
    assert errors(published) == first | both
    again = tmp_path / "again"  # a row is replaced with all its seeds, or not at all
    add_records(again, [record("B", value=0.6, experiment="04_table1", config="new")])
    with pytest.raises(RecordError, match="lacks 1 published trainings"):
        publish(again, "paper", add_rows=True)
    other = tmp_path / "other"
    add_records(other, [record("C", value=0.6, experiment="04_table1", fingerprint="g")])
    with pytest.raises(RecordError, match="of other data of the name ml-1m"):
        publish(other, "paper", add_rows=True)
    assert errors(published) == first | both


def test_seeds_join_those_of_a_row_with_the_same_settings(published, tmp_path):
    def later(number, **columns):
        run = tmp_path / f"later {number}"
        for seed in (2, 3):
            add_records(run, [record("A", value=0.6, experiment="04_table1", **columns, seed=seed)])
        return run

    before = errors(published)
    with pytest.raises(RecordError, match="lacks 2 published trainings"):
        publish(later(1, config="new"), "paper", add_rows=True)
    with pytest.raises(RecordError, match="of other data of the name ml-1m"):
        publish(later(2, fingerprint="g"), "paper", add_rows=True)
    with pytest.raises(RecordError, match="lacks 2 published trainings"):
        publish(later(3), "paper")
    both = later(4)
    add_records(both, [record("A", seed=0, value=0.6, experiment="04_table1")])
    with pytest.raises(RecordError, match="lacks 1 published trainings"):  # seed 1
        publish(both, "paper", add_rows=True)
    assert errors(published) == before
    publish(later(5), "paper", add_rows=True)
    assert errors(published) == before | {("04_table1", "A", seed): 0.6 for seed in (2, 3)}


def test_a_row_that_is_called_otherwise_now_is_withdrawn_by_name(published, tmp_path, capsys):
    later = tmp_path / "later"
    for seed in (0, 1):
        add_records(later, [record("A, renamed", seed=seed, value=0.7, experiment="04_table1")])
    command = ["publish", str(later), "paper", "--add-rows", "--withdraw"]
    assert main([*command, "Z"]) == 2 and "experiments is called 'Z'" in capsys.readouterr().err
    assert main(["publish", str(later), "paper", "--withdraw", "A"]) == 2
    assert "give --add-rows" in capsys.readouterr().err
    assert main([*command, "A"]) == 0
    assert {name for experiment, name, _ in errors(published) if experiment == "04_table1"} == {
        "A, renamed"
    }
    assert ("05_modalities", "A", 0) in errors(published)  # the run holds nothing of it


def test_tables_that_compare_rows_keep_those_that_stay(published, tmp_path):
    def told(*pairs, mean):
        rows = [
            {"metric": "hr@10", "mean": mean, "config": one, "other_config": other}
            for one, other in pairs
        ]
        return pd.DataFrame(rows)

    def tables(number, *rows):
        run = tmp_path / f"run {number}"
        for name, config in rows:
            add_records(run, [record(name, config=config, experiment="11_layers")])
        return run

    def compared():
        found = published_table("paper", "compared").fillna("")
        return [tuple(row) for row in found[["config", "other_config", "mean"]].to_numpy()]

    first = tables(0, ("A", "a"), ("B", "b"))
    keep_table(first, "compared", told(("a", ""), ("a", "b"), ("b", ""), ("gone", ""), mean=0.25))
    publish(first, "paper")
    second = tables(1, ("A", "a"), ("C", "c"))
    same, other = told(("a", ""), mean=0.25), told(("a", "c"), mean=0.5)
    keep_table(second, "compared", pd.concat([same, other]))
    publish(second, "paper", add_rows=True)
    assert compared() == [("a", "", 0.25), ("a", "c", 0.5), ("a", "b", 0.25), ("b", "", 0.25)]
    third = tables(2, ("A", "a"))  # measured otherwise: its comparisons were with other values
    keep_table(third, "compared", told(("a", ""), mean=0.75))
    publish(third, "paper", add_rows=True)
    assert compared() == [("a", "", 0.75), ("b", "", 0.25)]
    publish(second, "paper", tables_only=True)
    assert len(published_table("paper", "compared")) == 2  # as the run has it


def test_a_run_without_records_is_refused(published, tmp_path):
    with pytest.raises(RecordError, match="no records to publish"):
        publish(tmp_path / "empty", "paper")


@pytest.mark.case(
    "hostile", "publish a run as ../../x", "refused: a name that is not one plain folder name"
)
@pytest.mark.parametrize(
    "name", ["../../x", "..", ".", "", "a/b", "/x", "a b", "-x", ".hidden", "a\n", "n" * 101]
)
def test_a_run_is_published_under_one_plain_name_only(published, tmp_path, name):
    with pytest.raises(ConfigError, match="one plain name"):
        publish(tmp_path / "first", name)


def test_the_same_settings_measured_twice_are_set_side_by_side(published, tmp_path, capsys):
    again = tmp_path / "again"
    for seed, value in ((0, 0.71), (1, 0.68)):
        add_records(again, [record(seed=seed, value=value, experiment="04_table1", seconds=2.0)])
    add_records(again, [record(seed=0, value=0.3, experiment="05_modalities", config="other")])
    found = agreement(read_records(again), read_records(published), ["mse"])
    assert found[["experiment", "seeds", "others", "ours"]].round(6).to_numpy().tolist() == [
        ["04_table1", 2, 0.7, 0.695]
    ]
    assert found["largest"].tolist() == pytest.approx([0.02])
    assert main(["compare", str(again)]) == 0
    assert "0.6950" in capsys.readouterr().out
    assert main(["compare", str(again), "--metric", "hr@10"]) == 0
    assert "holds no hr@10" in capsys.readouterr().out
    before = errors(published)
    keep_table(again, "trials", pd.DataFrame({"trial": [7]}))
    assert main(["publish", str(again), "paper", "--tables-only"]) == 0
    assert errors(published) == before
    assert pd.read_csv(published / "tables" / "trials.csv")["trial"].tolist() == [7]
    kept = pd.read_csv(published / "tables" / "remeasured.csv")
    assert agreement_sentence(kept, "mse") == (
        "MSE: 0 of 1 rows are the same in both; largest difference of a seed 0.0200 (A), "
        "of a mean 0.0050; median standard deviation over seeds 0.0000."
    )
    publish(again, "paper", drop_rows=True)
    kept = pd.read_csv(published / "tables" / "remeasured.csv")
    assert kept[["variant", "metric", "largest"]].to_numpy().tolist() == [["A", "mse", 0.02]]
    publish(again, "paper")  # again: nothing new, so the table stays
    assert len(pd.read_csv(published / "tables" / "remeasured.csv")) == 1


def test_what_was_measured_again_stays_when_another_experiment_is(published, tmp_path):
    for experiment, value in (("04_table1", 0.71), ("05_modalities", 0.31), ("04_table1", 0.72)):
        again = tmp_path / f"{experiment}-{value}"
        add_records(again, [record(value=value, experiment=experiment, seconds=value)])
        publish(again, "paper", drop_rows=True)
    kept = pd.read_csv(published / "tables" / "remeasured.csv")
    assert kept[["experiment", "ours"]].to_numpy().tolist() == [
        ["05_modalities", 0.31],
        ["04_table1", 0.72],
    ]
