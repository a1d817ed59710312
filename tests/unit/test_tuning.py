"""Search of hyper-parameters: reproducible, resumable, fair, and blind to the test part."""

import dataclasses
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from bonmf_lib.claims.reading import read_claims
from bonmf_lib.encoders.preparation import PREPARATIONS
from bonmf_lib.errors import ConfigError, TrainingError
from bonmf_lib.evaluation.rules import FULL_RANKING
from bonmf_lib.experiments.registry import EXPERIMENTS, asked
from bonmf_lib.experiments.search_spaces import SPACES, WIDE_SPACES
from bonmf_lib.experiments.table1 import ON_FRESH_SPLITS, best_rows, tuned_rows
from bonmf_lib.integrity import read_json, write_json
from bonmf_lib.models import ClosedFormModel, RatingModel, build_model, get_model, list_models
from bonmf_lib.report import tables
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.runner import run_variants
from bonmf_lib.runs.training import Training
from bonmf_lib.runs.trials import read_trials
from bonmf_lib.runs.variant import variant_hash
from bonmf_lib.splits.rules import Ratio
from bonmf_lib.splits.split import PARTS
from bonmf_lib.training import search as tuning
from bonmf_lib.training.batches import Triples
from bonmf_lib.training.config import TrainingConfig
from bonmf_lib.training.loop import fit, predict
from bonmf_lib.training.search import PRUNING_STARTS, STARTUP_TRIALS, Search, Settings, choose
from tests.conftest import CPU, ROOT, model_inputs

TRAINING = TrainingConfig(epochs=5, batch_size=512, learning_rate=0.005, patience=2)
RATES = {"training.learning_rate": FloatDistribution(1e-3, 2e-2, log=True)}
FACTORS = RATES | {"model.factors": CategoricalDistribution([10, 50, 100])}


@pytest.fixture
def search(planted, split, inputs, tmp_path):
    """Run a search and give its choice and its trials without their seconds."""

    def run(
        space=FACTORS,
        trials=7,
        model="biased-svd",
        training=TRAINING,
        seed=0,
        file="trials.json",
        distinct=False,
        prune_after=PRUNING_STARTS,
        **changes,
    ):
        given = {"dataset": planted, "split": split, "inputs": inputs} | changes
        start, path = Settings(get_model(model).config(), training), tmp_path / file
        chosen = choose(
            model, start, Search(tuple(space.items()), trials, distinct, prune_after),
            given["dataset"], given["split"], given["inputs"], seed, CPU, path, "test",
        )  # fmt: skip
        return chosen, timeless(path)

    return run


def timeless(path) -> list[dict]:
    trials = read_json(path, path.stem)["trials"]
    return [{name: value for name, value in trial.items() if name != "seconds"} for trial in trials]


# What a search tries and what it chooses


def test_same_search_twice_has_the_same_trials_and_another_seed_others(search):
    one, again, other = (
        search(file="one.json"),
        search(file="again.json"),
        search(file="other.json", seed=1),
    )
    assert one == again
    assert [trial["params"] for trial in one[1]][1:] != [trial["params"] for trial in other[1]][1:]


def test_first_trial_has_the_given_settings_and_later_ones_do_not(search):
    _, trials = search()
    given = {
        "training.learning_rate": 0.005,
        "model.factors": get_model("biased-svd").config().factors,
    }
    assert trials[0]["params"] == given
    assert [trial["number"] for trial in trials] == list(range(7))
    assert len({json.dumps(trial["params"]) for trial in trials}) == 7
    for trial in trials:
        for name, distribution in FACTORS.items():
            assert distribution._contains(distribution.to_internal_repr(trial["params"][name]))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_choice_is_the_complete_trial_with_the_lowest_error_and_its_best_epoch(search, seed):
    chosen, trials = search(seed=seed)
    complete = [trial for trial in trials if trial["state"] == "COMPLETE"]
    best = min(complete, key=lambda trial: min(trial["curve"]))
    assert chosen.training.learning_rate == best["params"]["training.learning_rate"]
    assert chosen.model_config.factors == best["params"]["model.factors"]
    assert chosen.training.epochs == np.argmin(best["curve"]) + 1
    assert chosen.training.patience is None
    assert chosen.training.batch_size == TRAINING.batch_size
    for trial in complete:
        assert trial["value"] == min(trial["curve"])
        assert trial["best_epoch"] == np.argmin(trial["curve"]) + 1


