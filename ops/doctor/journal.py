"""Checks the daemon's surroundings: host names of platforms, the journal, hooks, the shell."""

from __future__ import annotations

import shlex
import socket
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from ipc.hosts import is_address, wrong_name
from ops.doctor.facts import Facts
from ops.doctor.finding import Finding, Severity
from runtime.config.load import Loaded
from runtime.gateway.journal.copies import copies_in
from runtime.gateway.journal.damage import is_damage
from runtime.gateway.journal.interface import COPIES, FILE
from runtime.gateway.journal.replacing import BESIDE
from workers.web.addresses import host_of

WITHIN = 1.0  # seconds for all names together
CHECKED_BYTES = 32 << 20  # a larger journal would take seconds to be read
LATE_SECONDS = 900.0
HOSTS = ("server", "host")  # fields that hold the name of a host
SHOWN = 3  # accounts in one sentence
# By the beginning of SQLite's name of an error that is no damage.
UNSEEN = {
    "SQLITE_FULL": "make room on the disk",
    "SQLITE_IOERR": "make room on the disk (df), or look at the disk itself (dmesg)",
    "SQLITE_BUSY": "wait until nothing else holds it",
    "SQLITE_LOCKED": "wait until nothing else holds it",
    "SQLITE_PERM": "run this as the user to whom the state belongs",
    "SQLITE_AUTH": "run this as the user to whom the state belongs",
    "SQLITE_READONLY": "run this as the user to whom the state belongs",
    "SQLITE_CANTOPEN": "run this as the user to whom the state belongs, with the daemon up",
    "PermissionError": "run this as the user to whom the state belongs",
}
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
    """Find host names of platforms that cannot be resolved here."""
    if facts.loaded is None:
        return
    wanted = hosts_of(facts.loaded)
    for host, why in unresolved(wanted).items():
        keys = wanted[host]
        more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
        yield Finding(
            "channels.dns",
            Severity.ERROR,
            f"{host} cannot be resolved here, needed by {', '.join(keys[:SHOWN])}{more}: {why}",
            host,
            f"correct the name, /etc/resolv.conf or the network; `getent hosts {host}` tries it",
        )


def hosts_of(loaded: Loaded) -> dict[str, list[str]]:
    """Return the host names that enabled accounts connect to, with the keys of those accounts.

    Accounts behind a proxy are left out: the proxy resolves names.
    """
    found: dict[str, list[str]] = {}
    for key, spec in loaded.accounts.items():
        if not spec.enabled or not spec.configured or spec.proxy is not None:
            continue
        for name, value in _fields(spec.manifest.config, spec.config).items():
            host = host_in(name, value)
            if host and not is_address(host) and host != "localhost":
                found.setdefault(host, []).append(key)
    return found


def unresolved(hosts: Iterable[str]) -> dict[str, str]:
    """Return why host names cannot be resolved, for those that cannot.

    Each is resolved in a thread of its own, which is abandoned after ``WITHIN`` seconds: a resolver
    that does not answer would otherwise block everything for half a minute.
    """
    answers: dict[str, str | None] = {}

    def resolve(host: str) -> None:
        try:
            socket.getaddrinfo(host, None)
            answers[host] = None
        except OSError as error:
            answers[host] = error.strerror or str(error)
        except ValueError:  # UnicodeError is one
            answers[host] = wrong_name(host) or "is not a host name"

    threads = {host: threading.Thread(target=resolve, args=[host], daemon=True) for host in hosts}
    for thread in threads.values():
        thread.start()
    deadline = time.monotonic() + WITHIN
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    late = f"no answer within {WITHIN:g} s"
    found = {host: answers.get(host, late) for host in threads}
    return {host: why for host, why in found.items() if why is not None}


