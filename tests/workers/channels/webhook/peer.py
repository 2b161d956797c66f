"""The other side of a webhook, which signs and checks with somebody else's library."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

from standardwebhooks.webhooks import Webhook as Library

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OTHER_KEY = bytes(range(1, 33))
OTHER = "whsec_" + base64.b64encode(OTHER_KEY).decode()


def signed(
    body: bytes, id: str = "msg_1", *, secret: str = SECRET, at: float | None = None
) -> dict[str, str]:
    """Return the headers that the library signs a body with."""
    when = datetime.fromtimestamp(int(at if at is not None else datetime.now(UTC).timestamp()), UTC)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(when.timestamp())),
        "webhook-signature": Library(secret).sign(id, when, body.decode()),
    }


def verified(body: bytes, headers: dict[str, str], secret: str = SECRET) -> Any:
    """Return a body that the library takes for genuine; it raises otherwise."""
    return Library(secret).verify(body, headers)


def message(text: str = "hello", **more: Any) -> bytes:
    return json.dumps({"text": text} | more).encode()


def with_file(content: bytes, **more: Any) -> tuple[bytes, str]:
    """Return a body with a message and a file, and its type; all of it ASCII."""
    parts = (
        b'--X1\r\nContent-Disposition: form-data; name="message"\r\n\r\n' + message(**more),
        b'--X1\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\n' + content,
        b"--X1--\r\n",
    )
    return b"\r\n".join(parts), "multipart/form-data; boundary=X1"
