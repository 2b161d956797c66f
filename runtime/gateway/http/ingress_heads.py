"""Parses path and headers of HTTP requests to accounts, and checks those of answers. Pure.

Nothing here is the gateway's own: what a stranger sends is either understood in one way, or refused
with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from ipc.frames.data import MAX_HTTP_HEAD_BYTES, MAX_HTTP_HEADERS, http_head_bytes

PREFIX = "/channels/"
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
# They concern one connection (RFC 9110, section 7.6.1), or were carried out here already.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Of a request: beside these, cookies are the gateway's, or another port's of this host.
NOT_FOR_A_PLUGIN = HOP_BY_HOP | {"cookie"}
# What a browser wants to run or apply in a page of this origin (Fetch, section 3.2.7).
PART_OF_A_PAGE = frozenset(
    {
        "audioworklet",
        "embed",
        "font",
        "manifest",
        "object",
        "paintworklet",
        "script",
        "serviceworker",
        "sharedworker",
        "style",
        "worker",
        "xslt",
    }
)
# Of an answer: what is ours to say, and what would count for all of the gateway's origin.
NOT_A_PLUGINS = HOP_BY_HOP | {
    "accept-ch",
    "alt-svc",
    "clear-site-data",
    "content-length",
    "content-security-policy",
    "content-security-policy-report-only",
    "date",
    "nel",
    "origin-agent-cluster",
    "origin-trial",
    "public-key-pins",
    "report-to",
    "reporting-endpoints",
    "server",
    "service-worker-allowed",
    "set-cookie",
    "set-cookie2",
    "set-login",
    "strict-transport-security",
    "use-as-dictionary",
    "x-content-type-options",
}
# One origin with the console: nothing that an account answers may run as a page of it.
SAFETY = (("Content-Security-Policy", "sandbox"), ("X-Content-Type-Options", "nosniff"))
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_BAD_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")

Headers = list[tuple[str, str]]


class BadHead(Exception):
    """A request that cannot be passed on; the text is the reason, ``status`` that of the answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Target(NamedTuple):
    """The account that a path names, and the decoded rest of the path."""

    key: str
    path: str


def read_target(raw_path: str) -> Target:
    """Parse a path below ``/channels/``; raises ``BadHead``.

    Channel and account are taken as they stand, for their names need no escapes. The rest may not
    leave its place: it has no segment ``.`` or ``..``, escaped or not, and no escaped slash.
    """
    channel, _, rest = raw_path.removeprefix(PREFIX).partition("/")
    account, _, rest = rest.partition("/")
    if not channel or not account:
        raise BadHead(404, "the path of an account is /channels/CHANNEL/ACCOUNT/…")
    return Target(f"{channel}:{account}", decoded_path(rest))


def decoded_path(rest: str) -> str:
    """Return the rest of a path, decoded; raises ``BadHead`` if it could escape its root."""
    if _BAD_ESCAPE.search(rest):
        raise BadHead(400, "the path has a % that begins no escape")
    if "%2f" in rest.lower():
        raise BadHead(400, "the path has an escaped slash")
    try:
        path = unquote_to_bytes(rest).decode()
    except UnicodeError:
        raise BadHead(400, "the path is not UTF-8") from None
    if _CONTROL.search(path):
        raise BadHead(400, "the path has a control character or a backslash")
    if {".", ".."} & set(path.split("/")):
        raise BadHead(400, "the path has a segment . or ..")
    return path


def request_headers(given: Iterable[tuple[str, str]], path: str, query: str) -> Headers:
    """Return the headers for the plugin; raises ``BadHead`` if there are too many.

    A header that comes twice goes twice: what that means, the plugin has to decide.
    """
    all_of_them = [
        (name.lower(), value if value.isascii() else readable(value)) for name, value in given
    ]
    gone = NOT_FOR_A_PLUGIN
    for name, value in all_of_them:
        if name == "connection":
            gone = gone | {option.strip().lower() for option in value.split(",")}
    kept = [(name, value) for name, value in all_of_them if name not in gone]
    if len(kept) > MAX_HTTP_HEADERS:
        raise BadHead(431, f"the request has more than {MAX_HTTP_HEADERS} headers")
    if http_head_bytes(kept) + len(path) + len(query) > MAX_HTTP_HEAD_BYTES:
        raise BadHead(431, f"path and headers are longer than {MAX_HTTP_HEAD_BYTES} bytes")
    return kept


def answer_headers(given: Iterable[tuple[str, str]]) -> Headers:
    """Return an answer's headers and the gateway's own; raises ``ValueError`` if malformed."""
    kept: Headers = []
    for name, value in given:
        if not _NAME.match(name) or _BAD_VALUE.search(value):
            raise ValueError(f"the header {name[:40]!r} is malformed")
        if name.lower() not in NOT_A_PLUGINS:
            kept.append((name, value))
    return [*kept, *SAFETY]


def readable(value: str) -> str:
    """Return the text of a head with invalid UTF-8 replaced."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