def test_best_epoch_may_lie_before_the_last(search):
    """A learning rate at which the network soon overfits: the chosen number of epochs is not the
    trial's."""
    fast = replace(TRAINING, epochs=30, learning_rate=0.05)
    chosen, (trial,) = search(
        {"training.learning_rate": FloatDistribution(0.01, 0.1)}, 1, training=fast
    )
    assert len(trial["curve"]) == trial["best_epoch"] + fast.patience < 30
    assert chosen.training.epochs == trial["best_epoch"]


def test_trial_is_the_training_that_its_settings_describe(search, planted, split, inputs):
    chosen, trials = search()
    model = build_model("biased-svd", chosen.model_config, inputs, seed=0)
    history = fit(model, planted, split, chosen.training, 0, CPU)
    assert min(history.valid) == min(t["value"] for t in trials if t["state"] == "COMPLETE")


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
def test_tuples_and_texts_can_be_searched(search):
    space = {
        "model.hidden": CategoricalDistribution([(128, 64), (16,)]),
        "model.modalities": CategoricalDistribution([("text", "image"), ("text",)]),
    }
    chosen, trials = search(space, 5, "bonmf")
    assert chosen.model_config.hidden in ((128, 64), (16,))
    assert {tuple(trial["params"]["model.hidden"]) for trial in trials} == {(128, 64), (16,)}
    again, _ = search(space, 5, "bonmf")  # read back from JSON, where tuples are lists
    assert again == chosen


# Interrupted searches


@pytest.mark.parametrize("killed_in", [0, 1, 4, 6])
def test_killed_search_goes_on_to_the_same_trials_and_choice(
    search, monkeypatch, tmp_path, killed_in
):
    whole = search(file="whole.json")
    with monkeypatch.context() as patch:
        patch.setattr(tuning, "fit", killed_at(killed_in))
        with pytest.raises(KeyboardInterrupt):
            search(file="killed.json")
    assert (
        len(timeless(tmp_path / "killed.json")) == killed_in
        if killed_in
        else not (tmp_path / "killed.json").exists()
    )
    calls = []
    monkeypatch.setattr(
        tuning, "fit", lambda *args, **kwargs: calls.append(1) or fit(*args, **kwargs)
    )
    assert search(file="killed.json") == whole
    assert len(calls) == 7 - killed_in


def killed_at(number: int):
    done = []

    def fit_until(*args, **kwargs):
        if len(done) == number:
            raise KeyboardInterrupt
        done.append(1)
        return fit(*args, **kwargs)

    return fit_until


def test_finished_search_trains_nothing(search, monkeypatch):
    first = search()
    monkeypatch.setattr(tuning, "fit", killed_at(0))
    assert search() == first


# Trials that go wrong


@pytest.mark.parametrize(
    "name", ["model.factor", "training.learning_rat", "optimiser.factors", "factors", "model.", ""]
)
@pytest.mark.parametrize("alone", [True, False])
def test_bad_names_in_a_space(search, name, alone):
    space = {name: FloatDistribution(0, 1)} if alone else RATES | {name: FloatDistribution(0, 1)}
    with pytest.raises(ConfigError, match=r"names model\.<field> or training\.<field>, got"):
        search(space, 2)


@pytest.mark.parametrize("space", [CategoricalDistribution([10, 50]), IntDistribution(101, 200)])
def test_search_that_leaves_out_its_start_is_refused(search, space):
    with pytest.raises(ConfigError, match="leaves out the settings it starts from"):
        search({"model.factors": space}, 2)


