"""What text encoders cost and what they gain, from published records."""

from collections.abc import Iterator

import pandas as pd

from ..experiments.language_models import NATIVE
from ..experiments.names import NO_TEXT
from . import html
from .figures.comparison import quality_per_cost
from .published import Part, Published
from .relative import gains, percent_with_interval, row_of, short_names

_GAINS = {  # by what they are gains of
    "MSE": "06_encoders",
    "MSE on cold items": "06_cold_items",
}
_OWN_SCALE = {"MSE": "06_native", "MSE on cold items": "06_native_cold"}


def _costs(published: Published) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Costs of text encoders, and what each gains over no text."""
    costs = published.table("encoder_costs", "Costs of text encoders").set_index("text encoder")
    found = {}
    for title, experiment in _GAINS.items():
        rows = published.rows(experiment, f"Text encoders, {title}")
        found[title] = short_names(gains(rows, "mse", row_of(rows, NO_TEXT)))
    return costs, found


def prices(published: Published) -> Iterator[Part]:
    """What text encoders cost for a thousand items beside what they gain, the cheapest first."""
    costs, found = _costs(published)
    seconds = (1000 / costs["texts_per_second"]).sort_values()
    yield (
        f"For 1,000 items, {seconds.index[0]} takes {seconds.iloc[0]:.1f} s and "
        f"{seconds.index[-1]} {seconds.iloc[-1]:.0f} s on one processor thread. Gains in MSE are "
        "of networks on standardised features in large batches, stopped early (06)."
    )
    columns = ("text encoder", "s per 1,000 items", "loading, s", "memory, MiB")
    yield html.table(
        (*columns, *(f"gain in {title} over no text" for title in found)),
        [
            (
                name,
                f"{taken:.1f}",
                f"{costs.loc[name, 'loading_seconds']:.1f}",
                f"{costs.loc[name, 'memory_mib']:.0f}",
                *(_gain(gain.loc[name]) for gain in found.values()),
            )
            for name, taken in seconds.items()
        ],
    )


def _gain(row: pd.Series) -> str:
    return percent_with_interval(row["percent"], row["low"], row["high"])


def prices_and_gains(published: Published) -> Iterator[Part]:
    """What text encoders cost and gain, drawn."""
    costs, found = _costs(published)
    for title, gain in found.items():
        yield quality_per_cost(costs.join(gain), title)


def own_scale(published: Published) -> Iterator[Part]:
    """What texts at their encoders' own scale gain in a network of texts and IDs, the best first;
    where that was run."""
    found = {}
    for title, experiment in _OWN_SCALE.items():
        rows = published.rows(experiment, f"Text encoders at their own scale, {title}")
        found[title] = short_names(gains(rows, "mse", row_of(rows, f"{NATIVE}no text")), NATIVE)
    first, *_ = found.values()
    yield (
        "At the encoders' own scale, texts and IDs alone, large batches, stopped early (06): gains "
        "over IDs."
    )
    yield html.table(
        ("text encoder", *(f"gain in {title}" for title in found)),
        [
            (
                name,
                *(_gain(gain.loc[name]) if name in gain.index else "" for gain in found.values()),
            )
            for name in first["percent"].sort_values(ascending=False).index
        ],
    )
