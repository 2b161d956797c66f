"""Renders a message in the dialect of a platform, in parts within its length limit. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from workers.text.dialects import Dialect
from workers.text.document import plain_document
from workers.text.html_dialects import HTML, TELEGRAM_HTML
from workers.text.limits import DialectName, Text
from workers.text.marker_dialects import (
    DISCORD,
    DISCORD_PLAIN,
    IRC,
    MRKDWN,
    PLAIN,
    WHATSAPP,
)
from workers.text.splitting import parts_of

Markup = Literal["plain", "markdown"]

DIALECTS: Mapping[DialectName, Dialect] = {
    "plain": PLAIN,
    "telegram-html": TELEGRAM_HTML,
    "mrkdwn": MRKDWN,
    "discord": DISCORD,
    "whatsapp": WHATSAPP,
    "matrix": HTML,
    "irc": IRC,
    "html": HTML,
}
# How plain text goes to the platforms that read marks or control characters in every text. To the
# others it goes as it is, and their plugins say that it has no markup.
PLAIN_DIALECTS: Mapping[DialectName, Dialect] = {"discord": DISCORD_PLAIN, "mrkdwn": MRKDWN}


def render(
    source: str, text: Text, markup: Markup = "markdown", *, caption: bool = False
) -> list[str]:
    """Return the texts of the messages to send for ``source``, in order; none if it is blank.

    ``markdown`` becomes the dialect of ``text``. ``plain`` is shown as it is: where that needs it,
    its characters are escaped (``PLAIN_DIALECTS``). Each part is at most ``text.limit`` long, or
    ``text.caption`` where it goes with a file.
    """
    limit = (text.caption if caption else 0) or text.limit
    if markup == "plain":
        plain = PLAIN_DIALECTS.get(text.dialect, PLAIN)
        return parts_of(plain_document(source), plain, limit, text.unit)
    # Here, so that a worker whose messages are all plain does without the parser (1 MiB).
    from workers.text.markdown import document_of

    dialect = DIALECTS[text.dialect]
    document = document_of(source, dialect, longest_link=limit // 2)
    return parts_of(document, dialect, limit, text.unit)