HUGE = {"training.learning_rate": CategoricalDistribution([0.005, 1e30])}


@pytest.mark.parametrize(
    "training",
    [TRAINING, replace(TRAINING, epochs=1, patience=None, batch_size=100_000)],
    ids=["in the loss", "only after the last batch"],
)
def test_diverging_trials_fail_and_are_not_chosen(search, training):
    chosen, trials = search(HUGE, 7, training=training)
    failed = [trial for trial in trials if trial["params"]["training.learning_rate"] == 1e30]
    assert 0 < len(failed) < 7
    for trial in failed:
        assert (trial["state"], trial["value"], trial["best_epoch"], trial["curve"]) == (
            "FAIL",
            None,
            0,
            [],
        )
    assert all(trial["state"] != "FAIL" for trial in trials if trial not in failed)
    assert chosen.training.learning_rate == 0.005


def test_search_goes_on_after_the_given_settings_diverge(search):
    chosen, trials = search(HUGE, 7, training=replace(TRAINING, learning_rate=1e30))
    assert trials[0]["state"] == "FAIL"
    assert chosen.training.learning_rate == 0.005


def test_search_without_a_finished_trial_says_so(search):
    with pytest.raises(TrainingError, match=r"no trial .* The last one said: .*the loss became"):
        search(
            {"training.learning_rate": CategoricalDistribution([1e30])},
            2,
            training=replace(TRAINING, learning_rate=1e30),
        )


@pytest.mark.parametrize("given", [PRUNING_STARTS, PRUNING_STARTS + 2])
def test_lagging_trial_is_stopped_early_and_not_chosen(search, tmp_path, given):
    """After better trials than this network can have, kept by hand, a new trial is stopped when it
    had its epochs; without them it is not."""
    patient = replace(TRAINING, patience=None, epochs=PRUNING_STARTS + 3)
    _, alone = search(FACTORS, STARTUP_TRIALS + 1, training=patient, file="alone.json")
    kept = [
        {"number": n, "params": trial["params"], "state": "COMPLETE", "value": 0.01,
         "best_epoch": 1, "curve": [0.01] * patient.epochs, "seconds": 0.0}
        for n, trial in enumerate(alone[:-1])
    ]  # fmt: skip
    write_json(tmp_path / "lag.json", {"trials": kept}, "lag")
    chosen, (*_, last) = search(
        FACTORS, STARTUP_TRIALS + 1, training=patient, file="lag.json", prune_after=given
    )
    assert last["state"] == "PRUNED"
    assert len(last["curve"]) == given
    assert chosen.model_config.factors == kept[0]["params"]["model.factors"]
    assert [len(trial["curve"]) for trial in alone[:STARTUP_TRIALS]] == [
        patient.epochs
    ] * STARTUP_TRIALS


def test_pruned_trial_is_not_chosen_even_with_the_lowest_error(search, tmp_path):
    _, trials = search(trials=2)
    trials[1] |= {"state": "PRUNED", "value": 0.0}
    write_json(
        tmp_path / "trials.json", {"trials": [t | {"seconds": 0.0} for t in trials]}, "trials"
    )
    chosen, _ = search(trials=2)
    assert chosen.training.learning_rate == trials[0]["params"]["training.learning_rate"] == 0.005


