"""Checks what is around the daemon: names of platforms, the journal, hooks, the shell."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ipc.hosts import is_address
from ops.doctor.facts import Facts
from ops.doctor.finding import Finding, Severity
from runtime.config.load import Loaded

WITHIN = 1.0  # seconds for all names together
CHECKED_BYTES = 32 << 20  # a larger journal would take seconds to be read
LATE_SECONDS = 900.0
HOSTS = ("server", "host")  # fields that hold the name of a host
SHOWN = 3  # accounts in one sentence
_OLDEST = "SELECT min(at), count(*) FROM outgoing WHERE state IN ('queued', 'attempting')"
COMPLETIONS = {
    "bash": (
        "~/.local/share/bash-completion/completions/trunkline",
        "/usr/share/bash-completion/completions/trunkline",
        "/etc/bash_completion.d/trunkline",
    ),
    "zsh": ("~/.zfunc/_trunkline", "/usr/share/zsh/site-functions/_trunkline"),
    "fish": ("~/.config/fish/completions/trunkline.fish",),
}


def names(facts: Facts) -> Iterator[Finding]:
    """Find hosts of platforms whose names have no address here."""
    if facts.loaded is None:
        return
    wanted = hosts_of(facts.loaded)
    for host, why in unresolved(wanted).items():
        keys = wanted[host]
        more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
        yield Finding(
            "channels.dns",
            Severity.ERROR,
            f"{host} has no address here, needed by {', '.join(keys[:SHOWN])}{more}: {why}",
            host,
            f"getent hosts {host}; /etc/resolv.conf, the network",
        )


def hosts_of(loaded: Loaded) -> dict[str, list[str]]:
    """Return the hosts that enabled accounts connect to by name, with the keys of those accounts.

    What connects through a proxy leaves names to that.
    """
    found: dict[str, list[str]] = {}
    for key, spec in loaded.accounts.items():
        if not spec.enabled or not spec.configured or spec.proxy is not None:
            continue
        for name, value in _fields(spec.manifest.config, spec.config).items():
            host = _host(name, value)
            if host and not is_address(host) and host != "localhost":
                found.setdefault(host, []).append(key)
    return found


def unresolved(hosts: Iterable[str]) -> dict[str, str]:
    """Return why hosts have no address, for those that have none.

    Each is asked for in a thread of its own, which nobody waits for beyond ``WITHIN``: a resolver
    that does not answer would hold up everything else for half a minute.
    """
    answers: dict[str, str | None] = {}

    def look(host: str) -> None:
        try:
            socket.getaddrinfo(host, None)
            answers[host] = None
        except OSError as error:
            answers[host] = error.strerror or str(error)

    threads = {host: threading.Thread(target=look, args=[host], daemon=True) for host in hosts}
    for thread in threads.values():
        thread.start()
    deadline = time.monotonic() + WITHIN
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    late = f"no answer within {WITHIN:g} s"
    found = {host: answers.get(host, late) for host in threads}
    return {host: why for host, why in found.items() if why is not None}


def journal_integrity(facts: Facts) -> Iterator[Finding]:
    """Find a journal that is damaged. One that is large is left to the gateway, which repairs."""
    path = facts.places.state_dir / "journal.db"
    try:
        if path.stat().st_size > CHECKED_BYTES:
            return
        with closing(_reader(path)) as database:
            (said,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except FileNotFoundError:
        return
    except (OSError, sqlite3.Error) as error:
        said = str(error)
    if said != "ok":
        yield Finding(
            "journal.integrity",
            Severity.ERROR,
            f"the journal is damaged: {said}",
            str(path),
            "trunkline down; trunkline restore FILE (copies are in backup/), then up",
        )


def undelivered(facts: Facts) -> Iterator[Finding]:
    """Find messages that wait to be sent for long."""
    path = facts.places.state_dir / "journal.db"
    try:
        with closing(_reader(path)) as database:
            oldest, count = database.execute(_OLDEST).fetchone()
    except (OSError, sqlite3.Error):  # none, or what the check before this one finds
        return
    waits = facts.now - (oldest or 0) / 1000
    if count and waits > LATE_SECONDS:
        yield Finding(
            "journal.undelivered",
            Severity.WARNING,
            f"{count} message{'' if count == 1 else 's'} wait to be sent, the oldest for"
            f" {waits / 60:.0f} minutes",
            str(path),
            "trunkline status; the account is down, or its platform takes nothing",
        )


def hooks(facts: Facts) -> Iterator[Finding]:
    """Find hooks whose mapping is wrong: they answer 500."""
    if facts.loaded is None or not facts.loaded.config.hooks.enabled:
        return
    from ops.actions.hooks import hooks_of
    from runtime.gateway.hooks.mappings import problems_of

    for problem in problems_of(hooks_of(facts.loaded)[0]):
        yield Finding(
            "hooks.mapping",
            Severity.WARNING,
            f"{problem}; its requests are answered with 500",
            "hooks.mappings",
            "trunkline hooks test NAME --body FILE",
        )


def completion(facts: Facts) -> Iterator[Finding]:
    """Find that the shell does not complete commands."""
    shell = Path(facts.environ.get("SHELL", "")).name
    home = facts.environ.get("HOME")
    places = COMPLETIONS.get(shell, ())
    files = [Path(each.replace("~", home or "/", 1)) for each in places]
    if home and files and not any(each.exists() for each in files):
        yield Finding(
            "shell.completion",
            Severity.INFO,
            f"{shell} does not complete commands and accounts",
            str(files[0]),
            f"trunkline completion {shell} > {files[0]}",
        )


def _reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0.5)


def _fields(struct: type[msgspec.Struct], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an account, with the defaults of those that are not given."""
    defaults = {
        each.encode_name: each.default
        for each in msgspec.structs.fields(struct)
        if isinstance(each.default, str)
    }
    return defaults | dict(given)


def _host(name: str, value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    if name in HOSTS:
        return value
    if value.startswith(("https://", "http://", "wss://", "ws://")):
        return urlsplit(value).hostname
    return None
