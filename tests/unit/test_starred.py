"""Amazon Baby and Sports as ratings, against the files that they come from."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bonmf_lib.datasets import load_dataset
from bonmf_lib.datasets.starred import NAMES, STARS
from bonmf_lib.encoders import encode_items
from bonmf_lib.errors import DatasetError, SourceError
from bonmf_lib.splits.rules import ColdItems

KNOWN = {"amazon-baby-stars": 140_451, "amazon-sports-stars": 259_770}  # the mirror's own README


@pytest.fixture(scope="module")
def loaded():
    return {name: load_dataset(name, "full") for name in NAMES}


@pytest.mark.mirror
@pytest.mark.parametrize("name", NAMES)
def test_every_known_star_stands_by_its_user_and_product(loaded, name):
    data = loaded[name]
    source = Path(os.environ["BONMF_MIRROR"], name.removesuffix("-stars"), "ratings.csv.gz")
    rows = pd.read_csv(source).dropna(subset="rating")
    assert len(data.ratings) == len(rows) == KNOWN[name]
    users = data.users["raw_id"].to_numpy()[data.ratings["user"]]
    items = data.items["raw_id"].to_numpy()[data.ratings["item"]]
    found = pd.DataFrame({"user": users, "item": items, "rating": data.ratings["rating"]})
    both = found.merge(rows, on=["user", "item"])
    assert len(both) == len(rows) and (both["rating_x"] == both["rating_y"]).all()
    assert data.scale == STARS and data.ratings["user"].nunique() == data.n_users
    # what was bought with unknown stars is known to be bought, of those who are left
    bought = pd.read_csv(source)
    bought = bought[bought["user"].isin(rows["user"])]
    user, item = data.known_pairs
    users, items = (side["raw_id"].to_numpy() for side in (data.users, data.items))
    known = pd.DataFrame({"user": users[user], "item": items[item]})
    assert len(known) == len(bought) > len(rows)
    assert len(known.merge(bought, on=["user", "item"])) == len(bought)


@pytest.mark.mirror
@pytest.mark.parametrize("name", NAMES)
def test_products_keep_their_rebuilt_vectors_and_the_published_split_goes(loaded, name):
    data, whole = loaded[name], load_dataset(name.removesuffix("-stars"), "full")
    assert data.n_items == whole.n_items and data.given is None
    for modality in ("text", "image"):
        assert encode_items(data, modality, "rebuilt-features").key == (
            encode_items(whole, modality, "rebuilt-features").key
        )
    assert (data.words.item, data.words.unit) == ("product", "stars")
    split = ColdItems().split(data, 0, 0.1)
    rated = data.ratings["item"].to_numpy()
    assert not np.isin(rated[split.test], rated[split.train]).any()


def test_they_need_the_mirror_and_draw_no_title_cards(monkeypatch):
    monkeypatch.delenv("BONMF_MIRROR", raising=False)
    with pytest.raises(SourceError, match=r"put amazon-baby/"):
        load_dataset("amazon-baby-stars", "full")
    with pytest.raises(DatasetError, match="load it with content=full"):
        load_dataset("amazon-sports-stars", "packaged")
