"""What the published records say of NeuMF and dot products (11), in lines for a first screen."""

from ..claims.across_users import intervals
from ..claims.reading import Claim
from ..studies.chosen_epochs import TESTED
from . import rankers
from .conclusions import Measured, chance
from .published import NotPublishedError
from .relative import percent, signed

ASKED_OF_RANKERS = {
    "Does NeuMF beat its parts, after 20 epochs?": "NeuMF (a)",
    "And early stopped on validation?": "NeuMF (a), early stopped",
    "Does pretraining help, after 20 epochs?": "NeuMF (b)",
    "And early stopped?": "NeuMF (b), early stopped",
    "Do 64 factors beat 32?": "NeuMF (d), 64 factors",
    "Do 3 hidden layers beat 2?": "NeuMF (f), 3 hidden",
    "Do 4 negatives per positive beat 1?": "NeuMF (g)",
    "Do NeuMF's four embedding tables beat one shared table?": "NeuMF (n)",
    "Does a sparse linear method, both searched on validation?": "NeuMF (c), SLIM",
    "Does a closed form do as well, among few items?": "NeuMF (m)",
    "And among all?": "NeuMF (m), full ranking",
    "Is EASE better with lambda 1320 than with 250, among few items?": "NeuMF (l), sampled",
    "Is 250 better among all?": "NeuMF (l), full ranking",
    "Does text help the audited network as a ranker?": "Ranker (text)",
    "Does the picture?": "Ranker (picture)",
    "Does the picture add to the text?": "Ranker (picture beside text)",
}

_SEARCHED = "With as many trials on validation for both"
_CHOSEN_ON_TEST = (
    "**What does it add to choose the epoch by the test ratings, as the authors' code does?**"
)
# is a network better than a dot product? By the gain of the latter
_NETWORK_BETTER = {
    "better": f"**No.** {_SEARCHED}, a dot product ranks better than NeuMF from scratch",
    "worse": f"**Yes.** {_SEARCHED}, NeuMF from scratch ranks better than a dot product",
    "unclear": f"**Not shown.** {_SEARCHED}, neither NeuMF from scratch nor a dot product is told "
    "to rank better",
}


def lines(found: Measured) -> list[str]:
    """The answer, verdicts, then why trainings of fixed length may be below what was printed; empty
    where nothing is published."""
    said = found.verdict_lines(ASKED_OF_RANKERS, lambda claim: _over_shuffled(found, claim))
    if (searched := found.effect("NeuMF (c), equal budgets")) is not None:
        first = f"{_NETWORK_BETTER[searched.outcome]}: {searched} for the dot product, HR@10"
        pretrained = found.effect("NeuMF (c)")
        more = f"; unsearched, over the pretrained network, {pretrained}{chance(pretrained)}"
        said = [f"{first}{more if pretrained else ''}.", *said]
    try:
        tested = found.published.table(TESTED, "Trainings by epoch")
    except NotPublishedError:
        return said
    gained = rankers.chosen_gains_sentence(tested)
    return [*said, *([f"{_CHOSEN_ON_TEST} {gained}"] if gained else [])]


def _over_shuffled(found: Measured, claim: Claim) -> str:
    """What a row with content gains over itself on other items' content, where the claim asks."""
    control = f"{claim.variant}, shuffled" if claim.kind == "better" else ""
    if not control or control not in claim.than:
        return ""
    table = found.published.across_users
    pair = table[(table["variant"] == claim.variant) & (table["other"] == control)]
    pair = pair[pair["metric"] == claim.metric]
    pair = pair[pair["evaluation"].str.startswith(claim.evaluation)]
    if pair.empty:
        return ""
    row = intervals(pair).iloc[0]
    return f"; over shuffled {percent(row['mean'])} ({signed(row['low'])} to {signed(row['high'])})"
