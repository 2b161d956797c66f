"""Defines groups of options that commands share, and the decorator that registers such commands.

A command names a group as one parameter:

    @command(app)
    def stop(*, selection: AccountSelection, reason: Reason = None, options: RuntimeOptions): …

``typer`` sees each option of a group as a parameter of its own, in the place of the group.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, is_dataclass
from functools import wraps
from typing import Any, TypeVar

import typer

from ipc.hidden_fields import hide_fields
from ops.commands.options import (
    All,
    Filter,
    Follow,
    Grep,
    Json,
    Keys,
    Lines,
    Output,
    Refresh,
    Since,
    Sort,
    Token,
    Url,
    Wait,
    WaitTimeout,
    Whole,
)
from ops.connect.selection import targets
from ops.connect.target import RuntimeTarget

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class LocalOptions:
    """The options of a command for the runtime of this host."""

    context: typer.Context
    json: Json = False

    @property
    def target(self) -> RuntimeTarget:
        """The runtime that the command is for."""
        return RuntimeTarget(self.context.find_root().params)


@hide_fields("token")
@dataclass(frozen=True)
class RuntimeOptions(LocalOptions):
    """The options of a command that can also go through a gateway."""

    url: Url = None
    token: Token = None

    @property
    def target(self) -> RuntimeTarget:
        """The runtime that the command is for."""
        return RuntimeTarget(self.context.find_root().params, self.url, self.token)


@dataclass(frozen=True)
class AccountSelection:
    """The accounts of a command that must name some."""

    keys: Keys = None
    everything: All = False

    @property
    def targets(self) -> list[str]:
        """The targets of a request; raises ``UsageFailure`` unless KEY or ``--all`` was typed."""
        return targets(self.keys, self.everything)


@dataclass(frozen=True)
class WaitOptions:
    """Whether to wait for the effect of a command, and for how many seconds."""

    wait: Wait = False
    timeout: WaitTimeout = 30.0


@dataclass(frozen=True)
class LineSelection:
    """The options that select log lines."""

    lines: Lines = 100
    follow: Follow = False
    since: Since = None
    grep: Grep = None

    def wanted(self, names: Sequence[str]) -> Any:
        """Return which lines of these logs are wanted (``LinesWanted``)."""
        from ops.actions.logs import LinesWanted
        from ops.output.line_filter import LineFilter

        chosen = LineFilter(self.since, self.grep, time.time())
        return LinesWanted(names, self.lines, chosen, self.follow)


@dataclass(frozen=True)
class ListingOptions:
    """The options for the rows, order and form of a listing."""

    output: Output = None
    sort: Sort = None
    filter: Filter = None
    all: Whole = False
    watch: Refresh = False

    def wanted(self, *, as_json: bool, named: bool) -> Any:
        """Return which rows are wanted, and how (``Listing``); ``named``: KEYs were typed."""
        from ops.actions.listing import Listing

        whole = self.all or named
        return Listing(self.output, self.sort, self.filter or (), as_json=as_json, whole=whole)


def command(app: typer.Typer, name: str | None = None) -> Callable[[F], F]:
    """Register a function as a command of ``app``, with its option groups expanded."""

    def register(function: F) -> F:
        app.command(name)(_flattened(function))
        return function

    return register


def _flattened(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function`` with a parameter for each option, as ``typer`` reads signatures."""
    groups: dict[str, tuple[Any, list[str]]] = {}
    flat: list[inspect.Parameter] = []
    for parameter in _parameters(function):
        members = [parameter]
        if is_dataclass(parameter.annotation):
            members = _parameters(parameter.annotation)
            groups[parameter.name] = parameter.annotation, [member.name for member in members]
        flat += [member.replace(kind=inspect.Parameter.KEYWORD_ONLY) for member in members]

    @wraps(function)
    def call(**given: Any) -> Any:
        for name, (group, members) in groups.items():
            given[name] = group(**{member: given.pop(member) for member in members})
        return function(**given)

    call.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    call.__annotations__ = {member.name: member.annotation for member in flat}
    return call


def _parameters(of: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(of, eval_str=True).parameters.values())