@pytest.mark.parametrize("trials", [4, 9])
def test_distinct_trials_never_repeat_settings_and_a_small_grid_is_tried_whole(search, trials):
    grid = {
        "model.factors": CategoricalDistribution([10, 50, 100]),
        "training.batch_size": CategoricalDistribution([256, 512]),
    }
    once = replace(TRAINING, epochs=1)
    _, found = search(grid, trials, training=once, distinct=True)
    assert len(found) == min(trials, 6)
    assert len({json.dumps(trial["params"]) for trial in found}) == len(found)
    assert search(grid, trials, training=once, distinct=True)[1] == found  # from the file
    _, repeated = search(grid, 9, training=once, file="other.json")
    assert len({json.dumps(trial["params"]) for trial in repeated}) < len(repeated) == 9


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ([IntDistribution(10, 14, step=2)], 3),
        ([IntDistribution(8, 9, log=True), CategoricalDistribution([0.0, 1.0])], 4),
        ([FloatDistribution(0.0, 0.3, step=0.1)], 4),
        ([FloatDistribution(0.5, 0.5), IntDistribution(1, 2)], 2),
        ([FloatDistribution(0.0, 1.0), IntDistribution(1, 2)], 9),
    ],
)
def test_grids_of_numbers_are_tried_whole_too(values, count):
    space = tuple((f"model.{number}", one) for number, one in enumerate(values))
    assert Search(space, 9, distinct=True).count == count
    assert Search(space, 9).count == 9


def test_a_search_of_whole_numbers_ends_with_its_grid(search):
    grid = {"model.factors": IntDistribution(80, 100, step=10)}
    once = replace(TRAINING, epochs=1)
    _, found = search(grid, 9, training=once, distinct=True)
    assert sorted(trial["params"]["model.factors"] for trial in found) == [80, 90, 100]
    assert search(grid, 9, training=once, distinct=True)[1] == found  # from the file


def test_settings_that_are_lists_are_told_apart_too(search):
    space = {
        "model.modalities": CategoricalDistribution([("text", "image"), ("text",), ("image",)])
    }
    _, found = search(space, 5, "bonmf", replace(TRAINING, epochs=1), distinct=True)
    assert sorted(map(str, (trial["params"]["model.modalities"] for trial in found))) == [
        "['image']", "['text', 'image']", "['text']",
    ]  # fmt: skip


def test_searches_of_published_rows_keep_their_hash():
    plain, asked = Search((), 3), Search((), 3, True, 50)
    assert plain.described() == {"trials": 3, "space": {}}
    assert asked.described() == plain.described() | {"distinct": True, "prune_after": 50}


# The study's spaces


def rows_of(profile: str, tmp_path) -> list:
    run = Run(NotebookParameters(profile=profile, run_dir=str(tmp_path)))
    return tuned_rows(run) + best_rows(run)


SIMPLE_MODELS_OF_09 = ("item-mean", "genre-mean", "content-ridge", "content-neighbours")
PROFILES = sorted(path.stem for path in (ROOT / "papermill_runs" / "profiles").glob("*.yaml"))


@pytest.mark.parametrize("profile", PROFILES)
def test_every_row_has_the_same_number_of_trials(profile, tmp_path):
    rows = rows_of(profile, tmp_path)
    assert len({row.search.trials for row in rows}) == 1
    assert (
        len({(row.training.epochs, row.training.batch_size, row.training.patience) for row in rows})
        == 1
    )
    assert {row.protocol for row in rows} == {"tuned"}
    assert {row.model for row in rows} == set(SPACES)
    # One model has nothing to tune; the others are compared at one setting each (07 to 09), or by
    # the searches of 15, in no table of tuned rows.
    rating = {name for name in list_models() if issubclass(get_model(name).model, RatingModel)}
    elsewhere = {"visual-fusion", "content-bias", *SIMPLE_MODELS_OF_09, "bonmf-stand-in"}
    assert rating - set(SPACES) == {"global-mean"} | elsewhere


@pytest.mark.parametrize("profile", PROFILES)
def test_spaces_name_fields_and_hold_the_starting_settings(profile, tmp_path):
    for row in rows_of(profile, tmp_path):
        start = Settings(row.model_config, row.training)
        for name, value in start.values(row.search).items():  # raises where a name is no field
            distribution = dict(row.search.space)[name]
            try:
                inside = distribution._contains(distribution.to_internal_repr(value))
            except ValueError:  # no choice of a categorical one
                inside = False
            assert inside, (row.name, name, value)


