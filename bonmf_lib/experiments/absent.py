"""What a data set lacks: which rows of the study cannot be run without it, said in sentences."""

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from ..datasets import Dataset
from ..datasets.words import shown_name
from ..encoders.features import MODALITIES
from ..evaluation.rules import SampledRanking
from ..models import item_fields
from ..models.rating.visual_fusion import VisualFusionConfig
from ..runs.notebooks import skip_rest
from ..runs.run import Run
from ..runs.training import Training
from ..runs.variant import Variant

LEAST_ITEMS = (
    20  # with a picture, or with text and picture, where these are looked into or compared
)


def sentence(dataset: Dataset, what: str) -> str:
    """That a data set has no ``text``, ``image``, ``genres``, ``fields`` (of items) or
    ``demographics``, in its own words, without a full stop."""
    words = dataset.words
    kinds = {"text": "text", "image": words.picture, "genres": "genre", "fields": "genre or year"}
    if what == "demographics":
        if dataset.has(what):
            return f"no two users of {_name(dataset)} share a gender or an occupation"
        return f"nothing is known of the users of {_name(dataset)}"
    if what in ("genres", "fields") and dataset.has("genres"):  # which models then do not read
        unread = f"no genre is shared by two {words.items} of {_name(dataset)}"
        return unread if what == "genres" else f"{unread}, and no year is known"
    return f"no {words.item} of {_name(dataset)} has a {kinds[what]}"


def _name(dataset: Dataset) -> str:
    return shown_name(dataset.name)


def paired(dataset: Dataset) -> int:
    """Rated items that have both a text and a picture, or the vectors that stand for them."""
    both = np.logical_and.reduce(
        [
            dataset.vectors[what].present
            if what in dataset.vectors
            else dataset.items[what].notna().to_numpy()
            for what in MODALITIES
        ]
    )
    return int(both[dataset.ratings["item"].unique()].sum())


def reason(run: Run, variant: Variant) -> str | None:
    """Why the data do not allow a row on the run's seeds; None if they do."""
    dataset = run.dataset
    if lacking := variant.lacks(dataset):
        return sentence(dataset, lacking[0])
    if whole := variant.takes_apart(dataset):
        return f"{_name(dataset)} comes with one vector for each {dataset.words.item}'s " + (
            "text" if whole[0] == "text" else dataset.words.picture
        )
    if variant.rates and not dataset.scale.rates:
        return f"{_name(dataset)} holds pairs without ratings"
    if _relates_modalities(variant) and paired(dataset) < LEAST_ITEMS:
        return (
            f"fewer than {LEAST_ITEMS} {dataset.words.items} of {_name(dataset)} "
            f"have text and {dataset.words.picture}"
        )
    if variant.split.by_time and not dataset.timed(variant.split.across_users):
        return f"the time of every rating is needed, which {_name(dataset)} has not"
    if isinstance(variant.evaluation, SampledRanking):
        wanted = variant.evaluation.negatives
        if dataset.n_items - np.bincount(dataset.ratings["user"]).max() < wanted:
            return (
                f"a user of {_name(dataset)} left fewer than {wanted} {dataset.words.items} "
                "unrated to rank among"
            )
    if variant.training.negatives and variant.training.negatives_over != "all":
        among_trained = variant.training.negatives_over == "trained"
        for seed in run.settings.seeds:
            rated = dataset.ratings.iloc[Training(run, variant, seed).split.train]
            candidates = rated["item"].nunique() if among_trained else dataset.n_items
            if rated["user"].value_counts().max() >= candidates:
                return (
                    f"a user of {_name(dataset)} rated all {dataset.words.items} "
                    f"{'that are rated ' if among_trained else ''}in training, no negative is left"
                )
    return None


def _relates_modalities(variant: Variant) -> bool:
    """Whether it needs items with text and picture to learn how the two are related."""
    config = variant.model_config
    related = isinstance(config, VisualFusionConfig) and (
        config.fusion == "shared-private" or config.decorrelation > 0
    )
    return related or variant.residual_picture or variant.uses("overlap")


