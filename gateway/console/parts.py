"""Small pieces of the page: native elements with a class and a text, nothing of Quasar's styling."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement


def block(tag: str, classes: str = "", *, label: str = "") -> Element:
    """An element to put others into."""
    element = ui.element(tag).classes(classes)
    if label:
        element.props["aria-label"] = label
    return element


def text(content: str = "", classes: str = "", *, tag: str = "span") -> Text:
    """A piece of text."""
    return Text(content, tag).classes(classes)


def button(content: str, classes: str, on_click: Callable[[], None], *, label: str = "") -> Text:
    """A native button."""
    element = Text(content, "button").classes(classes)
    element.props["type"] = "button"
    if label:
        element.props["aria-label"] = label
    element.on("click", on_click)
    return element


class Text(TextElement):
    """An element whose text, tone and title are pushed only where they change."""

    def __init__(self, content: str, tag: str) -> None:
        super().__init__(tag=tag, text=content)
        self._tone = ""

    def say(self, content: str, *, tone: str = "", title: str = "") -> None:
        """Show another text; ``tone`` is one of the colours of console.css."""
        self.text = content
        if tone != self._tone:
            self.classes(
                remove=f"tone-{self._tone}" if self._tone else None,
                add=f"tone-{tone}" if tone else None,
            )
            self._tone = tone
        if title != self.props.get("title", ""):
            self.props["title"] = title

    def show(self, visible: bool) -> None:
        """Be there or not."""
        self.set_visibility(visible)

    def press(self, pressed: bool) -> None:
        """Be a button that is switched on, or off."""
        state = str(pressed).lower()
        if self.props.get("aria-pressed") != state:
            self.props["aria-pressed"] = state