@pytest.mark.parametrize("model", sorted(SPACES))
def test_models_are_searched_over_what_they_have(model):
    """Trained models vary the learning rate; closed forms, which have none, vary no training
    setting."""
    names = set(SPACES[model])
    if issubclass(get_model(model).model, ClosedFormModel):
        assert not any(name.startswith("training.") for name in names)
    else:
        assert {"training.learning_rate", "model.regularisation"} < names


def test_wide_searches_are_as_wide_for_every_trained_model(tmp_path):
    run = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path)))
    assert run.settings.tuning.wide is not None
    rows = EXPERIMENTS["04_tuned"].rows(run)
    assert {row.model for row in rows} == set(SPACES) == set(WIDE_SPACES)
    for row in rows:
        space = dict(row.search.space)
        for modality in ("text", "image"):
            asked = space.get(f"model.{modality}_preparation")
            assert row.uses(modality) == (asked is not None), row.name
            assert asked is None or asked.choices == PREPARATIONS
        if issubclass(get_model(row.model).model, ClosedFormModel):
            continue
        assert space["training.weight_decay"].choices[0] == 0
        rate = space["training.learning_rate"]
        assert (rate.low, rate.high) == (3e-4, 3e-2)
        narrow = SPACES[row.model]["training.learning_rate"]
        assert rate.low < narrow.low and narrow.high < rate.high
        small, large = run.settings.tuning.wide.small_batch, run.settings.tuning.batch_size
        batches = getattr(space.get("training.batch_size"), "choices", None)
        assert batches == (None if row.model in ("bonmf+", "svd++") else (small, large))


def test_means_of_factorisations_and_shuffled_content_stand_beside_the_best_rows(tmp_path):
    run = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path)))
    rows = {row.name: row for row in EXPERIMENTS["04_tuned"].rows(run)}
    members = run.settings.comparison.ensemble_members
    for name in ("Biased SVD", "SVD++", "BoNMF+"):
        mean = rows[f"{name}, {members} members"]
        assert mean == dataclasses.replace(rows[name], name=mean.name, members=members)
    for name in ("BoNMF", "BoNMF+"):
        control = rows[f"{name}, shuffled"]
        assert control.search == rows[name].search
        assert control.text_encoder.endswith("-shuffled")
        assert control.image_encoder.endswith("-shuffled")


def test_the_best_model_is_searched_as_widely_as_its_rivals_where_nothing_was_chosen(tmp_path):
    run = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path)))
    rows, seeds = asked(run, "04_fresh_splits")
    known = run.settings
    assert not set(seeds) & set(known.seeds) and len(seeds) == known.tuning.fresh.seeds
    named = {row.name: row for row in rows}
    assert set(named) == {"BoNMF+", "Biased SVD", "SVD++", "BoNMF+, shuffled"}
    fresh, ours, control = known.tuning.fresh, named["BoNMF+"], named["BoNMF+, shuffled"]
    for row in rows:
        space = dict(row.search.space)
        assert row.protocol == ON_FRESH_SPLITS and row.search.trials == fresh.trials
        assert (row.training.epochs, row.training.patience) == (fresh.epochs, fresh.patience)
        assert space.items() >= WIDE_SPACES[row.model].items()
    small = dict(named["Biased SVD"].search.space)["training.batch_size"]
    assert small.choices == (fresh.small_batch, known.tuning.batch_size)
    prepared = {"text_preparation": "native", "image_preparation": "native"}
    assert vars(ours.model_config).items() >= prepared.items()
    assert control.search == ours.search and control.model_config == ours.model_config
    assert control.text_encoder.endswith("-shuffled")
    assert control.image_encoder.endswith("-shuffled")
    claims = [claim for claim in read_claims() if claim.about == "Best-model"]
    assert {name for claim in claims for name in (claim.variant, *claim.than)} == set(named)
    assert {claim.protocol for claim in claims} == {ON_FRESH_SPLITS}


