"""Decodes ``data:`` URLs. Pure."""

from __future__ import annotations

import base64
import re
from urllib.parse import unquote_to_bytes

from workers.errors import MediaFailed

_DATA = re.compile(r"data:([^,;]*)((?:;[^,]*)?),(.*)\Z", re.DOTALL)


def content_of(url: str) -> tuple[str | None, bytes]:
    """Return the type and the content of a ``data:`` URL. Raises ``MediaFailed``."""
    found = _DATA.match(url)
    if found is None:
        raise MediaFailed("a data URL needs a comma before its content", reason="invalid")
    data = unquote_to_bytes(found[3])
    if found[2].lower().endswith(";base64"):
        try:
            data = base64.b64decode(b"".join(data.split()), validate=True)
        except ValueError as error:
            raise MediaFailed(f"a data URL cannot be read: {error}", reason="invalid") from None
    return found[1] or None, data
