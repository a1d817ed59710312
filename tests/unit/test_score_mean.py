"""The mean of rankers' scores: the equation on whole matrices of scores, and what is refused."""

import pytest
import torch

from bonmf_lib.errors import ModelError
from bonmf_lib.experiments import multimodal_ranking as rows_of
from bonmf_lib.models import build_model
from bonmf_lib.models.ranking.bpr_mf import BPRMFConfig
from bonmf_lib.models.ranking.lightgcn import LightGCNConfig
from bonmf_lib.models.ranking.score_mean import ScoreMeanConfig
from bonmf_lib.models.ranking.vbpr import VBPRConfig
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.training import Training


@pytest.fixture
def parts(inputs):
    """Two rankers, one of which has scores a thousand times as large."""
    small = build_model("lightgcn", LightGCNConfig(factors=5), inputs, 0)
    large = build_model("vbpr", VBPRConfig(factors=3), inputs, 1)
    with torch.no_grad():
        large.user_factors.weight *= 1000
        large.item_bias.weight += torch.randn(inputs.n_items, 1)
    return [small.eval(), large.eval()]


def test_every_ranker_counts_by_its_spread(parts, inputs):
    """Of all users' scores of all items, computed pair by pair."""
    mean = build_model("score-mean", ScoreMeanConfig(factors=5 + 7), inputs, 0)
    mean.start_from(parts)
    users, expected = torch.arange(inputs.n_users), 0
    for part in parts:
        scores = part.score_all_items(users).double()
        expected = expected + scores / scores.std(correction=0) / 2
    found = mean.score_all_items(users).double()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    pairs = torch.tensor([0, 7, 7]), torch.tensor([3, 0, 9])
    torch.testing.assert_close(mean.score(*pairs).double(), expected[pairs], rtol=1e-4, atol=1e-4)


def test_constant_scores_are_left_as_they_are(inputs):
    flat = build_model("lightgcn", LightGCNConfig(factors=2), inputs, 0).eval()
    with torch.no_grad():
        for table in flat.parameters():
            table.zero_()
    mean = build_model("score-mean", ScoreMeanConfig(factors=4), inputs, 0)
    mean.start_from([flat, flat])
    assert not mean.score_all_items(torch.tensor([0])).any()


def test_what_is_no_pair_of_such_rankers_is_refused(parts, inputs):
    mean = build_model("score-mean", ScoreMeanConfig(factors=12), inputs, 0)
    other = build_model("bpr-mf", BPRMFConfig(factors=5), inputs, 0)
    with pytest.raises(ModelError, match="dot products, got LightGCN, BPRMF"):
        mean.start_from([parts[0], other])
    with pytest.raises(ModelError, match="got LightGCN"):
        mean.start_from(parts[:1])
    with pytest.raises(ModelError, match="of 12 numbers together, got 10"):
        mean.start_from([parts[0], parts[0]])
    with pytest.raises(ModelError, match="starts from trained rankers"):
        mean.solve(*(torch.zeros(1),) * 3)


def test_the_rows_mean_is_of_models_on_one_modality_each(tmp_path):
    whole = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path)))
    (run,) = rows_of.data_sets(whole)
    for row in rows_of.ensemble_rows(run):
        if not row.starts_from:
            continue
        assert [part.model_config.modalities for part in row.starts_from] == [
            ("text",), ("image",),
        ]  # fmt: skip
        shuffled = [
            str(getattr(part, f"{what}_encoder")).endswith("-shuffled")
            for part, what in zip(row.starts_from, ("text", "image"), strict=True)
        ]
        assert shuffled == [row.name.endswith("shuffled")] * 2
        Training(run, row, 0).untrained().start_from(
            [Training(run, part, 0).untrained() for part in row.starts_from]
        )