def journal_integrity(facts: Facts) -> Iterator[Finding]:
    """Find a damaged journal. A large one is left to the gateway, which also repairs.

    Only errors that SQLite finds in the file are damage. A journal that cannot be read now may be
    intact, and replacing it by an older copy would lose messages.
    """
    path = facts.places.state_dir / FILE
    try:
        if path.stat().st_size > CHECKED_BYTES:
            return
        # Once more where it is not whole: a gateway may have begun to write between the two.
        if (said := _checked(path)) != "ok":
            said = _checked(path)
    except FileNotFoundError:
        return
    except (OSError, sqlite3.Error) as error:
        yield _unseen(path, error)
        return
    if said != "ok":
        copies = copies_in(facts.places.state_dir / COPIES)
        yield Finding(
            "journal.integrity",
            Severity.ERROR,
            f"the journal is damaged: {said}",
            str(path),
            f"trunkline down; trunkline restore {shlex.quote(str(copies[-1]))}, then up"
            if copies
            else "trunkline gateway restart: it goes on with what can be read of it",
        )


def _checked(path: Path) -> str:
    """Return the errors that SQLite finds in a journal, or "ok"; raises if it cannot be read."""
    try:
        with closing(_reader(path)) as database:
            return str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        return str(error)


def _unseen(path: Path, error: OSError | sqlite3.Error) -> Finding:
    """Return the finding for a journal that could not be read and may be intact."""
    code = getattr(error, "sqlite_errorname", type(error).__name__)
    cures = [cure for begin, cure in UNSEEN.items() if code.startswith(begin)]
    return Finding(
        "journal.integrity",
        Severity.WARNING,
        f"the journal could not be checked: {error}",
        str(path),
        f"{cures[0] if cures else 'look at its disk (dmesg)'}; then `trunkline doctor` again",
    )


def undelivered(facts: Facts) -> Iterator[Finding]:
    """Find messages that have waited long to be sent."""
    path = facts.places.state_dir / FILE
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
            "`trunkline status` shows whether the account is down, or its platform takes nothing",
        )


def hooks(facts: Facts) -> Iterator[Finding]:
    """Find hooks whose mapping is wrong: they answer 500, or take no request at all."""
    if facts.loaded is None or not facts.loaded.config.hooks.enabled:
        return
    from ops.actions.hooks import hooks_of

    for hook in hooks_of(facts.loaded)[0]:
        if hook.problem is None:
            continue
        effect = (
            "it takes no request" if hook.path is None else "its requests are answered with 500"
        )
        yield Finding(
            "hooks.mapping",
            Severity.WARNING,
            f"{hook.problem}; {effect}",
            "hooks.mappings",
            "trunkline hooks test NAME --body FILE",
        )


def completion(facts: Facts) -> Iterator[Finding]:
    """Find that shell completion is not installed."""
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
            f"mkdir -p {files[0].parent} && trunkline completion {shell} > {files[0]}",
        )


def _reader(path: Path) -> sqlite3.Connection:
    """Open a journal read-only, without creating or changing files beside it.

    The write-ahead log and its index exist while a program uses the journal, and after a kill: then
    they are read, too, the index read-only. Without a log the file is complete and does not change,
    so it is opened as immutable (https://sqlite.org/wal.html, "Read-Only Databases").
    """
    log, index = (path.with_name(f"{path.name}{end}") for end in BESIDE)
    unused = not index.exists() and not (log.exists() and log.stat().st_size)
    how = "immutable=1" if unused else "readonly_shm=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&{how}", uri=True, timeout=0.5)


def _fields(struct: type[msgspec.Struct], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an account, with defaults for missing ones."""
    defaults = {
        each.encode_name: each.default
        for each in msgspec.structs.fields(struct)
        if isinstance(each.default, str)
    }
    return defaults | dict(given)


def host_in(name: str, value: object) -> str | None:
    """Return the host in a field of an account: a host name or the host of a URL."""
    if not isinstance(value, str):
        return None
    if name in HOSTS and "://" not in value:
        return value
    if name in HOSTS or value.startswith(("https://", "http://", "wss://", "ws://")):
        return host_of(value) or None
    return None
