"""Adds and removes accounts in the configuration file, for people who would rather not.

The file stays theirs: comments and layout are kept, the result is checked before anything is
written, the old text stays beside it as ``.bak``, and an error leaves the file untouched.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tomlkit.exceptions import TOMLKitError

from runtime.config.accounts import IMPLICIT, OURS
from runtime.config.edit.files import locked, replace
from runtime.config.edit.typed import typed
from runtime.config.errors import ConfigError, Problem
from runtime.config.load import Loaded, load_text
from runtime.config.text.json5_edit import cut, put
from runtime.config.text.parse import check_size, parse, read_text
from runtime.config.text.toml_edit import cut_toml, put_toml
from runtime.config.wording import unknown
from workers.registry import ID, ID_RULE, Manifests
from workers.registry import manifests as find_manifests

_BY_HAND = "is written in a way that this cannot change; edit it by hand"


def add_account(
    path: Path, key: str, fields: Mapping[str, str], manifests: Manifests | None = None
) -> Loaded:
    """Add the account ``key`` with ``fields`` as typed (``{"port": "6697"}``).

    Returns the configuration as it is now. Raises ``ConfigError`` when the account exists, the
    channel is not known, or the result would not be valid.
    """
    known = find_manifests() if manifests is None else manifests
    channel, account = _halves(path, key)
    place = ["channels", channel, "accounts", account]
    if channel not in known:
        text = known.broken.get(channel) or unknown(channel, set(known), "channel")
        raise _error(path, f"channels.{channel}", text)
    with file_locked(path):
        text = read_text(path)
        values, _ = parse(path, text)
        section = _section(values, channel)
        value = typed(known[channel].manifest, fields)
        if account in _mapping(section.get("accounts")):
            raise _error(path, ".".join(place), "exists already; edit it in the file")
        after = text
        if _is_account(section):
            # The channel's fields are one account so far, which must not vanish.
            if account == IMPLICIT:
                raise _error(path, f"channels.{channel}", "is this account already")
            implicit = [*place[:-1], IMPLICIT]
            after, values = _with(path, after, implicit, {}), _put(values, implicit, {})
        after = _with(path, after, place, value)
        return write_checked(path, text, after, _put(values, place, value), judge(path, known))


def remove_account(path: Path, key: str, manifests: Manifests | None = None) -> Loaded:
    """Remove the account ``key`` and return the configuration as it is now.

    Raises ``ConfigError`` when there is no such account, or the rest would not be valid.
    """
    known = find_manifests() if manifests is None else manifests
    channel, account = _halves(path, key)
    place = ["channels", channel, "accounts", account]
    with file_locked(path):
        text = read_text(path)
        values, _ = parse(path, text)
        section = _section(values, channel)
        accounts = _mapping(section.get("accounts"))
        if account not in accounts:
            if account == IMPLICIT and _is_account(section):
                say = "is this account itself; remove the section from the file"
                raise _error(path, f"channels.{channel}", say)
            listed = ", ".join(accounts) or "none"
            raise _error(path, ".".join(place), f"there is no such account; there are: {listed}")
        after = _without(path, text, place)
        return write_checked(path, text, after, _cut(values, place), judge(path, known))


def judge(path: Path, manifests: Manifests) -> Callable[[str], Loaded]:
    """Return what judges a text by itself: no account can change what flags and environment do."""
    return lambda text: load_text(path, text, manifests)


def write_checked(
    path: Path, before: str, after: str, expected: dict[str, Any], read: Callable[[str], Loaded]
) -> Loaded:
    """Check the new text, and that it says what was meant, before it replaces the old one.

    ``read`` returns what a text means; the ``ConfigError`` that it raises is the refusal.
    """
    check_size(path, len(after.encode()))
    try:
        loaded = read(after)
    except ConfigError as error:
        # The lines would be those of a text that nobody will ever see.
        problems = [dataclasses.replace(each, line=None) for each in error.problems]
        raise ConfigError(str(path), problems) from None
    if loaded.raw != expected:
        raise _error(path, "", _BY_HAND)
    if read_text(path) != before:
        raise _error(path, "", "was changed by somebody else meanwhile; try again")
    try:
        replace(path, after)
    except OSError as error:
        raise _error(path, "", f"cannot be written: {error.strerror}") from None
    return loaded


def _with(path: Path, text: str, place: list[str], value: dict[str, Any]) -> str:
    if path.suffix != ".toml":
        return put(text, place, value, json5=path.suffix == ".json5")
    try:
        return put_toml(text, place, value)
    except (TOMLKitError, TypeError, ValueError):
        raise _error(path, "", _BY_HAND) from None


def _without(path: Path, text: str, place: list[str]) -> str:
    if path.suffix != ".toml":
        return cut(text, place)
    try:
        return cut_toml(text, place)
    except (TOMLKitError, TypeError, ValueError):
        raise _error(path, "", _BY_HAND) from None


def _put(values: dict[str, Any], place: list[str], value: Any) -> dict[str, Any]:
    result = copy.deepcopy(values)
    inner = result
    for name in place[:-1]:
        inner = inner.setdefault(name, {})
    inner[place[-1]] = value
    return result


def _cut(values: dict[str, Any], place: list[str]) -> dict[str, Any]:
    result = copy.deepcopy(values)
    inner = result
    for name in place[:-1]:
        inner = inner[name]
    del inner[place[-1]]
    return result


def _halves(path: Path, key: str) -> tuple[str, str]:
    channel, colon, account = key.partition(":")
    if not (colon and ID.match(channel) and ID.match(account)):
        rule = f"allowed: CHANNEL:ACCOUNT, each {ID_RULE}"
        raise _error(path, "", f"{key!r} is no account; {rule}")
    return channel, account


def _section(values: Mapping[str, Any], channel: str) -> Mapping[str, Any]:
    return _mapping(_mapping(values.get("channels")).get(channel))


def _is_account(section: Mapping[str, Any]) -> bool:
    """Whether a channel's own fields are its one account (see ``accounts.py``)."""
    return "accounts" not in section and bool(set(section) - OURS)


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return ``value`` if it is an object: what else stands there, the check will name."""
    return value if isinstance(value, Mapping) else {}


@contextlib.contextmanager
def file_locked(path: Path) -> Iterator[None]:
    """Let one edit of the file at a time happen; raises ``ConfigError``."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(path.resolve().parent))
        except OSError as error:
            raise _error(path, "", f"cannot be read: {error.strerror}") from None
        yield


def _error(path: Path, place: str, text: str) -> ConfigError:
    return ConfigError(str(path), [Problem(place, text)])
