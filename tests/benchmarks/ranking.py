"""``make bench``, second part: rankings against plain references, side by side in one run, on data
of MovieLens-1M's size, epochs on a twentieth of its ratings; graphs of Amazon Baby's.

References: negatives drawn row by row until one is found that its user has not rated, and rankings
user by user with a heap over a dictionary of scores, both as the published code of neural
collaborative filtering does; an epoch over a DataLoader of (user, item, label) rows; of a step of
LightGCN its bare sparse products, which no step can be faster than (to be at most 1.5 times as
long); of an epoch of BM3 one of LightGCN; the same steps where freed memory is returned at once.
Before anything is timed, both sides must give the same numbers, BM3 and LightGCN aside.
"""

import argparse
import heapq
import math
import time
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from bonmf_lib.datasets.dataset import Dataset, RatingScale
from bonmf_lib.device import device_name, pick_device
from bonmf_lib.encoders import Features
from bonmf_lib.evaluation.ranking import KS, UnseenItems
from bonmf_lib.memory import freed_memory_kept
from bonmf_lib.models import Interactions, ModelInputs, Recommender, build_model
from bonmf_lib.models.ranking.bm3 import BM3Config
from bonmf_lib.models.ranking.gmf import GMFConfig
from bonmf_lib.models.ranking.lightgcn import LightGCNConfig
from bonmf_lib.models.ranking.logistic_mf import LogisticMFConfig
from bonmf_lib.splits.split import Split
from bonmf_lib.training.batches import NegativeSampler, Triples, batches
from bonmf_lib.training.config import TrainingConfig
from bonmf_lib.training.loop import fit

from .speed import ITEMS, LOSS_TOLERANCE, USERS, row, timed_pairs

FACTORS, PER_POSITIVE = 64, 4
SIZES = SimpleNamespace(n_users=USERS, n_items=ITEMS)
# Amazon Baby: users, items, training pairs; batches and features as its rankers have them here
BABY, BABY_PAIRS, BABY_BATCH, BABY_DIM = (19_445, 7_050), 118_551, 2048, 128


