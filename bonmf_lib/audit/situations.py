"""Where a catalogue is tested: on items that have ratings, and on new ones."""

from dataclasses import dataclass

from ..evaluation.rules import FULL_RANKING, EvaluationRule
from ..experiments.multimodal_ranking import ranking_split
from ..runs.run import Run
from ..splits.folds import ItemFolds, RatingFolds
from ..splits.rules import SplitRule

LEAST_ITEMS_PER_FOLD = 4  # so that some of them train, validate and test
# of data without ratings: their parts are drawn anew for each, unless they came parted
PAIRS_SEEDS = (0, 1, 2)


LISTED = 20  # items in a list, where they are ranked


@dataclass(frozen=True)
class Situation:
    """One way to test.

    Attributes:
        name: of its experiment, after the notebook's number. split: what tests. seeds: one per
            fold, draw, or training on parts that the data came with.
        metric: in records. lower_is_better: of it. ranking: how items are ranked, where nobody
            rated.
    """

    name: str
    split: SplitRule
    seeds: tuple[int, ...]
    metric: str = "mse"
    lower_is_better: bool = True
    ranking: EvaluationRule | None = None

    @property
    def is_new(self) -> bool:
        """Whether the tested items have no training rating."""
        return self.name == NEW


RATED, NEW, PAIRS = "rated", "new", "pairs"


def base_seed(run: Run) -> int:
    """What folds and draws are dealt by, and trainings start from: the first of the run's seeds."""
    return run.settings.seeds[0]


def sampled_share(run: Run) -> float:
    """Share of the users on whose ratings models are compared; 1 but for large data."""
    return min(1.0, run.settings.audit.most_ratings / len(run.dataset.ratings))


def sampled_users(run: Run) -> int | None:
    """On how many users models are compared, however the folds are dealt; None = on all who rated,
    or where nobody did."""
    if not run.dataset.scale.rates:
        return None
    users = run.dataset.ratings["user"].nunique()
    kept = _of_ratings(run, RatingFolds).kept(users)
    return kept if kept < users else None


def _of_ratings(run: Run, rule: type[RatingFolds] | type[ItemFolds]) -> RatingFolds | ItemFolds:
    return rule(run.settings.audit.folds, base_seed(run), sampled_share(run))


def situations(run: Run) -> list[Situation]:
    """Those that the data allow to ask about."""
    if not run.dataset.scale.rates:
        split = ranking_split(run)
        seeds = tuple(base_seed(run) + seed for seed in PAIRS_SEEDS)
        return [Situation(PAIRS, split, seeds, f"recall@{LISTED}", False, FULL_RANKING)]
    folds = run.settings.audit.folds
    seeds = tuple(range(folds))
    found = [Situation(RATED, _of_ratings(run, RatingFolds), seeds)]
    if run.dataset.ratings["item"].nunique() >= LEAST_ITEMS_PER_FOLD * folds:
        found.append(Situation(NEW, _of_ratings(run, ItemFolds), seeds))
    return found
