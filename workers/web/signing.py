"""Signs and verifies messages by Standard Webhooks, version 1, symmetric keys. Pure.

The signature is HMAC-SHA256 over ``<webhook-id>.<webhook-timestamp>.<body>``, in base64 behind
``v1,``; a header may hold several, so that both keys are valid while a secret is replaced.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from mmap import mmap

PREFIX = "whsec_"
VERSION = "v1"
SHORTEST, LONGEST = 24, 64  # bytes of a key, by the specification
MAX_SIGNATURES = 16  # in one header; each costs a comparison
MAX_ID = 256  # characters; a part's number goes behind it
_TIMESTAMP = re.compile(r"\d{1,12}\Z")
_ID = re.compile(r"[\x21-\x7e]+\Z")
_PLAIN_ID = re.compile(r"[A-Za-z0-9_~:/+=@-]{1,256}\Z")

PIECE = 1 << 20  # bytes that are hashed at once

Body = bytes | mmap  # a large one is a mapped file

SECRET_RULE = f"must be {PREFIX} and base64 of {SHORTEST} to {LONGEST} random bytes"


class Unsigned(Exception):
    """A message has no valid signature of the peer; the text is the reason, for the peer's log."""


def key_of(secret: str) -> bytes:
    """Decode the key of a secret; raises ``ValueError`` whose text does not contain the secret."""
    if not secret.startswith(PREFIX):
        raise ValueError(SECRET_RULE)
    text = secret.removeprefix(PREFIX).rstrip("=")  # some write it without the padding
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(SECRET_RULE) from None
    if not SHORTEST <= len(key) <= LONGEST:
        raise ValueError(SECRET_RULE)
    return key


def keys_of(secret: str, previous: str | None) -> list[bytes]:
    """Decode the keys of the fields ``secret`` and ``previousSecret``, the current one first.

    Raises ``ValueError``, whose text names the field.
    """
    keys = []
    for name, given in (("secret", secret), ("previousSecret", previous)):
        if given is not None:
            try:
                keys.append(key_of(given))
            except ValueError as error:
                raise ValueError(f"{name} {error}") from None
    return keys


def sign(keys: Sequence[bytes], id: str, timestamp: int, body: bytes) -> str:
    """Return the value of the header ``webhook-signature``: one signature for each key."""
    return " ".join(f"{VERSION},{_signature(key, id, str(timestamp), body)}" for key in keys)


def webhook_id(key: str) -> str:
    """Return the ``webhook-id`` for a message with this idempotency key, the same at each attempt.

    It is the key itself if that may stand in a header and is unambiguous in the signed text.
    """
    if _PLAIN_ID.match(key):
        return key
    return f"key_{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def verify(
    keys: Sequence[bytes],
    headers: tuple[str | None, str | None, str | None],
    body: Body,
    now: float,
    tolerance: float,
) -> tuple[str, int]:
    """Verify the signature of a message; return its id and timestamp, or raise ``Unsigned``.

    ``headers`` are ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature``, ``None`` where
    there is not exactly one. ``now`` and ``tolerance`` are in seconds.
    """
    name, timestamp, signatures = headers
    if name is None or timestamp is None or signatures is None:
        raise Unsigned(
            "webhook-id, webhook-timestamp and webhook-signature must each be present exactly once"
        )
    if len(name) > MAX_ID or not _ID.match(name):
        raise Unsigned(f"webhook-id must be 1 to {MAX_ID} printable characters without spaces")
    if not _TIMESTAMP.match(timestamp):
        raise Unsigned("webhook-timestamp must be a number of seconds since 1970")
    if abs(now - int(timestamp)) > tolerance:
        raise Unsigned(f"webhook-timestamp is more than {tolerance:g} s away from the time here")
    given = [each.partition(",") for each in signatures.split(" ")[:MAX_SIGNATURES]]
    found = False
    for key in keys:
        right = _signature(key, name, timestamp, body)
        for version, _, signature in given:
            if version == VERSION and hmac.compare_digest(right.encode(), signature.encode()):
                found = True
    if not found:
        raise Unsigned("webhook-signature is not that of this message under the shared secret")
    return name, int(timestamp)


def _signature(key: bytes, id: str, timestamp: str, body: Body) -> str:
    begin = f"{id}.{timestamp}.".encode()
    if isinstance(body, bytes):
        return base64.b64encode(hmac.digest(key, begin + body, "sha256")).decode()
    made = hmac.new(key, begin, "sha256")
    for at in range(0, len(body), PIECE):
        made.update(body[at : at + PIECE])
    return base64.b64encode(made.digest()).decode()