def test_the_papers_network_is_searched_as_widely_on_the_same_splits(tmp_path):
    run = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path)))
    (rows, seeds), (others, same) = (
        asked(run, name) for name in ("04_fresh_networks", "04_fresh_splits")
    )
    named, best = {row.name: row for row in rows}, {row.name: row for row in others}
    whole, texts = named["BoNMF"], named["BoNMF, no picture"]
    assert seeds == same and not set(named) & set(best)
    assert list(named)[:3] == ["NMD (ID only)", "BoNMF, no picture", "BoNMF"]
    for row in rows:
        space = dict(row.search.space)
        assert row.protocol == ON_FRESH_SPLITS and row.training == best["BoNMF+"].training
        assert space.items() >= WIDE_SPACES["bonmf"].items()
        read = {name.partition("_")[0] for name in space if name.endswith("_preparation")}
        assert {one.removeprefix("model.") for one in read} == set(row.model_config.modalities)
        assert len(space["training.batch_size"].choices) == 2
    assert {whole.model_config.text_preparation, texts.model_config.text_preparation} == {"native"}
    for row in (whole, texts):
        control = named[f"{row.name}, shuffled"]
        assert control.search == row.search and control.text_encoder.endswith("-shuffled")
    claims = [claim for claim in read_claims() if claim.about == "Wide-search"]
    asked_of = {name for claim in claims for name in (claim.variant, *claim.than)}
    assert asked_of == {*named, "Biased SVD"}
    assert {claim.protocol for claim in claims} == {ON_FRESH_SPLITS}


# The test part is never looked at


def with_other_ratings(dataset, rows):
    """The same data set, the ratings of these rows turned round: 1 becomes 5, 2 becomes 4."""
    ratings = dataset.ratings.copy()
    turned = dataset.scale.low + dataset.scale.high - ratings["rating"].to_numpy()[rows]
    ratings.iloc[rows, ratings.columns.get_loc("rating")] = turned
    return dataclasses.replace(dataset, ratings=ratings)


def chosen_and_refitted(search, model, dataset, file):
    """Search on validation, then train on training and validation ratings together, as the study
    does."""
    searched, final = (Ratio().split(dataset, 0, valid=valid) for valid in (0.1, 0.0))
    inputs = model_inputs(dataset, searched, "tfidf", "pixels")
    chosen, trials = search(
        SPACES[model], STARTUP_TRIALS + 1, model, replace(TRAINING, epochs=3, batch_size=1024),
        file=file, dataset=dataset, split=searched, inputs=inputs,
    )  # fmt: skip
    refitted = build_model(
        model, chosen.model_config, model_inputs(dataset, final, "tfidf", "pixels"), seed=0
    )
    fit(refitted, dataset, final, chosen.training, 0, CPU)
    return chosen, trials, refitted


POISONED = ["bonmf", "biased-svd", "svd++", "fm", "tensor-fusion", "user-item-bias"]


@pytest.mark.parametrize("model", POISONED)
def test_poisoned_test_ratings_change_no_choice_and_no_weight(search, planted, split, model):
    poisoned = with_other_ratings(planted, split.test)
    chosen, trials, refitted = chosen_and_refitted(search, model, planted, "clean.json")
    other_chosen, other_trials, other = chosen_and_refitted(
        search, model, poisoned, "poisoned.json"
    )
    assert chosen == other_chosen
    assert trials == other_trials
    state, other_state = refitted.state_dict(), other.state_dict()
    assert state.keys() == other_state.keys()
    for name, value in state.items():
        assert torch.equal(value, other_state[name]), name
    # what no state holds: histories, fields
    everyone = Triples.of(planted, np.arange(len(planted.ratings)), CPU)
    one, two = (predict(model, everyone.users, everyone.items) for model in (refitted, other))
    assert torch.equal(one, two)


@pytest.mark.parametrize("part", ["train", "valid"])
@pytest.mark.parametrize("model", ["biased-svd", "user-item-bias"])
def test_other_training_or_validation_ratings_do_change_the_trials(
    search, planted, split, model, part
):
    """The test above could fail: what may be looked at is."""
    _, trials, refitted = chosen_and_refitted(search, model, planted, "clean.json")
    poisoned = with_other_ratings(planted, getattr(split, part))
    _, other_trials, other = chosen_and_refitted(search, model, poisoned, "poisoned.json")
    assert [trial["value"] for trial in trials] != [trial["value"] for trial in other_trials]
    assert not torch.equal(refitted.user_bias, other.user_bias)