def leave_out(run: Run, rows: Sequence[Variant], tell: bool = True) -> list[Variant]:
    """The rows that the data allow; the others are printed, one sentence per reason, unless
    ``tell`` is False."""
    kept, others = [], {}
    for row in rows:
        why = reason(run, row)
        if why is None:
            kept.append(row)
        else:
            others.setdefault(why, []).append(row.name)
    for why, names in others.items() if tell else ():
        print(f"Left out, since {why}: {', '.join(dict.fromkeys(names))}.")
    return kept


def do_without(run: Run, rows: Sequence[Variant], tell: bool = True) -> list[Variant]:
    """The rows with texts, pictures and fields of items switched off where the data have none, so
    that what else they ask can be asked; what changes is printed. Rows that are then an earlier
    one's equals, or are still not possible, are left out as by :func:`leave_out`; BoNMF takes the
    name that it has in Table 1."""
    lacking = [what for what in ("image", "text") if not run.dataset.offers(what)]
    lacking += [] if item_fields(run.dataset) else ["fields"]
    called = {"image": "pictures", "text": "texts", "fields": "fields of items"}
    for what in lacking:
        if tell and any(row.uses(what) for row in rows):
            print(f"Rows below do without {called[what]}, since {sentence(run.dataset, what)}.")
    kept: list[tuple[Variant, Variant]] = []  # before and after
    same = []
    for row in rows:
        changed = _switched_off(row, [what for what in lacking if row.uses(what)])
        twins = [(old, new) for old, new in kept if replace(new, name=changed.name) == changed]
        if twins and (changed is not row or twins[0][0] is not twins[0][1]):
            same.append(f"{row.name} (as {twins[0][1].name})")
        else:
            kept.append((row, changed))
    if same and tell:
        print(f"Left out, since without these they are the same as other rows: {', '.join(same)}.")
    return leave_out(run, [changed for _, changed in kept], tell)


def _switched_off(row: Variant, inputs: Sequence[str]) -> Variant:
    for what in inputs:
        known = {field.name for field in fields(row) if field.name.startswith(f"{what}_")}
        config, off = row.model_config, {f"use_{what}": False}
        if what in MODALITIES:
            off = {"modalities": tuple(name for name in config.modalities if name != what)}
        row = replace(row, model_config=replace(config, **off), **dict.fromkeys(known))
        if row.name == "BoNMF":
            row = replace(row, name=f"BoNMF, no {'picture' if what == 'image' else what}")
    return row


def rest_needs(run: Run, *modalities: str, encoded_anew: bool = False) -> None:
    """Say so and skip the cells below in this notebook where too few items have what they ask
    about.

    Args:
        modalities: ``text``, ``image`` or both (of the same item).
        encoded_anew: whether they compare how it is encoded, or change it and encode it again; then
            data that came with vectors of it, which are what models read, are left out too.
    """
    dataset, rated = run.dataset, run.dataset.ratings["item"].unique()
    if encoded_anew and (given := [what for what in modalities if what in dataset.vectors]):
        words = {"text": "texts", "image": "pictures"}
        skip_rest(
            f"{_name(dataset)} comes with vectors of its {words[given[0]]}: what follows in this "
            "notebook encodes them anew and is left out."
        )
    has = np.logical_and.reduce([dataset.items[what].notna().to_numpy() for what in modalities])
    if (found := int(has[rated].sum())) < LEAST_ITEMS:
        words = dataset.words
        asked = " and ".join(
            {"text": "a text", "image": f"a {words.picture}"}[what] for what in modalities
        )
        count = f"no {words.item} has" if not found else f"only {found} {words.items} have"
        why = f"Of {_name(dataset)}, {count} {asked}"
        skip_rest(f"{why}: what follows in this notebook asks about these and is left out.")