def implicit_data(
    ratings: int, n_users: int = USERS, n_items: int = ITEMS
) -> tuple[Dataset, Split]:
    """Different random pairs, some items far more often than others; the last 10,000 test."""
    draw = np.random.default_rng(0)
    items = (n_items * draw.random(2 * ratings) ** 2).astype(np.int64)
    keys = np.unique(draw.integers(0, n_users, 2 * ratings) * n_items + items)
    keys = draw.permutation(keys)[:ratings]
    pairs = {"user": keys // n_items, "item": keys % n_items}
    table = pd.DataFrame(pairs | {"rating": np.float32(1)}).astype({"rating": np.float32})
    users, items = (pd.DataFrame({"raw_id": range(size)}) for size in (n_users, n_items))
    dataset = Dataset("synthetic", "packaged", table, users, items, RatingScale(1, 5, 1))
    rows = np.arange(len(table))
    return dataset, Split(rows[:-10_000], rows[:0], rows[-10_000:], "bench", 0, len(table))


def drawn_row_by_row(rated: set[tuple[int, int]], users: list[int], n_items: int) -> list[int]:
    """For every user ``PER_POSITIVE`` items that the user has not rated."""
    out = []
    for user in users:
        for _ in range(PER_POSITIVE):
            item = np.random.randint(n_items)  # noqa: NPY002 - as published
            while (user, item) in rated:
                item = np.random.randint(n_items)  # noqa: NPY002
            out.append(item)
    return out


def bench_negatives(data, device, rounds: int) -> dict:
    """The negatives of 80,000 training ratings; of a small case both sides draw every unrated item
    as often, and no other."""
    np.random.seed(0)  # noqa: NPY002 - as published
    few = [(0, 1), (0, 3), (1, 0)]
    small = Triples(*torch.tensor(few).T.to(device), torch.ones(3, device=device))
    sampler = NegativeSampler(SimpleNamespace(n_users=2, n_items=5), small, PER_POSITIVE)
    asked = [0, 1] * 20_000
    users, items = sampler.draw(torch.tensor(asked, device=device))
    expected = np.array([[1 / 3, 0, 1 / 3, 0, 1 / 3], [0, 1 / 4, 1 / 4, 1 / 4, 1 / 4]])
    for drawn in (items.tolist(), drawn_row_by_row(set(few), asked, 5)):
        counts = np.zeros((2, 5))
        np.add.at(counts, (users.tolist(), drawn), 1)
        np.testing.assert_allclose(counts / counts.sum(1, keepdims=True), expected, atol=0.01)
        assert not counts[expected == 0].any()
    dataset, split = data
    train = Triples.of(dataset, split.train, device)
    sampler = NegativeSampler(SIZES, train, PER_POSITIVE)
    rated = set(zip(train.users.tolist(), train.items.tolist(), strict=True))
    chosen = train.users[:80_000]
    listed = chosen.tolist()
    pairs = timed_pairs(
        lambda: drawn_row_by_row(rated, listed, ITEMS), lambda: sampler.draw(chosen), rounds
    )
    return row(f"negatives of {len(listed):,} ratings in one draw", pairs, wanted=20)


def ranked_one_by_one(score: Callable, known: list[set], wanted: list[set]) -> list[dict]:
    """Of every user: recall, NDCG and hit rate of the best items, and the reciprocal rank."""
    out = []
    for user in range(len(wanted)):
        scores = score(torch.tensor([user]))[0].tolist()
        of_item = {}
        for item in range(len(scores)):
            if item not in known[user]:
                of_item[item] = scores[item]
        ranked = heapq.nlargest(max(KS), of_item, key=of_item.get)
        best = max((of_item[item] for item in wanted[user] if item in of_item), default=None)
        found = {"mrr": 0.0}
        if best is not None:
            found["mrr"] = 1 / (1 + sum(value > best for value in of_item.values()))
        for k in KS:
            hits = [item in wanted[user] for item in ranked[:k]]
            gain = sum(hit / math.log2(place + 2) for place, hit in enumerate(hits))
            most = sum(1 / math.log2(j + 2) for j in range(min(k, len(wanted[user]))))
            found[f"recall@{k}"] = sum(hits) / len(wanted[user])
            found[f"ndcg@{k}"], found[f"hr@{k}"] = gain / most, float(any(hits))
        out.append(found)
    return out


def bench_full_ranking(data, device, rounds: int, least: float) -> dict:
    """All items ranked for every user by dot products, whose seconds are the library's; ``least``
    is the ratio that is wanted."""
    dataset, split = data
    n_users, n_items = dataset.n_users, dataset.n_items
    draw = torch.Generator().manual_seed(0)
    tables = [torch.randn(size, FACTORS, generator=draw) for size in (n_users, n_items)]
    users_table, items_table = (table.to(device) for table in tables)
    users, items = (dataset.ratings[side].to_numpy() for side in ("user", "item"))
    train = users[split.train], items[split.train]
    test = np.arange(n_users), np.random.default_rng(1).integers(0, n_items, n_users)
    known, wanted = ([set() for _ in range(n_users)] for _ in range(2))
    for owned, pairs in ((known, train), (wanted, test)):
        for user, item in zip(*(side.tolist() for side in pairs), strict=True):
            owned[user].add(item)

    def reference():
        return ranked_one_by_one(lambda user: tables[0][user] @ tables[1].T, known, wanted)

    unseen = UnseenItems(train, test, n_users, n_items, device)  # once, as a training does

    def library():
        return unseen.rank(lambda chosen: users_table[chosen] @ items_table.T)

    expected = pd.DataFrame(reference())
    found = library().per_user()[expected.columns]
    # two scores that differ in the last bit may change places
    assert ((found - expected).abs() > 1e-9).any(axis=1).mean() < 1e-3
    pairs = timed_pairs(reference, library, rounds)
    return row(f"full ranking of {n_users:,} users among {n_items:,} items", pairs, least)


def bench_implicit_epoch(
    build: Callable[[], Recommender],
    name: str,
    data,
    batch: int,
    device,
    rounds: int,
    wanted: float,
) -> dict:
    """An epoch with four negatives a rating: a DataLoader over (user, item, label) rows against
    ``fit``, from the same weights on the same pairs, so that the losses agree.

    Args:
        build: makes the model anew, always with the same weights. batch: positives in a step.
        wanted: the least ratio.
    """
    pairs, (dataset, split) = [], data
    for _ in range(rounds):
        slow, slow_loss = reference_epoch(build(), data, batch, device)
        settings = TrainingConfig(epochs=1, batch_size=batch, loss="bce", negatives=PER_POSITIVE)
        history = fit(build(), dataset, split, settings, 0, device)
        assert abs(slow_loss - history.train_loss[0]) < LOSS_TOLERANCE * slow_loss
        pairs.append((slow, history.seconds[0]))
    what = f"{name}: epoch of {len(split.train):,} ratings with {PER_POSITIVE} negatives each"
    return row(f"{what}, {batch} ratings a batch", pairs, wanted)


def reference_epoch(model: Recommender, data, batch: int, device) -> tuple[float, float]:
    """Seconds and mean loss of an epoch over rows that were drawn before it, as tutorials do."""
    model = model.to(device).train()
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    rows = TensorDataset(*drawn_rows(model, data, batch, device))
    started, total = time.perf_counter(), 0.0
    for users, items, labels in DataLoader(rows, batch_size=batch * (1 + PER_POSITIVE)):
        scores = model.score(users.to(device), items.to(device))
        loss = nn.functional.binary_cross_entropy_with_logits(scores, labels.to(device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.item() * len(labels)
    return time.perf_counter() - started, total / len(rows)


def drawn_rows(model: Recommender, data, batch: int, device) -> tuple[torch.Tensor, ...]:
    """Users, items and labels (rows,) of the first epoch of ``fit``: of every step the positives,
    then their negatives."""
    train = Triples.of(data[0], data[1].train, device)
    sampler, parts = NegativeSampler(model, train, PER_POSITIVE), []
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(np.random.SeedSequence([0, 0]).generate_state(1)[0]))
        for step in batches(train, batch, sampler):
            labels = torch.arange(len(step) * (1 + PER_POSITIVE)) < len(step)
            pairs = zip((step.users, step.items), step.negatives, strict=True)
            parts.append((*(torch.cat(pair).cpu() for pair in pairs), labels.float()))
    return tuple(torch.cat(column) for column in zip(*parts, strict=True))


def bench_kept_memory(data, device, rounds: int) -> dict:
    """Steps whose arrays take more than 32 MiB each, by code that returns memory as it is freed,
    against ``fit``'s."""
    inputs = ModelInputs(USERS, ITEMS, mean_rating=-math.log(2 * PER_POSITIVE))
    model = build_model("logistic-mf", LogisticMFConfig(factors=192), inputs, seed=0).to(device)
    train = Triples.of(data[0], data[1].train, device)
    sampler = NegativeSampler(model, train, 2 * PER_POSITIVE, over="all")
    batch = next(batches(train, 8192, sampler))

    def steps() -> float:
        for _ in range(20):
            model.zero_grad(set_to_none=True)
            loss = sum(part for part in model.loss(batch) if part is not None)
            loss.backward()
        return float(loss.detach())

    def library() -> float:
        with freed_memory_kept():
            return steps()

    assert steps() == library()
    return row("dot products of 192 factors, batch 8192", timed_pairs(steps, library, rounds))


def graph_inputs(data, dim: int) -> ModelInputs:
    """Training pairs on a graph of Baby's size, and random features."""
    train, draw = data[0].ratings.iloc[data[1].train], np.random.default_rng(0)
    rows = (draw.standard_normal((BABY[1], dim), dtype=np.float32) for _ in range(2))
    text, image = (Features(one, np.ones(len(one), bool), "random", "1", "k") for one in rows)
    known = Interactions(*(train[name].to_numpy() for name in ("user", "item", "rating")))
    return ModelInputs(*BABY, 0.0, text, image, interactions=known)


def bench_graph_step(data, inputs: ModelInputs, device, rounds: int, layers: int = 2) -> dict:
    """Steps of LightGCN, its negatives drawn, against the sparse products of its layers alone, of
    the forward and the backward pass."""
    model = build_model("lightgcn", LightGCNConfig(FACTORS, layers), inputs, seed=0).to(device)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    train = Triples.of(data[0], data[1].train, device)
    sampler = NegativeSampler(model, train, 1)

    @torch.no_grad()
    def products(times: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        out = [(model.user_factors.weight, model.item_factors.weight)]
        for _ in range(times):
            users, items = out[-1]
            out.append((model.graph(items), model.graph.transposed(users)))
        return out

    def reference():
        for _ in range(20):
            products(2 * layers)

    def library():
        for _, batch in zip(range(20), batches(train, BABY_BATCH, sampler), strict=False):
            optimiser.zero_grad(set_to_none=True)
            sum(model.loss(batch)).backward()
            optimiser.step()

    for found, summed in zip(model.embed(), zip(*products(layers), strict=True), strict=True):
        torch.testing.assert_close(found.detach(), sum(summed) / (layers + 1))
    pairs = timed_pairs(reference, library, rounds)
    return row(f"LightGCN, {layers} layers: 20 steps", pairs, wanted=1 / 1.5)


def bench_bootstrap_epoch(
    data, inputs: ModelInputs, device, rounds: int, layers: int, dim: int, penalised: str
) -> dict:
    """An epoch of BM3 with frozen features against one of LightGCN with as many layers; notebook
    12 trains it with ``norms of all``, which needs all nodes in every step."""

    def epoch(name: str, config, **loss) -> float:
        model = build_model(name, config, inputs, seed=0)
        settings = TrainingConfig(epochs=1, batch_size=BABY_BATCH, **loss)
        return fit(model, *data, settings, 0, device).seconds[0]

    pairs = [
        (
            epoch("lightgcn", LightGCNConfig(FACTORS, layers), loss="bpr", negatives=1),
            epoch("bm3", BM3Config(FACTORS, layers, penalised=penalised), loss="bootstrap"),
        )
        for _ in range(rounds)
    ]
    what = f"BM3, {penalised}, layers {layers}, features {2 * dim}: epoch"
    return row(what, pairs, wanted=1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ratings", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    device = pick_device()
    print(
        f"device {device_name(device)}, {torch.get_num_threads()} threads, "
        f"PyTorch {torch.__version__}",
        flush=True,
    )
    data, fewer = implicit_data(options.ratings), implicit_data(options.ratings // 20)

    def gmf():
        inputs = ModelInputs(USERS, ITEMS, mean_rating=-math.log(PER_POSITIVE))
        return build_model("gmf", GMFConfig(factors=8), inputs, seed=0)

    table = [
        bench_full_ranking(data, device, options.rounds, least=30),  # first: sets of a million
        bench_negatives(data, device, options.rounds),  # pairs scatter the memory it would get
    ]
    table += [
        bench_implicit_epoch(gmf, "GMF", fewer, batch, device, options.rounds, wanted)
        for batch, wanted in ((256, 3), (8192, 8))
    ]
    table.append(bench_kept_memory(fewer, device, options.rounds))
    graph = implicit_data(BABY_PAIRS + 10_000, *BABY)
    inputs = graph_inputs(graph, BABY_DIM)
    table.append(bench_full_ranking(graph, device, options.rounds, least=20))
    table.append(bench_graph_step(graph, inputs, device, options.rounds))
    table += [
        bench_bootstrap_epoch(graph, inputs, device, options.rounds, layers, BABY_DIM, penalised)
        for penalised in ("squared norms", "norms of all")
        for layers in (1, 2)
    ]
    print(pd.DataFrame(table).fillna("").to_string(index=False))


if __name__ == "__main__":
    main()
