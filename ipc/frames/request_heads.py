"""Reads the id and the method at the beginning of a request whose rest has not arrived. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

# A field with a plain value; ``params``, an object, ends the head.
_FIELD = re.compile(rb'\s*"([A-Za-z]{1,32})"\s*:\s*("[^"\\\x00-\x1f]{0,1024}"|-?[0-9]{1,18})\s*,')
_OPENED = re.compile(rb"\s*\{")


class RequestBeginning(NamedTuple):
    """What stands before the params of a request; ``None`` for what does not stand there."""

    id: str | int | None
    method: str | None


def read_head(beginning: bytes) -> RequestBeginning:
    """Return what the first bytes of a request show."""
    found: dict[bytes, str | int] = {}
    match = _OPENED.match(beginning)
    while match is not None:
        match = _FIELD.match(beginning, match.end())
        if match is not None:
            name, value = match.groups()
            found[name] = value[1:-1].decode(errors="replace") if value[0] == 0x22 else int(value)
    method = found.get(b"method")
    return RequestBeginning(found.get(b"id") or None, method if isinstance(method, str) else None)
