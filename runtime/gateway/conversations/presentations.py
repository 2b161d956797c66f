"""Converts OpenClaw's presentations (cards for any channel) to text and buttons. Pure.

Texts, dividers, buttons and choices become what a message here has; what has no form here (charts,
tables) is refused by name, since a message without it would say something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

BUTTONS_IN_A_ROW = 5  # the most that Discord takes, the least of the platforms
Label = Annotated[str, Meta(min_length=1, max_length=256)]


class PresentedAction(msgspec.Struct, rename="camel"):
    """The action of a button; kinds that only OpenClaw's own gateway handles are refused."""

    type: Literal["command", "callback", "url", "web-app"]
    command: str | None = None
    value: str | None = None
    url: str | None = None


class PresentedButton(msgspec.Struct, rename="camel"):
    """A button, or an option of a choice. Older clients send ``value`` and ``url``."""

    label: Label
    action: PresentedAction | None = None
    value: str | None = None
    url: str | None = None

    def to_button(self) -> dict[str, Any]:
        """Return it as a button of a Trunkline message."""
        action = self.action
        if action is not None and action.url:
            return {"text": self.label, "url": action.url}
        if self.url:
            return {"text": self.label, "url": self.url}
        data = self.value if action is None else action.command or action.value
        return {"text": self.label} | ({} if data is None else {"data": data})


class PresentedBlock(msgspec.Struct, rename="camel"):
    """One part of a presentation; which fields count depends on ``type``."""

    type: Literal["text", "context", "divider", "buttons", "select"]
    text: str = ""
    placeholder: str = ""
    buttons: list[PresentedButton] = []
    options: list[PresentedButton] = []


class Presentation(msgspec.Struct, rename="camel"):
    """A card. Its ``tone`` (a colour) is ignored."""

    blocks: list[PresentedBlock]
    title: str = ""


def presented(value: Any, *, buttons: bool) -> tuple[str, list[list[dict[str, Any]]]]:
    """Return the text and the rows of buttons of a presentation.

    Where there are no ``buttons`` they are lines of the text. ``msgspec.ValidationError`` says what
    has no form here.
    """
    card = msgspec.convert(value, Presentation)
    texts, rows = [card.title], []
    for block in card.blocks:
        match block.type:
            case "text" | "context":
                texts.append(block.text)
            case "divider":
                texts.append("---")
            case kind:
                made = [each.to_button() for each in (block.buttons or block.options)]
                texts.append(block.placeholder)
                if buttons:
                    rows += list(_rows(made, 1 if kind == "select" else BUTTONS_IN_A_ROW))
                else:
                    texts.append("\n".join(_line(each) for each in made))
    return "\n\n".join(filter(None, texts)), rows


def _rows(made: list[dict[str, Any]], width: int) -> Iterator[list[dict[str, Any]]]:
    for at in range(0, len(made), width):
        yield made[at : at + width]


def _line(button: dict[str, Any]) -> str:
    return f"- {button['text']}" + (f": {button['url']}" if "url" in button else "")
