"""Menus before a question of :mod:`~bonmf_lib.report.explore`, for JupyterLab.

Every part of the answer is one output that holds both a widget, which follows the menus, and the
sentence, figure or table of the choice it starts with. A front end without a kernel, as that of a
code host, shows the latter.
"""

import base64
import io
from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from typing import Any

import ipywidgets as widgets
import pandas as pd
from IPython.display import display
from matplotlib.figure import Figure

from ..errors import BonmfError
from .explore import Menus, Question
from .published import Part

_KINDS: dict[str, Callable[..., widgets.ValueWidget]] = {
    "list": widgets.Dropdown,
    "slider": partial(widgets.SelectionSlider, continuous_update=False),
    "typed": partial(widgets.Combobox, ensure_option=True, placeholder="clear, then type a part"),
}
_STYLE = {"style": {"description_width": "initial"}, "layout": {"min_width": "22em"}}


class Live:
    """A question with its menus; shown as the last value of a cell."""

    def __init__(self, question: Question):
        self.question = question
        self._bars = [_Bar(menus, self._draw) for menus in question.menus]
        self.slots = [_Slot(part) for part in self._answer()]

    @property
    def menus(self) -> dict[str, widgets.ValueWidget]:
        """Every menu by ``title: name``."""
        return {
            f"{bar.title}: {name}": menu for bar in self._bars for name, menu in bar.menus.items()
        }

    def _answer(self) -> tuple[Part | None, ...]:
        return self.question.answer(*(bar.choice for bar in self._bars))

    def _draw(self) -> None:
        try:
            parts = self._answer()
        except BonmfError as error:  # a sentence, in the first place
            parts = (str(error), *[None] * (len(self.slots) - 1))
        for slot, part in zip(self.slots, parts, strict=True):
            slot.fill(part)

    def _ipython_display_(self) -> None:
        display(*self._bars, *self.slots)


class _Bar:
    """The menus of one title in a row, which offer only what goes together."""

    def __init__(self, menus: Menus, changed: Callable[[], None]):
        self.title, self._menus, self._changed = menus.title, menus, changed
        self.choice, offered = menus.settled({})
        self.menus = {
            name: _KINDS[menus.kinds.get(name, "list")](
                options=values, value=self.choice[name], description=name, **_STYLE
            )
            for name, values in offered.items()
        }
        self._settling = False
        for menu in self.menus.values():
            menu.observe(self._chosen, names="value")
        head = widgets.HTML(f"<b>{escape(menus.title)}</b>")
        row = widgets.Layout(flex_flow="row wrap")
        self.widget = widgets.VBox([head, widgets.HBox(list(self.menus.values()), layout=row)])

    def _chosen(self, change: Mapping[str, Any]) -> None:
        if self._settling:  # a menu that follows another one
            return
        self.choice, offered = self._menus.settled(
            {name: menu.value for name, menu in self.menus.items()}
        )
        self._settling = True
        try:
            for name, menu in self.menus.items():
                if list(menu.options) != offered[name]:
                    menu.options = offered[name]
                menu.value = self.choice[name]
        finally:
            self._settling = False
        self._changed()

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, Any]:
        chosen = "; ".join(f"{name} = {value}" for name, value in self.choice.items())
        return _bundle(self.widget, _static(f"{self.title}: {chosen}"))


class _Slot:
    """The place of one part of an answer."""

    def __init__(self, part: Part | None):
        self.widget = widgets.VBox(layout={"align_items": "flex-start"})
        self.fill(part)

    def fill(self, part: Part | None) -> None:
        self.part, there = part, self.widget.children
        kind, value = _shown(part)
        if there and isinstance(there[0], kind):  # a new widget would make the page jump
            there[0].value = value
            return
        self.widget.children = (kind(value=value, layout={"max_width": "100%"}),)
        for widget in there:
            widget.close()

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, Any]:
        return _bundle(self.widget, _static(self.part))


def _bundle(live: widgets.Widget, static: dict[str, Any]) -> dict[str, Any]:
    return {**live._repr_mimebundle_(), **static}


def _shown(part: Part | None) -> tuple[type[widgets.ValueWidget], bytes | str]:
    """What shows a part, and what it is given."""
    if isinstance(part, Figure):
        return widgets.Image, _png(part)
    if isinstance(part, pd.DataFrame):
        return widgets.HTML, f'<div class="jp-RenderedHTMLCommon">{_html(part)}</div>'
    return widgets.HTML, escape(part or "")


def _static(part: Part | None) -> dict[str, str]:
    if isinstance(part, Figure):
        picture = base64.b64encode(_png(part)).decode()
        return {"text/plain": "<Figure>", "image/png": picture}
    if isinstance(part, pd.DataFrame):
        return {"text/plain": part.to_string(), "text/html": _html(part)}
    return {"text/plain": part or "", "text/html": f"<p>{escape(part or '')}</p>"}


def _html(table: pd.DataFrame) -> str:
    return table.to_html(na_rep="", border=0)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
