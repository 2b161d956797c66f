"""Each check with a fault that it finds, and the runtime in which it finds nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.doctor.checks import CHECKS, repaired, run
from ops.doctor.facts import Facts
from ops.doctor.finding import Finding, Severity
from runtime.config.errors import config_error
from tests.support.doctor_facts import CONFIG, NOW, TOKEN, healthy, status_of
from tests.support.fakeserver import BACKOFF, account
from tests.support.short_directory import ShortDirectory

Case = Callable[[Path], Facts]
DAY_MS = 86_400_000
OLD = NOW * 1000 - 9 * DAY_MS
GATEWAY: dict[str, Any] = {"port": 1, "auth": {"token": TOKEN}}
IRC = {"server": "irc.example.org", "nick": "bot"}


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name has an address: tests ask no resolver."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port: [])


@pytest.fixture
def place() -> Iterator[Path]:
    with ShortDirectory() as path:
        yield path


def gateway(**fields: Any) -> Case:
    return lambda place: healthy(place, CONFIG | {"gateway": GATEWAY | fields})


def accounts(**rows: dict[str, Any]) -> Case:
    return lambda place: healthy(
        place, CONFIG | {"channels": {"irc": {"dmPolicy": "open", "accounts": rows}}}
    )


def changed(**changes: Any) -> Case:
    return lambda place: healthy(place, **changes)


def limits(**changes: int) -> Case:
    return lambda place: replace(facts := healthy(place), limits=replace(facts.limits, **changes))


def row(**fields: Any) -> Case:
    return changed(status=status_of(account("local:demo", **fields)))


def service(**fields: Any) -> Case:
    def case(place: Path) -> Facts:
        facts = healthy(place)
        return replace(facts, services=[facts.services[0] | fields])

    return case


def touched(name: str, mode: int = 0o600, at: float | None = None) -> Case:
    def case(place: Path) -> Facts:
        facts = healthy(place)
        path = place / name
        if not path.exists():
            path.touch()
        path.chmod(mode)
        if at is not None:
            os.utime(path, (at, at))
        return facts

    return case


def another_profile(place: Path) -> Facts:
    facts = healthy(place)
    other = place / "trunkline-two"
    other.mkdir()
    (other / "trunkline.json5").write_text(TOKEN)
    os.mkfifo(other / "trunkline.json")  # not waited for
    mine = place / "trunkline" / "trunkline.json5"
    return replace(facts, places=replace(facts.places, config_path=mine))


def large_journal(place: Path) -> Facts:
    facts = healthy(place, CONFIG | {"journal": {"keep": {"bytes": 1 << 20}}})
    (place / "state/journal.db").write_bytes(bytes(2 << 20))
    return facts


def in_place_of_the_state_directory(place: Path) -> Facts:
    facts = healthy(place)
    (place / "file").write_text("")
    return replace(facts, places=replace(facts.places, state_dir=place / "file"))


def left_socket(place: Path) -> Facts:
    facts = healthy(place, status=None, silent="no supervisor is running")
    (place / "run/cli.sock").touch()
    return facts


def in_the_environment_alone(place: Path) -> Facts:
    token = {"source": "env", "id": "GATEWAY_TOKEN"}
    facts = healthy(place, CONFIG | {"gateway": GATEWAY | {"auth": {"token": token}}})
    return replace(facts, environ={"GATEWAY_TOKEN": "x"})


def expired(place: Path) -> Facts:
    tls = {"enabled": True, "certPath": str(place / "none.pem"), "keyPath": str(place / "k.pem")}
    return healthy(place, CONFIG | {"gateway": GATEWAY | {"tls": tls}})


def a_long_way_to_the_sockets(place: Path) -> Facts:
    facts = healthy(place)
    return replace(facts, places=replace(facts.places, run_dir=place / ("x" * 90)))


def reference(source: str, id: str) -> Case:
    return gateway(auth={"token": {"source": source, "id": id}})


NEVER = "no supervisor is running for /x; start it with `trunkline up`"
CASES: list[tuple[str, Case]] = [
    ("config.valid", changed(loaded=None, refused=config_error("/f", "is a list"))),
    ("config.valid", changed(loaded=None)),
    ("config.doubts", lambda place: (touched("trunkline.json5", 0o644)(place))),
    ("access.closed", lambda place: healthy(
        place, CONFIG | {"channels": {"irc": {"accounts": {"a": IRC}}}})),
    ("secrets.resolve", reference("env", "NOT_SET_ANYWHERE")),
    ("secrets.resolve", reference("file", "/does/not/exist")),
    ("secrets.resolve", reference("exec", "/does/not/exist --token x")),
    ("secrets.resolve", reference("credential", "gone")),
    ("secrets.service", in_the_environment_alone),
    ("gateway.secret", gateway(auth={})),
    ("gateway.secret", gateway(auth={"token": "short"})),
    ("gateway.shared-secret", another_profile),
    ("gateway.open", gateway(bind="lan")),
    ("gateway.origins", gateway(allowedOrigins=["*"])),
    ("gateway.proxies", gateway(trustedProxies=["0.0.0.0/0"])),
    ("tls.expiry", expired),
    ("accounts.same-secret", accounts(
        a=IRC | {"password": "same"}, b=IRC | {"password": "same"})),
    ("files.state", in_place_of_the_state_directory),
    ("files.modes", touched("state", 0o755)),
    ("sockets.path", a_long_way_to_the_sockets),
    ("sockets.stale", left_socket),
    ("clock.jumped", touched("state/journal.db", at=NOW + 3600)),
    ("daemon.running", changed(status=None, silent=NEVER)),
    ("daemon.running", changed(status=None, silent="the supervisor does not answer")),
    ("daemon.version", changed(version="9.9.9")),
    ("daemon.warnings", changed(status=status_of(supervisor={"warnings": ["the disk is full"]}))),
    ("gateway.running", changed(status=status_of(phase="backoff", lastError="crashed"))),
    ("gateway.running", changed(status=status_of(phase="stopped"))),
    ("gateway.outages", changed(status=status_of(outages=3))),
    ("service.stale", service(doubts=["it starts something else"])),
    ("service.active", service(active="failed", result="exit-code")),
    ("service.enabled", service(enabled=False)),
    ("service.linger", service(lingers=False)),
    ("service.twice", changed(units={"/a": "", "/b": ""})),
    ("service.installed", changed(units={}, services=[])),
    ("limits.files", limits(open_files=70)),
    ("limits.processes", limits(processes=3)),
    ("limits.memory", lambda place: replace(
        limits(memory_free=1)(place), status=None, silent=NEVER)),
    ("disk.free", limits(disk_free=1 << 20)),
    ("disk.free", limits(disk_free=512 << 20)),
    ("journal.size", large_journal),
    ("accounts.failed", row(phase="failed", cause="misconfigured", lastError="refused")),
    ("accounts.looping", row(**BACKOFF | {"failures": 7})),
    ("accounts.degraded", row(health="degraded: silent")),
    ("accounts.login", row(phase="starting", cause="linking", todo="scan it")),
    ("accounts.held", row(phase="stopped", hold={"at": OLD, "reason": "holiday"})),
    ("accounts.held", row(phase="stopped", hold={"at": OLD, "unknown": True})),
    ("accounts.unconfigured", accounts(a={"server": "irc.example.org"})),
    ("accounts.outdated", row(phase="stopped", configured=False)),
    ("agents.program", lambda place: healthy(place, CONFIG | {"agents": {
        "default": "a", "entries": {"a": {"kind": "command", "command": "/no/such/prog"}}}})),
    ("waiting.devices", changed(waiting={"devices": 1})),
    ("waiting.nodes", changed(waiting={"nodes": 2})),
    ("waiting.people", changed(waiting={"people": 3})),
]  # fmt: skip


def test_nothing_is_found_where_nothing_is_wrong(place: Path) -> None:
    assert run(healthy(place)) == []
    assert len(CHECKS) == len(set(CHECKS))


@pytest.mark.parametrize(("check", "case"), CASES, ids=[f"{n}-{c[0]}" for n, c in enumerate(CASES)])
def test_a_fault_is_found_and_says_what_cures_it(check: str, case: Case, place: Path) -> None:
    found = [each for each in run(case(place)) if each.check == check]
    assert found
    for each in found:
        assert TOKEN not in each.message
        assert each.cure or each.check in ("config.doubts", "daemon.warnings", "tls.expiry")


def test_no_check_is_without_a_fault_that_it_finds(place: Path) -> None:
    not_here = {"port", "owners", "cleaned_sockets", "interpreter"}  # tested beside this
    not_here |= {"names", "integrity", "undelivered", "hooks", "completion"}
    silent = {check.__name__ for check in CHECKS} - not_here
    for _, case in CASES:
        with ShortDirectory() as path:
            facts = case(path)
            silent -= {check.__name__ for check in CHECKS if list(check(facts))}
    assert silent == set()


def test_a_check_that_fails_hides_no_other(place: Path) -> None:
    def fails(_: Facts) -> list[Finding]:
        raise ValueError("oh")

    def finds(_: Facts) -> list[Finding]:
        return [Finding("a.b", Severity.ERROR, "x")]

    found = run(healthy(place), [fails, finds])
    assert [each.check for each in found] == ["a.b", "doctor.failed"]
    assert "fails failed: ValueError: oh" in found[1].message


def test_only_what_cannot_hurt_is_mended(place: Path) -> None:
    facts = touched("state", 0o755)(place)
    found = repaired(run(replace(facts, version="9.9.9")))
    assert {each.check: each.fixed for each in found} == {
        "daemon.version": None,
        "files.modes": "mode 700",
    }
    assert (place / "state").stat().st_mode & 0o777 == 0o700
    assert [each.check for each in run(facts)] == []


def test_what_cannot_be_mended_says_why() -> None:
    def refuses() -> str:
        raise PermissionError(1, "Operation not permitted")

    (found,) = repaired([Finding("a.b", Severity.ERROR, "x", repair=refuses)])
    assert (found.fixed, found.message) == (None, "x; not repaired: Operation not permitted")
