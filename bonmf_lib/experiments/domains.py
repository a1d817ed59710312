"""10: the audit in small on other domains. Rows with text, picture, both and neither, with content
that is shuffled, and two plain models: biased matrix factorisation, and user and item biases alone;
on random splits, on cold items, and on data that are thinned.

Domains differ a hundredfold in size, so the batch follows from it: an epoch has about as many steps
everywhere.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..datasets.words import shown_name
from ..encoders.features import Modalities
from ..errors import SourceError
from ..models.rating.bias import UserItemBiasConfig
from ..models.rating.biased_svd import BiasedSVDConfig
from ..models.rating.bonmf import BoNMFConfig
from ..models.rating.bonmf_stand_in import BoNMFStandInConfig
from ..runs.notebooks import skip_rest
from ..runs.run import Run
from ..runs.variant import Variant
from ..splits.rules import ColdItems, Ratio, SplitRule
from .protocols import COLD_ITEM_SHARE, closed_form, early_stopped, on_control

IDS, FACTORISATION, BIASES = "BoNMF on IDs", "Biased SVD", "User + item bias"
PLAIN = FACTORISATION, BIASES  # without a network; either may be the better one on sparse data
CONTROL = "shuffled"
WARM, COLD, THINNED = "domains", "domains, cold items", "domains, thinned"  # protocols
SMALLEST_BATCH = 16  # where hardly any ratings are left
LEAST_THINNING = 1.5  # how much denser than wanted data must be
LEAST_PER_USER = 1.0  # training ratings of thinned data


@dataclass(frozen=True)
class Question:
    """Does this content help?

    Attributes:
        asked: its name in sentences: *text*, *picture*, *text and picture*. modalities: that the
            network reads beside IDs.
    """

    asked: str
    modalities: Modalities

    @property
    def row(self) -> str:
        """The row that reads them."""
        return f"{IDS} + {self.asked.replace(' and ', ' + ')}"

    @property
    def control(self) -> str:
        """The same on other items' content."""
        return f"{self.row}, {CONTROL}"


TEXT, PICTURE, BOTH = (
    Question("text", ("text",)),
    Question("picture", ("image",)),
    Question("text and picture", ("text", "image")),
)
ASKED = (TEXT, PICTURE, BOTH)


def domain_runs(run: Run) -> tuple[dict[str, Run], dict[str, str]]:
    """The run itself and, by name, the same on the profile's other data; and why some of these
    cannot be had."""
    return runs_on(run, run.settings.domains.also_on)


def runs_on(run: Run, names: Iterable[str]) -> tuple[dict[str, Run], dict[str, str]]:
    """The run itself and, by name, the same on other data, with content; and why some of these
    cannot be had."""
    runs, lacking = {shown_name(run.dataset.name): run}, {}
    for name in names:
        if name in runs:
            continue
        other = run.on(name, "packaged" if name == "planted" else "full")
        try:
            runs[shown_name(other.dataset.name)] = other
        except SourceError as error:
            lacking[name] = str(error)
    return runs, lacking


def rest_needs_ratings(runs: Mapping[str, Run]) -> None:
    """Say so and skip the cells below in this notebook where nobody rated anything."""
    if not any(run.dataset.scale.rates for run in runs.values()):
        names = ", ".join(runs)
        skip_rest(f"Nobody rated the items of {names}: what follows in this notebook is left out.")


def batch_size(run: Run, share: float = 1.0) -> int:
    """The power of two with which an epoch of this share of a run's training part has at least as
    many steps as the profile wants, at least ``SMALLEST_BATCH``."""
    ratings = share * (1 - Ratio().test) * len(run.dataset.ratings)
    batch = SMALLEST_BATCH
    while 2 * batch * run.settings.domains.steps <= ratings:
        batch *= 2
    return batch


def _row(
    run: Run, name: str, config: Any, model: str, split: SplitRule, protocol: str, batch: int
) -> Variant:
    own = run.settings.domains
    terms = {"epochs": own.epochs, "learning_rate": own.learning_rate, "batch_size": batch}
    row = early_stopped(run, name, config, model, **terms)
    return replace(row, protocol=protocol, split=split)


