"""Finds what an edit changes of local fields and of references to secrets. Pure.

Only values are compared, as they count: an account that inherits another server has been changed
even though nothing of it was written. What is as it was is no change, and neither is an account or
a channel that is removed as a whole. A secret that is kept must stay with where it is sent: an
account with a server of its own does not come to inherit the channel's password.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runtime.config.accounts import OURS
from runtime.config.check import join
from runtime.config.local_fields import account_values, local_values, mapping, references
from runtime.config.model import Config
from runtime.config.redact import redacted
from workers.registry import Manifests


def local_changes(
    before: Mapping[str, Any], after: Mapping[str, Any], manifests: Manifests
) -> list[str]:
    """Return the paths of what only this host may change, of two configurations as in files.

    Neither must be valid. What an account inherits is named where it is written.
    """
    found = list(_of_gateway_and_others(before, after))
    old = mapping(before.get("channels"))
    for name, section in mapping(after.get("channels")).items():
        was = _Section(name, mapping(old.get(name)), manifests)
        found += _of_channel(was, _Section(name, mapping(section), manifests), known=name in old)
    had = dict(references(before))
    found += [path for path, each in references(after) if not _same(had.get(path), each)]
    return list(dict.fromkeys(found))


def _of_gateway_and_others(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    rest = [
        {name: each for name, each in values.items() if name != "channels"}
        for values in (before, after)
    ]
    old, new = (dict(local_values(values, Config)) for values in rest)
    yield from _differing(old, new)


def _of_channel(was: _Section, now: _Section, *, known: bool) -> Iterator[str]:
    """Yield the changes of a channel and its accounts; ``known``: the channel was there."""
    channel = was.values() if known else now.emptied().values()
    yield from (join(now.path, name) for name in _differing(channel, now.values()))
    for account in now.accounts:
        there = account in was.accounts
        # A new account may do what one does that inherits everything.
        old = was.values(account) if there else channel
        for name in _differing(old, now.values(account)):
            head = name.partition(".")[0].partition("[")[0]
            own = head in now.own(account) or (there and head in was.own(account))
            yield join(f"{now.path}.accounts.{account}" if own else now.path, name)
        if there and not _alike(now.values(account), now.values()):
            yield from _uncovered(was, now, account)


def _uncovered(was: _Section, now: _Section, account: str) -> Iterator[str]:
    """Yield the secrets of the channel that an account with a server of its own begins to use."""
    for name in was.own(account):
        if name not in now.own(account) and now.holds_secret(name):
            yield f"{now.path}.accounts.{account}.{name}"


@dataclass(frozen=True, slots=True)
class _Section:
    """One channel's section of a file."""

    id: str
    fields: Mapping[str, Any]
    manifests: Manifests

    @property
    def path(self) -> str:
        return f"channels.{self.id}"

    @property
    def accounts(self) -> Mapping[str, Any]:
        return mapping(self.fields.get("accounts"))

    def own(self, account: str) -> Mapping[str, Any]:
        """Return what is written of an account itself."""
        return mapping(self.accounts.get(account))

    def emptied(self) -> _Section:
        """Return the section without anything in it."""
        return _Section(self.id, {}, self.manifests)

    def values(self, account: str | None = None) -> dict[str, Any]:
        """Return the local fields of an account, or those that the channel has for all."""
        known = self.manifests.get(self.id)
        inherited = {
            name: each
            for name, each in self.fields.items()
            if name not in ("accounts", "defaultAccount")
        }
        own = {} if account is None else self.own(account)
        return account_values(own, inherited, known.manifest.config if known else None)

    def holds_secret(self, name: str) -> bool:
        """Return whether the channel's own field is, or has inside it, a secret."""
        if name not in self.fields or name in OURS:
            return False
        field = {name: self.fields[name]}
        shown = redacted({"channels": {self.id: field}}, self.manifests)
        return bool(shown["channels"][self.id] != field or list(references(field)))


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yield the paths at which the values differ; what is absent is as ``None``."""
    for path in {**old, **new}:
        if not _same(old.get(path), new.get(path)):
            yield path


def _alike(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return not any(_differing(old, new))


def _same(old: Any, new: Any) -> bool:
    """Return whether two values are the same; ``true`` is not 1, as Python has it."""
    return type(old) is type(new) and old == new
