"""Rows of 12 by the model whose form they are, as their names tell."""

from collections.abc import Iterable, Sequence

from ..runs.variant import Variant
from .multimodal_settings import KNOCK_OUTS, RANKERS


def forms(rows: Iterable[Variant]) -> dict[str, dict[str, Variant]]:
    """Rows by the model whose form they are, its usual one under ``""``: what a comparison of forms
    takes. Rows are called ``<model>`` or ``<model>, <form>``; controls of a form, ``<model>,
    <form>, <control>``, are left out."""
    rows = list(rows)
    controls = {control for _, control in _controlled_forms(rows)}
    known = {name: {} for name in (*RANKERS, "BoNMF as ranker")}
    for one in rows:
        if one not in controls:
            model, _, form = one.name.partition(", ")
            known[model][form] = one
    return {
        model: by_form for model, by_form in known.items() if "" in by_form and len(by_form) > 1
    }


def form_pairs(rows: Iterable[Variant]) -> list[tuple[Variant, Variant]]:
    """Every model's usual form with each other one, and forms that are not usual with their
    controls."""
    rows = list(rows)
    return [
        (by_form[""], one)
        for by_form in forms(rows).values()
        for form, one in by_form.items()
        if form
    ] + _controlled_forms(rows)


def _controlled_forms(rows: Sequence[Variant]) -> list[tuple[Variant, Variant]]:
    """Forms that are not usual, each with a control of it."""
    by_name = {one.name: one for one in rows}
    parted = [(one, *one.name.rpartition(", ")[::2]) for one in rows]
    return [
        (by_name[whole], one)
        for one, whole, ending in parted
        if ending in KNOCK_OUTS and whole in by_name and ", " in whole
    ]
