"""What the published records say of NeuMF and dot products (11), in lines for a first screen."""

import pandas as pd

from ..claims.across_users import intervals
from ..claims.reading import Claim
from ..studies.chosen_epochs import TESTED
from . import rankers
from .measured import Measured, chance
from .published import NotPublishedError
from .relative import percent_with_interval

# what the first line tells
ASKED_FIRST = {
    "Does a dot product beat NeuMF from scratch, both searched?": "NeuMF (c), equal budgets",
    "Does a dot product with care beat pretrained NeuMF?": "NeuMF (c)",
}
ASKED_OF_RANKERS = {
    "Does NeuMF beat its parts, after 20 epochs?": "NeuMF (a)",
    "Does NeuMF beat its parts, early stopped on validation?": "NeuMF (a), early stopped",
    "Does pretraining help, after 20 epochs?": "NeuMF (b)",
    "Does pretraining help, early stopped on validation?": "NeuMF (b), early stopped",
    "Do 64 factors beat 32?": "NeuMF (d), 64 factors",
    "Do 3 hidden layers beat 2?": "NeuMF (f), 3 hidden",
    "Do 4 negatives per positive beat 1?": "NeuMF (g)",
    "Do NeuMF's four embedding tables beat one shared table?": "NeuMF (n)",
    "Does a sparse linear method beat NeuMF, both searched on validation?": "NeuMF (c), SLIM",
    "Does a closed form (EASE) beat NeuMF, among few items?": "NeuMF (m)",
    "Does it among all?": "NeuMF (m), full ranking",
    "Is EASE better with lambda 1320 than with 250, among few items?": "NeuMF (l), sampled",
    "Is EASE better with lambda 250 than with 1320, among all?": "NeuMF (l), full ranking",
    "Does text help the audited network as a ranker?": "Ranker (text)",
    "Does the picture help the audited network as a ranker?": "Ranker (picture)",
    "Does the picture add to the text in it?": "Ranker (picture beside text)",
}

_SEARCHED = "With as many trials on validation for both"
_CHOSEN_ON_TEST = (
    "**What does it add to choose epochs by the test ratings, as the authors' code does?**"
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
        if (pretrained := found.effect("NeuMF (c)")) is not None:
            first += f"; unsearched, over the pretrained network, {pretrained}{chance(pretrained)}"
        said = [f"{first}.", *said]
    try:
        tested = found.published.table(TESTED, "Trainings by epoch")
    except NotPublishedError:
        return said
    return [*said, f"{_CHOSEN_ON_TEST} {rankers.choice_sentence(tested)}"]


def _over_shuffled(found: Measured, claim: Claim) -> str:
    """What a row with content gains over itself on other items' content, where the claim asks and
    something else decides it."""
    control = f"{claim.variant}, shuffled" if claim.kind == "better" else ""
    if control not in getattr(claim, "than", ()):
        return ""
    table = found.published.across_users
    asked = {
        "dataset": found.published.dataset, "evaluation": claim.evaluation, "metric": claim.metric,
        "variant": claim.variant, "other": control,
    }  # fmt: skip
    pair = table[(table[list(asked)] == pd.Series(asked)).all(axis=1)]
    if pair.empty or found.claims.loc[claim.id, "against"] == control:
        return ""
    row = intervals(pair).iloc[0]
    return f"; over shuffled {percent_with_interval(row['mean'], row['low'], row['high'])}"