@pytest.mark.parametrize("model", ["bonmf", "biased-svd", "svd++"])
def test_poisoned_test_ratings_change_nothing_with_implicit_feedback(planted, model):
    settings = TrainingConfig(epochs=2, batch_size=512, loss="bce", negatives=2)
    split = Ratio().split(planted, 0)
    states = []
    for dataset in (planted, with_other_ratings(planted, split.test)):
        built = build_model(
            model,
            get_model(model).config(),
            model_inputs(dataset, split, "tfidf", "pixels"),
            seed=0,
        )
        history = fit(built, dataset, split, settings, 0, CPU)
        states.append(built.state_dict() | {"loss": torch.tensor(history.train_loss)})
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


ROWS = ["BoNMF", "Tensor product", "User + item bias", "Biased SVD", "SVD++", "FM"]


def test_poisoned_test_ratings_change_no_prediction_of_a_run(tmp_path):
    """From the data set to the records: equal trials and predictions, and errors that are not."""
    runs = [
        Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path / name)))
        for name in ("clean", "poisoned")
    ]
    rows = {row.name: row for row in tuned_rows(runs[0])}
    best = replace(best_rows(runs[0])[1], members=2)
    variants = [
        replace(row, search=replace(row.search, trials=3))
        for row in (*(rows[name] for name in ROWS), best)
    ]
    published = replace(
        rows["BoNMF"],
        protocol="as published",
        search=None,
        training=replace(TRAINING, patience=None),
    )
    implicit = replace(published.training, epochs=2, loss="bce", negatives=1)
    variants += [
        published,
        replace(published, protocol="early stopped", training=TRAINING),
        replace(published, name="BoNMF, implicit", training=implicit, evaluation=FULL_RANKING),
    ]
    test = Training(runs[0], variants[0], 0).split.test
    runs[1].dataset = with_other_ratings(runs[0].dataset, test)
    clean, poisoned = (run_variants(run, "e", variants, seeds=(0,)) for run in runs)
    for variant in variants:
        if variant.search:
            first, second = (Training(run, variant, 0).trials_path for run in runs)
            assert first.name != second.name  # searched anew
            assert timeless(first) == timeless(second)
        one, two = (Training(run, variant, 0).predictions() for run in runs)
        assert np.array_equal(one["predicted"], two["predicted"]), variant.name
        assert (one["rating"] + two["rating"] == 6).all()
        one, two = (Training(run, variant, 0).history() for run in runs)
        assert one.train_loss == two.train_loss
        np.testing.assert_array_equal(one.valid, two.valid)
    keys = ["variant", "protocol"]
    mse, other_mse = (
        table[table["metric"] == "mse"].set_index(keys)["value"] for table in (clean, poisoned)
    )
    assert len(mse) == len(variants) - 1  # implicit feedback has no rating error
    assert (mse < 0.8 * other_mse).all()
    trials = read_trials(runs[0], variants, (0,))
    assert (trials.groupby("variant").size() == 3).all()


RANKERS = ["BPR", "LightGCN", "BUIR", "VBPR", "GRCN", "LATTICE", "FREEDOM", "BM3"]


