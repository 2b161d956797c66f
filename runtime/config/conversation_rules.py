"""Finds contradictions between the sections about conversations and the rest of the file. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from runtime.config.errors import Problem
from runtime.config.model import Config
from runtime.config.sessions import (
    validate_bindings,
    validate_commands,
    validate_queue,
    validate_session,
)
from runtime.config.timers import hooks_problems


def conversation_problems(
    config: Config, agents: Iterable[str], accounts: Iterable[str], channels: Collection[str]
) -> list[Problem]:
    """Return what is wrong with ``session``, ``bindings``, ``queue``, ``commands`` and ``hooks``.

    ``agents`` and ``accounts`` are the keys of those there are, ``channels`` those installed.
    """
    known: defaultdict[str, list[str]] = defaultdict(list)
    for key in accounts:
        channel, _, account = key.partition(":")
        known[channel].append(account)
    ids = [key.partition(":")[2] for key in agents]
    return [
        *_below("session.", validate_session(config.session, channels)),
        *_below("bindings", validate_bindings(config.bindings, ids, known)),
        *_below("queue.", validate_queue(config.queue, channels)),
        *_below("commands.", validate_commands(config.commands, channels)),
        *hooks_problems(config.hooks),
    ]


def _below(place: str, problems: Iterable[Problem]) -> Iterator[Problem]:
    return (Problem(f"{place}{each.path}", each.text) for each in problems)
