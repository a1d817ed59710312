"""What metrics are called in sentences."""

_SPELT_OUT = {"mse-cold-items": "MSE of items with fewer than 5 training ratings"}
_WORDS = ("precision", "recall", "coverage", "popularity")  # the others are abbreviations


def metric_name(metric: str) -> str:
    """A metric of the records as readers know it: ``ndcg@10`` is NDCG@10, ``recall@10``
    Recall@10."""
    if metric in _SPELT_OUT:
        return _SPELT_OUT[metric]
    name, at, depth = metric.partition("@")
    return f"{name.capitalize() if name in _WORDS else name.upper()}{at}{depth}"
