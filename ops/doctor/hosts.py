"""Checks that this host can resolve the names of the servers that accounts connect to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ipc.hosts import is_address, wrong_name
from ops.doctor.facts import Facts
from ops.doctor.finding import Finding, Severity
from runtime.config.load import Loaded
from workers.web.addresses import host_of

WITHIN = 1.0  # seconds for all names together
HOSTS = ("server", "host")  # fields that hold the name of a host
SHOWN = 3  # accounts in one sentence


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