def with_other_items(tmp_path, name: str, part: str) -> list[Training]:
    """A searched row of 12 on the given data, and where one part of its pairs has other items."""
    runs = []
    for folder in ("clean", "poisoned"):
        run = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path / folder)))
        own = replace(run.settings.multimodal, epochs=4)
        run.settings = replace(run.settings, multimodal=own)
        runs.append(run)
    (row,) = (one for one in EXPERIMENTS["12_tuned"].rows(runs[0]) if one.name == name)
    changed = getattr(Training(runs[0], row, 0).split, part)
    ratings = runs[0].dataset.ratings.copy()
    column = ratings.columns.get_loc("item")
    ratings.iloc[changed, column] = (ratings.iloc[changed, column] + 1) % runs[0].dataset.n_items
    runs[1].dataset = replace(runs[0].dataset, ratings=ratings)
    one, other = (Training(run, row, 0) for run in runs)
    for where in PARTS:
        assert np.array_equal(getattr(one.split, where), getattr(other.split, where))
    for training in (one, other):
        training.train()
    return [one, other]


def all_scores(training: Training) -> torch.Tensor:
    model = training.model().eval()
    return model.score_all_items(torch.arange(model.n_users))


@pytest.mark.parametrize("name", RANKERS)
def test_other_test_items_change_no_trial_and_no_score_of_a_ranker(tmp_path, name):
    """Searched, stopped early and watched on validation items; only what tests is another's."""
    one, other = with_other_items(tmp_path, name, "test")
    assert timeless(one.trials_path) == timeless(other.trials_path)
    assert torch.equal(all_scores(one), all_scores(other))
    assert one.metrics()["recall@20"] != other.metrics()["recall@20"]


@pytest.mark.parametrize("name", ["BPR", "BM3"])
def test_other_validation_items_change_the_trials_of_a_ranker(tmp_path, name):
    """The test above could fail: these are looked at."""
    one, other = (timeless(part.trials_path) for part in with_other_items(tmp_path, name, "valid"))
    assert [trial["curve"] for trial in one] != [trial["curve"] for trial in other]


def test_tuned_row_is_trained_on_training_and_validation_ratings_together(tmp_path):
    run = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path)))
    (row,) = (row for row in tuned_rows(run) if row.name == "Biased SVD")
    records = run_variants(run, "e", [row], seeds=(0,))
    assert set(records["split"]) == {"ratio(test=0.3, valid=0)"}
    (trials,) = (timeless(path) for path in (tmp_path / "tuning").glob("*.json"))
    best = min((t for t in trials if t["state"] == "COMPLETE"), key=lambda trial: trial["value"])
    history = Training(run, row, 0).history()
    assert len(history.train_loss) == best["best_epoch"]
    assert np.isnan(history.valid).all()


def test_a_tuned_row_may_leave_validation_ratings_out(tmp_path):
    run = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path)))
    (joined,) = (row for row in tuned_rows(run) if row.name == "Biased SVD")
    row = replace(joined, holds_out=True)
    assert variant_hash(run, row) != variant_hash(run, joined)
    records = run_variants(run, "e", [row], seeds=(0,))
    assert set(records["split"]) == {"ratio(test=0.3, valid=0.1)"}
    (trials,) = (timeless(path) for path in (tmp_path / "tuning").glob("*.json"))
    best = min((t for t in trials if t["state"] == "COMPLETE"), key=lambda trial: trial["value"])
    assert min(Training(run, row, 0).history().valid) == pytest.approx(best["value"], rel=1e-6)


@pytest.mark.parametrize(("metric", "best"), [("mse", "0.1"), ("hr@10", "0.5")])
def test_the_best_trial_is_the_lowest_error_or_the_highest_hit_rate(metric, best):
    trials = pd.DataFrame(
        {
            "variant": "A", "seed": 0, "params": ['{"model.l2": 0.1}', '{"model.l2": 0.5}', "{}"],
            "state": ["COMPLETE", "COMPLETE", "PRUNED"], "value": [0.3, 0.4, 0.9],
            "best_epoch": [2, 3, 1],
        }
    )  # fmt: skip
    chosen = tables.chosen_settings(trials, metric).loc["A"]
    assert chosen["settings"] == f"l2 = {best}"
    value = {"mse": "validation MSE", "hr@10": "validation HR@10"}[metric]
    assert chosen[[value, "trials", "pruned"]].tolist() == [
        {"mse": 0.3, "hr@10": 0.4}[metric],
        3,
        1,
    ]
