"""``make bench``: the library against plain references, side by side in one run, on data of
MovieLens-1M's size.

References: a DataLoader over (user, item, rating) rows with one concatenation per batch, as
tutorials write it; the tensor product written out; PyTorch's product of a CSR matrix for users'
histories; scoring all pairs user by user; a Python loop over users for NDCG; ratings ranked anew
for every cut-off; trainings one after the other in one process. Before anything is timed, both
sides must give the same numbers.
"""

import argparse
import os
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from bonmf_lib.datasets.dataset import Dataset, RatingScale
from bonmf_lib.device import device_name, pick_device
from bonmf_lib.encoders.features import Features
from bonmf_lib.evaluation import TopKDefinition, rating_errors, rating_metrics, top_k
from bonmf_lib.evaluation.rating import KS
from bonmf_lib.models import ModelInputs, RatingModel, build_model
from bonmf_lib.models.layers import SparseRows
from bonmf_lib.models.rating.bonmf import BoNMFConfig
from bonmf_lib.models.rating.tensor_fusion import TensorFusionConfig
from bonmf_lib.parallel import in_parallel
from bonmf_lib.splits.split import Split
from bonmf_lib.training.config import TrainingConfig
from bonmf_lib.training.loop import fit

# MovieLens-1M; the paper's text and picture vectors are about 768-d each
USERS, ITEMS, DIM = (
    6040,
    3706,
    768,
)
LOSS_TOLERANCE = 1e-4  # relative
CPU = torch.device("cpu")


class PlainBoNMF(nn.Module):
    """The same maths without tables: look up, concatenate, MLP."""

    def __init__(self, model):
        super().__init__()
        self.user_embedding, self.item_embedding = model.user_embedding, model.item_embedding
        self.first, self.rest = model.first, model.rest
        self.register_buffer(
            "features", torch.cat([table.matrix for table in model.modalities.values()], dim=1)
        )

    def forward(self, users, items):
        parts = [self.user_embedding(users), self.item_embedding(items), self.features[items]]
        return self.rest(self.first(torch.cat(parts, dim=1))).squeeze(-1)


def synthetic(ratings: int) -> tuple[Dataset, Split, ModelInputs]:
    """Random ratings and features; speed does not depend on what they say."""
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {"user": random.integers(0, USERS, ratings), "item": random.integers(0, ITEMS, ratings)}
    )
    table["rating"] = random.integers(1, 6, ratings).astype(np.float32)
    ids = {
        "users": pd.DataFrame({"raw_id": range(USERS)}),
        "items": pd.DataFrame({"raw_id": range(ITEMS)}),
    }
    dataset = Dataset(
        "synthetic", "packaged", table, ids["users"], ids["items"], RatingScale(1, 5, 1)
    )
    rows = np.arange(ratings)
    split = Split(rows[:-10], rows[:0], rows[-10:], "bench", 0, ratings)
    present = np.ones(ITEMS, bool)
    text, image = (
        Features(
            random.standard_normal((ITEMS, DIM), dtype=np.float32), present, "random", "1", "k"
        )
        for _ in range(2)
    )
    return dataset, split, ModelInputs(USERS, ITEMS, 3.0, text, image)


def library_epoch(data, batch: int, device) -> tuple[float, float]:
    """Seconds and mean loss of one epoch of ``fit``."""
    dataset, split, inputs = data
    model = build_model("bonmf", BoNMFConfig(), inputs, seed=0)
    history = fit(model, dataset, split, TrainingConfig(epochs=1, batch_size=batch), 0, device)
    return history.seconds[0], history.train_loss[0]


