"""Adds and removes accounts in the configuration file.

The file stays its author's: comments and layout are kept, the result is checked before anything
is written, the old text stays beside it as ``.bak``, and an error leaves the file untouched.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.config.channel_section import IMPLICIT, OURS
from runtime.config.edit.checked import BY_HAND, checker, write_checked
from runtime.config.edit.typed import typed
from runtime.config.errors import config_error
from runtime.config.files import locked, read_text
from runtime.config.load import Loaded
from runtime.config.text.json5_edit import add_member, remove_member
from runtime.config.text.parse import parse
from runtime.config.text.toml_edit import UNCHANGEABLE, add_toml, remove_toml
from runtime.config.wording import unknown
from workers.registry import ID, ID_RULE, Manifests
from workers.registry import manifests as find_manifests


def add_account(
    path: Path, key: str, fields: Mapping[str, str], manifests: Manifests | None = None
) -> Loaded:
    """Add the account ``key`` with ``fields`` as typed (``{"port": "6697"}``).

    Return the configuration as it is now. Raises ``ConfigError`` when the account exists, the
    channel is not known, or the result would not be valid.
    """
    known = find_manifests() if manifests is None else manifests
    channel, account = _halves(path, key)
    place = ["channels", channel, "accounts", account]
    if channel not in known:
        text = known.broken.get(channel) or unknown(channel, set(known), "channel")
        raise config_error(path, text, f"channels.{channel}")
    with locked(path):
        text = read_text(path)
        values, _ = parse(path, text)
        section = _section(values, channel)
        value = typed(known[channel].manifest, fields)
        if account in _mapping(section.get("accounts")):
            raise config_error(path, "exists already; edit it in the file", ".".join(place))
        after = text
        if _is_account(section):
            # The channel's fields are one account so far, which must not vanish.
            if account == IMPLICIT:
                raise config_error(path, "is this account already", f"channels.{channel}")
            implicit = [*place[:-1], IMPLICIT]
            after, values = _with(path, after, implicit, {}), _with_value(values, implicit, {})
        after = _with(path, after, place, value)
        return write_checked(
            path, text, after, _with_value(values, place, value), checker(path, known)
        )


def remove_account(path: Path, key: str, manifests: Manifests | None = None) -> Loaded:
    """Remove the account ``key`` and return the configuration as it is now.

    Raises ``ConfigError`` when there is no such account, or the rest would not be valid.
    """
    known = find_manifests() if manifests is None else manifests
    channel, account = _halves(path, key)
    place = ["channels", channel, "accounts", account]
    with locked(path):
        text = read_text(path)
        values, _ = parse(path, text)
        section = _section(values, channel)
        accounts = _mapping(section.get("accounts"))
        if account not in accounts:
            if account == IMPLICIT and _is_account(section):
                reason = "is this account itself; remove the section from the file"
                raise config_error(path, reason, f"channels.{channel}")
            listed = ", ".join(accounts) or "none"
            reason = f"there is no such account; there are: {listed}"
            raise config_error(path, reason, ".".join(place))
        after = _without(path, text, place)
        return write_checked(path, text, after, _without_value(values, place), checker(path, known))


def _with(path: Path, text: str, place: list[str], value: dict[str, Any]) -> str:
    if path.suffix != ".toml":
        return add_member(text, place, value, json5=path.suffix == ".json5")
    try:
        return add_toml(text, place, value)
    except UNCHANGEABLE:
        raise config_error(path, BY_HAND) from None


def _without(path: Path, text: str, place: list[str]) -> str:
    if path.suffix != ".toml":
        return remove_member(text, place)
    try:
        return remove_toml(text, place)
    except UNCHANGEABLE:
        raise config_error(path, BY_HAND) from None


def _with_value(values: dict[str, Any], place: list[str], value: Any) -> dict[str, Any]:
    result = copy.deepcopy(values)
    inner = result
    for name in place[:-1]:
        inner = inner.setdefault(name, {})
    inner[place[-1]] = value
    return result


def _without_value(values: dict[str, Any], place: list[str]) -> dict[str, Any]:
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
        raise config_error(path, f"{key!r} is no account; {rule}")
    return channel, account


def _section(values: Mapping[str, Any], channel: str) -> Mapping[str, Any]:
    return _mapping(_mapping(values.get("channels")).get(channel))


def _is_account(section: Mapping[str, Any]) -> bool:
    """Return whether a channel's own fields are its one account (``runtime.config.accounts``)."""
    return "accounts" not in section and bool(set(section) - OURS)


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return ``value`` if it is an object, else an empty one; the check reports the error."""
    return value if isinstance(value, Mapping) else {}