def _rows(
    run: Run, split: SplitRule, protocol: str, asked: tuple[Question, ...], batch: int
) -> list[Variant]:
    def network(name: str, modalities: Modalities) -> Variant:
        config = BoNMFConfig(modalities=modalities)
        return _row(run, name, config, "bonmf", split, protocol, batch)

    factors, biases = BiasedSVDConfig(), UserItemBiasConfig()
    solved = closed_form(BIASES, "user-item-bias", biases, split=split, holds_out=True)
    rows = [
        _row(run, FACTORISATION, factors, "biased-svd", split, protocol, batch),
        replace(solved, protocol=protocol),
        network(IDS, ()),
    ]
    for question in asked:
        real = network(question.row, question.modalities)
        rows += [real, on_control(run, real, CONTROL)]
    return rows


def warm_rows(run: Run) -> list[Variant]:
    """All questions on random splits."""
    return _rows(run, Ratio(), WARM, ASKED, batch_size(run))


def cold_rows(run: Run) -> list[Variant]:
    """The same on items that have no training rating."""
    return _rows(run, ColdItems(COLD_ITEM_SHARE), COLD, ASKED, batch_size(run))


def density(run: Run) -> float:
    """Known pairs of all pairs of users and items that have ratings."""
    ratings = run.dataset.ratings
    return len(ratings) / ratings["user"].nunique() / ratings["item"].nunique()


def thinnings(run: Run) -> dict[float, Ratio]:
    """By density: how a run's data are thinned to those of the profile's densities that are clearly
    lower than their own and leave ``LEAST_PER_USER`` training ratings."""
    own, whole = density(run), Ratio()
    per_user = (1 - whole.test) * len(run.dataset.ratings) / run.dataset.ratings["user"].nunique()
    wanted = [one for one in run.settings.domains.densities if own >= LEAST_THINNING * one]
    shares = {one: float(f"{one / own:.3g}") for one in wanted}
    return {
        one: replace(whole, keep=share)
        for one, share in shares.items()
        if share * per_user >= LEAST_PER_USER
    }


def thinned_name(name: str, known: float) -> str:
    """What a row on data of a density is called."""
    return f"{name}, {100 * known:g} % known"


def thinned_rows(run: Run) -> list[Variant]:
    """Does text help where fewer pairs are known? Nothing else changes: the same items test."""
    rows = []
    for known, rule in thinnings(run).items():
        batch = batch_size(run, rule.keep)
        own = _rows(run, rule, THINNED, (TEXT,), batch)
        rows += [replace(one, name=thinned_name(one.name, known)) for one in own]
    return rows


def native(rows: Iterable[Variant]) -> list[Variant]:
    """The same rows on features at the encoders' own scale: the choice on which the answer hung on
    MovieLens-1M (05). Rows without content are trained once for both."""
    return [replace(row.prepared("native"), protocol=f"{row.protocol}, native") for row in rows]


def mean_for_new(rows: Iterable[Variant]) -> list[Variant]:
    """The same rows, whose networks give items (and users) without a training rating the mean of
    the trained embeddings: untrained ones are noise, which may hide what content gains, or be what
    content only drowns."""
    return [
        replace(
            row,
            protocol=f"{row.protocol}, mean for new items",
            model="bonmf-stand-in",
            model_config=BoNMFStandInConfig(
                **asdict(row.model_config), stand_in="mean", id_dropout=0.0
            ),
        )
        if row.model == "bonmf"
        else replace(row, protocol=f"{row.protocol}, mean for new items")
        for row in rows
    ]


EXPERIMENTS: dict[str, Callable[[Run], list[Variant]]] = {
    "warm": warm_rows,
    "cold": cold_rows,
    "warm_native": lambda run: native(warm_rows(run)),
    "cold_native": lambda run: native(cold_rows(run)),
    "cold_mean": lambda run: mean_for_new(native(cold_rows(run))),
    "thinned": thinned_rows,
}


def seeds(run: Run) -> tuple[int, ...]:
    """Those of the profile, as many as the section says."""
    return run.settings.seeds[: run.settings.domains.seeds]


def data_sentence(run: Run, lacking: dict[str, str]) -> str:
    """What the run's data decide, and what could not be had."""
    names = [
        shown_name(run.dataset.name),
        *(n for n in run.settings.domains.also_on if n not in lacking),
    ]
    names = list(dict.fromkeys(names))
    said = f"Live run on {len(names)} data set{'s' * (len(names) != 1)}: {', '.join(names)}."
    if run.settings.content != "full" or len(names) < 3:
        said = (
            f"Live run, a demonstration on {', '.join(names)}: too few domains, or stand-ins for "
            "texts and pictures; it decides nothing."
        )
    return "\n".join([said, *(f"{name} is left out: {why}" for name, why in lacking.items())])