def reference_epoch(data, batch: int, device) -> tuple[float, float]:
    """The same epoch by DataLoader and concatenation: same weights, same order of rows."""
    dataset, split, inputs = data
    model = PlainBoNMF(build_model("bonmf", BoNMFConfig(), inputs, seed=0)).to(device)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    table = dataset.ratings.iloc[split.train]
    rows = TensorDataset(
        *(torch.tensor(table[name].to_numpy()) for name in ("user", "item", "rating"))
    )
    generator = torch.Generator().manual_seed(
        int(np.random.SeedSequence([0, 0]).generate_state(1)[0])
    )
    order = torch.randperm(len(rows), generator=generator).tolist()
    started, total = time.perf_counter(), 0.0
    for users, items, ratings in DataLoader(rows, batch_size=batch, sampler=order):
        loss = nn.functional.mse_loss(model(users.to(device), items.to(device)), ratings.to(device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.item() * len(ratings)
    return time.perf_counter() - started, total / len(rows)


def bench_training(data, batch: int, device, rounds: int) -> dict:
    """Alternate both sides; losses must agree, ratios are taken pair by pair."""
    pairs = [
        (reference_epoch(data, batch, device), library_epoch(data, batch, device))
        for _ in range(rounds)
    ]
    for (_, reference_loss), (_, library_loss) in pairs:
        assert abs(reference_loss - library_loss) < LOSS_TOLERANCE * reference_loss, (
            reference_loss,
            library_loss,
        )
    return row(f"training epoch, batch {batch}", [(a[0], b[0]) for a, b in pairs])


def bench_tensor_fusion(data, batch: int, device, rounds: int) -> dict:
    """Forward and backward pass of tensor fusion: the outer product written out, against the
    factored one."""
    model = build_model("tensor-fusion", TensorFusionConfig(), data[2], seed=0).to(device)
    random = torch.Generator().manual_seed(0)
    users, items = (
        torch.randint(size, (batch,), generator=random).to(device) for size in (USERS, ITEMS)
    )

    def written_out():
        one = torch.ones(batch, 1, device=device)
        parts = [
            torch.cat([one, model.user_embedding(users)], 1),
            torch.cat([one, model.item_embedding(items)], 1),
        ]
        parts += [torch.cat([one, features(items)], 1) for features in model.modalities.values()]
        product = parts[0]
        for part in parts[1:]:
            product = (product.unsqueeze(2) * part.unsqueeze(1)).flatten(1)
        return model.rest(model.first(product).relu()).squeeze(-1)

    def backward(forward: Callable) -> Callable:
        def call():
            model.zero_grad()
            forward().square().mean().backward()

        return call

    torch.testing.assert_close(written_out(), model(users, items), atol=1e-4, rtol=1e-4)
    pairs = timed_pairs(backward(written_out), backward(lambda: model(users, items)), rounds)
    return row(f"tensor fusion, batch {batch}", pairs)


def bench_histories(data, device, rounds: int, dim: int = 128) -> dict:
    """Sums over all users' histories, forward and backward: products of CSR matrices, both kept,
    against weighted sums of rows."""
    users, items = (
        torch.tensor(data[0].ratings[name].to_numpy(), device=device) for name in ("user", "item")
    )
    values = torch.rand(len(users), generator=torch.Generator().manual_seed(0)).to(device)
    histories = SparseRows(users, items, values, (USERS, ITEMS)).to(device)
    with warnings.catch_warnings(
        action="ignore"
    ):  # PyTorch calls CSR a beta feature, and invariants unchecked
        matrix = torch.sparse_coo_tensor(
            torch.stack([users, items]), values, (USERS, ITEMS)
        ).coalesce()
        forth, back = matrix.to_sparse_csr(), matrix.t().coalesce().to_sparse_csr()
    table = (
        torch.randn(ITEMS, dim, generator=torch.Generator().manual_seed(1))
        .to(device)
        .requires_grad_()
    )

    def reference():
        sums = forth @ table.detach()
        return sums, back @ sums

    def library():
        sums = histories(table)
        return sums.detach(), torch.autograd.grad(sums, table, sums.detach())[0]

    torch.testing.assert_close(reference(), library(), atol=1e-3, rtol=1e-4)
    return row(f"histories, {dim} factors", timed_pairs(reference, library, rounds))


def short_training(data, seed: int) -> float:
    """Last loss of two epochs of BoNMF."""
    dataset, split, inputs = data
    model = build_model("bonmf", BoNMFConfig(), inputs, seed)
    return fit(
        model, dataset, split, TrainingConfig(epochs=2, batch_size=8192), seed, CPU
    ).train_loss[-1]


def bench_workers(data, rounds: int) -> dict:
    """As many trainings as cores: in turn with all threads against side by side with one thread
    each."""
    cores = os.cpu_count() or 1
    jobs = [(data, seed) for seed in range(cores)]

    def side_by_side():
        os.environ["BONMF_WORKERS"] = str(cores)
        return list(in_parallel(short_training, jobs))

    def in_turn():
        return [short_training(*job) for job in jobs]

    # also starts the workers
    np.testing.assert_allclose(in_turn(), side_by_side(), rtol=LOSS_TOLERANCE)
    return row(f"{cores} trainings on {cores} cores", timed_pairs(in_turn, side_by_side, rounds))


def bench_all_pairs(data, device, rounds: int, users: int) -> dict:
    """Score every item for ``users`` users: user by user against two projected tables."""
    model = build_model("bonmf", BoNMFConfig(), data[2], seed=0).to(device).eval()
    plain = PlainBoNMF(model).eval()
    chosen, items = torch.arange(users, device=device), torch.arange(ITEMS, device=device)

    @torch.no_grad()
    def reference():
        return torch.stack([plain(user.expand(ITEMS), items) for user in chosen])

    torch.testing.assert_close(
        reference()[:5], model.score_all_items(chosen[:5]), atol=1e-3, rtol=1e-3
    )
    return row(
        f"all pairs, {users} users x {ITEMS} items",
        timed_pairs(reference, lambda: model.score_all_items(chosen), rounds),
    )


def bench_all_pairs_of_tensors(data, device, rounds: int, users: int) -> dict:
    """The same for tensor fusion: the forward pass user by user against one table of all items."""
    model = build_model("tensor-fusion", TensorFusionConfig(), data[2], seed=0).to(device).eval()
    chosen = torch.arange(users, device=device)

    def reference():
        return RatingModel.score_all_items(model, chosen)

    torch.testing.assert_close(reference(), model.score_all_items(chosen), atol=1e-3, rtol=1e-3)
    return row(
        f"all pairs of tensor fusion, {users} users",
        timed_pairs(reference, lambda: model.score_all_items(chosen), rounds),
    )


def bench_metrics(rounds: int) -> dict:
    """All recorded metrics of 300,000 ratings: ranked anew for every cut-off against ranked
    once."""
    random = np.random.default_rng(0)
    users, truth = (
        random.integers(0, USERS, 300_000),
        random.integers(1, 6, 300_000).astype(np.float32),
    )
    predicted = random.standard_normal(300_000).astype(np.float32)

    def reference():
        out = {}
        for k in KS:
            found = top_k(users, truth, predicted, TopKDefinition(k=k))
            out |= {
                f"{name}@{k}": np.nanmean(found[name]) for name in ("precision", "recall", "ndcg")
            }
        linear = top_k(users, truth, predicted, TopKDefinition(gain="linear"))["ndcg"]
        return rating_errors(truth, predicted) | out | {"ndcg-linear@10": np.nanmean(linear)}

    library = rating_metrics(users, truth, predicted)
    np.testing.assert_allclose(
        [reference()[name] for name in library], list(library.values()), rtol=1e-12
    )
    return row(
        "all metrics of 300,000 ratings",
        timed_pairs(reference, lambda: rating_metrics(users, truth, predicted), rounds),
    )


def bench_ndcg(rounds: int) -> dict:
    """NDCG@10 of 300,000 test ratings: a Python loop over users against the vectorised metric."""
    random = np.random.default_rng(0)
    users, truth = (
        random.integers(0, USERS, 300_000),
        random.integers(1, 6, 300_000).astype(np.float32),
    )
    predicted = random.standard_normal(300_000).astype(np.float32)

    def reference():
        out = []
        for user in np.unique(users):
            mine = np.flatnonzero(users == user)
            gains = np.exp2(truth[mine]) - 1
            discount = 1 / np.log2(np.arange(2, 12))[: len(mine)]
            got = gains[np.argsort(-predicted[mine], kind="stable")][:10] @ discount
            out.append(got / (np.sort(gains)[::-1][:10] @ discount))
        return np.array(out)

    np.testing.assert_allclose(reference(), top_k(users, truth, predicted)["ndcg"], rtol=1e-9)
    return row(
        "NDCG@10 of 300,000 ratings",
        timed_pairs(reference, lambda: top_k(users, truth, predicted, TopKDefinition()), rounds),
    )


def timed_pairs(reference: Callable, library: Callable, rounds: int) -> list[tuple[float, float]]:
    """Seconds of both sides, in turn."""
    out = []
    for _ in range(rounds):
        times = []
        for call in (reference, library):
            started = time.perf_counter()
            call()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            times.append(time.perf_counter() - started)
        out.append(tuple(times))
    return out


def row(name: str, pairs: list[tuple[float, float]], wanted: float | None = None) -> dict:
    """Median seconds of both sides, and the median and range of the pairwise ratio, beside the
    least that this project wants where it says one."""
    ratios = [reference / library for reference, library in pairs]
    ratio = statistics.median(ratios)
    found = {
        "what": name,
        "reference, s": round(statistics.median(pair[0] for pair in pairs), 3),
        "library, s": round(statistics.median(pair[1] for pair in pairs), 3),
        "ratio": f"{ratio:.1f}x ({min(ratios):.1f} to {max(ratios):.1f})",
    }
    if wanted is None:
        return found
    return found | {"wanted": f"{wanted:.1f}x, {'met' if ratio >= wanted else 'missed'}"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--ratings", type=int, default=700_000, help="training ratings (the paper's 70 %% of 1M)"
    )
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    device = pick_device()
    print(
        f"device {device_name(device)}, {torch.get_num_threads()} threads, "
        f"PyTorch {torch.__version__}",
        flush=True,
    )
    data = synthetic(options.ratings)
    table = [bench_training(data, batch, device, options.rounds) for batch in (256, 2048, 8192)]
    table.append(bench_tensor_fusion(data, 8192, device, options.rounds))
    table.append(bench_histories(data, device, options.rounds))
    if device.type == "cpu":
        table.append(bench_workers(data, options.rounds))
    table.append(bench_all_pairs(data, device, options.rounds, users=200))
    table.append(bench_all_pairs_of_tensors(data, device, options.rounds, users=50))
    table.append(bench_ndcg(options.rounds))
    table.append(bench_metrics(options.rounds))
    print(pd.DataFrame(table).to_string(index=False))


if __name__ == "__main__":
    main()
