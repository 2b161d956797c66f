"""Finds the changes of an edit to local fields and references to secrets. Pure.

Only values are compared, as they count: an account that inherits another server has been changed
even though nothing of it was written. What is as it was is no change, and neither is an account, an
agent or a channel that is removed as a whole. A secret that is kept must stay with where it is
sent: an account with a server of its own does not come to inherit the channel's password, and an
agent of another kind begins without one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ipc.hidden_fields import hide_fields
from runtime.config.channel_section import OURS
from runtime.config.local_fields import (
    account_values,
    agent_values,
    dotted,
    local_values,
    mapping,
    references,
)
from runtime.config.model import Config
from runtime.config.redact import redacted
from runtime.config.text.json5_positions import ValuePath
from workers.registry import Manifests


def local_changes(
    before: Mapping[str, Any], after: Mapping[str, Any], manifests: Manifests
) -> list[str]:
    """Return the changed paths that only this host may change, between two configurations.

    Neither must be valid. What an account inherits is named where it is written.
    """
    found = list(_of_gateway_and_others(before, after))
    old = mapping(before.get("channels"))
    for name, section in mapping(after.get("channels")).items():
        was = _Section(name, mapping(old.get(name)), manifests)
        found += _of_channel(was, _Section(name, mapping(section), manifests))
    agents = _entries(before)
    for name, fields in _entries(after).items():
        changes = _of_agent(agents.get(name), mapping(fields), manifests)
        found += [("agents", "entries", name, *path) for path in changes]
    had = dict(references(before))
    found += [path for path, each in references(after) if not _same(had.get(path), each)]
    return list(dict.fromkeys(map(dotted, found)))


def _of_gateway_and_others(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[ValuePath]:
    old, new = (dict(local_values(_others(values), Config)) for values in (before, after))
    yield from _differing(old, new)


def _others(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration without channels and agents, which are compared one by one."""
    others = {name: each for name, each in values.items() if name != "channels"}
    if isinstance(others.get("agents"), Mapping):
        others["agents"] = {**others["agents"], "entries": None}
    return others


def _entries(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(mapping(values.get("agents")).get("entries"))


def _of_agent(before: Any, after: Mapping[str, Any], manifests: Manifests) -> Iterator[ValuePath]:
    """Yield the changes of an agent; a new one is compared with the defaults of its kind."""
    kind = {"kind": after.get("kind")}
    old = mapping(before) if before is not None else kind
    yield from _differing(agent_values(old, manifests), agent_values(after, manifests))
    if old.get("kind") != after.get("kind"):
        kept = {name: each for name, each in old.items() if _same(each, after.get(name))}
        entry = {"kind": old.get("kind"), **kept}
        shown = redacted({"agents": {"entries": {"": entry}}}, manifests)["agents"]["entries"][""]
        yield from ((name,) for name in kept if shown[name] != kept[name])


def _of_channel(was: _Section, now: _Section) -> Iterator[ValuePath]:
    """Yield the changes of a channel and its accounts; a new one is compared with an empty one."""
    old, new = was.values(), now.values()
    yield from ((*now.path, *path) for path in _differing(old, new))
    for account in now.accounts:
        there = account in was.accounts
        if there and _same(was.own(account), now.own(account)):
            continue  # what it inherits has been looked at
        values = now.values(account)
        # A new account may do what one does that inherits everything.
        for path in _differing(was.values(account) if there else old, values):
            own = path[0] in now.own(account) or (there and path[0] in was.own(account))
            yield (*now.path, *(("accounts", account) if own else ()), *path)
        if there and any(_differing(values, new)):
            yield from _uncovered(was, now, account)


def _uncovered(was: _Section, now: _Section, account: str) -> Iterator[ValuePath]:
    """Yield the channel's secrets that an account with its own server begins to use."""
    for name in was.own(account):
        if name not in now.own(account) and now.holds_secret(name):
            yield (*now.path, "accounts", account, name)


@hide_fields("fields")
class _Section(msgspec.Struct, frozen=True):
    """One channel's section of a file."""

    id: str
    fields: Mapping[str, Any]
    manifests: Manifests

    @property
    def path(self) -> ValuePath:
        return ("channels", self.id)

    @property
    def accounts(self) -> Mapping[str, Any]:
        return mapping(self.fields.get("accounts"))

    def own(self, account: str) -> Mapping[str, Any]:
        """Return the account's own fields in the file."""
        return mapping(self.accounts.get(account))

    @property
    def inherited(self) -> dict[str, Any]:
        """Return the channel's own fields, which its accounts inherit."""
        ours = ("accounts", "defaultAccount")
        return {name: each for name, each in self.fields.items() if name not in ours}

    def values(self, account: str | None = None) -> dict[ValuePath, Any]:
        """Return the local fields of an account, or those of the channel for all accounts."""
        known = self.manifests.get(self.id)
        own = {} if account is None else self.own(account)
        return account_values(own, self.inherited, known.manifest.config if known else None)

    def holds_secret(self, name: str) -> bool:
        """Return whether the channel's own field is or contains a secret."""
        if name not in self.fields or name in OURS:
            return False
        field = {name: self.fields[name]}
        shown = redacted({"channels": {self.id: field}}, self.manifests)
        return bool(shown["channels"][self.id] != field or list(references(field)))


def _differing(old: Mapping[ValuePath, Any], new: Mapping[ValuePath, Any]) -> Iterator[ValuePath]:
    """Yield the paths at which the values differ; absent ones count as ``None``."""
    for path in {**old, **new}:
        if not _same(old.get(path), new.get(path)):
            yield path


def _same(old: Any, new: Any) -> bool:
    """Return whether two values are equal; unlike in Python, ``true`` is not 1."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(_same(old[name], new[name]) for name in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_same, old, new))
    return type(old) is type(new) and bool(old == new)
