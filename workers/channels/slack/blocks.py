"""Builds the blocks of messages with buttons (Block Kit). Pure."""

from __future__ import annotations

from collections.abc import Sequence

from workers.channels.slack.mrkdwn import cut, cut_plain, unescape
from workers.channels.slack.objects import Json
from workers.errors import SendFailed
from workers.messages import Button

SECTION_LIMIT = 3_000  # characters of the text of one section
MAX_BUTTONS = 25  # in a row
LABEL_LIMIT = 75
VALUE_LIMIT = 2_000
URL_LIMIT = 3_000


def blocks_of(text: str, rows: Sequence[Sequence[Button]], *, marked: bool) -> list[Json]:
    """Return the blocks of an escaped text above rows of buttons.

    ``marked``: the text has markup; otherwise it is shown literally. Raises ``SendFailed`` for a
    button that Slack does not accept.
    """
    kind: Json = {"type": "mrkdwn"} if marked else {"type": "plain_text", "emoji": False}
    pieces = cut(text, SECTION_LIMIT) if marked else cut_plain(unescape(text), SECTION_LIMIT)
    sections = [{"type": "section", "text": {**kind, "text": piece}} for piece in pieces]
    return [*sections, *(_row(row, number) for number, row in enumerate(rows))]


def _row(row: Sequence[Button], number: int) -> Json:
    if not 0 < len(row) <= MAX_BUTTONS:
        raise SendFailed(f"a row has 1 to {MAX_BUTTONS} buttons, not {len(row)}", reason="invalid")
    return {
        "type": "actions",
        "elements": [_button(each, f"{number}.{place}") for place, each in enumerate(row)],
    }


def _button(button: Button, id: str) -> Json:
    label = button.text if len(button.text) <= LABEL_LIMIT else button.text[: LABEL_LIMIT - 1] + "…"
    made: Json = {
        "type": "button",
        "action_id": id,
        "text": {"type": "plain_text", "text": label, "emoji": False},
    }
    if button.url:
        if len(button.url) > URL_LIMIT:
            raise SendFailed(f"the address of button {label!r} is too long", reason="invalid")
        return made | {"url": button.url}
    data = button.data if button.data is not None else button.text
    if len(data) > VALUE_LIMIT:
        raise SendFailed(
            f"the data of button {label!r} has more than {VALUE_LIMIT} characters",
            reason="invalid",
        )
    return made | {"value": data}
