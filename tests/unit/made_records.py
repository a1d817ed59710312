"""Records and claims made by hand, for tests of what is said of them."""

import dataclasses

import numpy as np
import pandas as pd

from bonmf_lib.claims.judge import (
    judge,
)
from bonmf_lib.claims.reading import (
    BetterClaim,
    ValueClaim,
    read_claims,
)
from bonmf_lib.runs.records import (
    Record,
)

COMMON = {"id": "c", "source": "bonmf", "statement": "s", "paper": "p", "datasets": ("ml-1m",)}
VALUE = ValueClaim(**COMMON, kind="value", variant="A", metric="mse", value=0.70, tolerance=0.02)
CLAIMS = {claim.id: claim for claim in read_claims()}
BETTER = BetterClaim(**COMMON, kind="better", variant="A", than=("B",), metric="mse")


def record(variant="A", seed=0, value=0.7, **changes) -> Record:
    values = {
        "experiment": "e", "variant": variant, "protocol": "as published", "model": "bonmf",
        "dataset": "ml-1m", "fingerprint": "f", "content": "full",
        "split": "ratio(test=0.3, valid=0)", "test_share": 0.3,
        "evaluation": "rated items", "config": f"config-{variant}",
        "seed": seed, "metric": "mse", "value": value, "seconds": 1.0, "device": "cpu", "code": "x",
    }  # fmt: skip
    return Record(**values | changes)


def table(**variants) -> pd.DataFrame:
    """Records of variants given as lists of one value per seed."""
    rows = [
        record(name, seed, value)
        for name, values in variants.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame([dataclasses.asdict(row) for row in rows])


def rows_of(claim_id: str, ours, theirs) -> pd.DataFrame:
    """Records of a claim's row and of its only competitor, under its protocol."""
    claim = CLAIMS[claim_id]
    (other,) = claim.than
    return table(**{claim.variant: ours, other: theirs}).assign(protocol=claim.protocol)


def verdict(claim, records) -> str:
    (judgement,) = judge((claim,), records)
    return judgement.verdict


NOISE = np.array([0.001, -0.001, 0.0005, -0.0005, 0.0])
