"""What the checks of the configuration look at without harm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ops.doctor import configuration
from ops.doctor.finding import Severity
from runtime.config.errors import ConfigError, Problem
from tests.support.doctor_facts import CONFIG, NOW, TOKEN, healthy
from tests.support.short_directory import ShortDirectory


@pytest.fixture
def place() -> Iterator[Path]:
    with ShortDirectory() as path:
        yield path


def test_no_command_is_run_and_no_file_is_read(place: Path) -> None:
    mark = place / "ran"
    program = place / "store"
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    token = {"source": "exec", "id": f"{program} show"}
    facts = healthy(place, CONFIG | {"gateway": {"port": 1, "auth": {"token": token}}})
    assert list(configuration.secrets(facts)) == []
    assert not mark.exists()


def test_a_credential_of_the_service_is_no_fault(place: Path) -> None:
    token = {"source": "credential", "id": "gateway"}
    facts = healthy(place, CONFIG | {"gateway": {"port": 1, "auth": {"token": token}}})
    unit = 'Environment="TRUNKLINE_SERVICE_MARKER=trunkline"\nLoadCredential=gateway:/etc/x\n'
    assert list(configuration.secrets(replace(facts, units={"/u": unit}))) == []
    (found,) = configuration.secrets(facts)
    assert found.message == (
        "gateway.auth.token: the credential gateway was not provided by systemd here"
    )


@pytest.mark.parametrize(
    ("source", "id", "up", "severity"),
    [
        ("env", "NOT_HERE", True, Severity.WARNING),
        ("env", "NOT_HERE", False, Severity.ERROR),
        ("credential", "gone", True, Severity.WARNING),
        ("file", "/does/not/exist", True, Severity.ERROR),
    ],
)
def test_a_running_daemon_may_have_the_variables_of_another_shell(
    place: Path, source: str, id: str, up: bool, severity: Severity
) -> None:
    token = {"source": source, "id": id}
    facts = healthy(place, CONFIG | {"gateway": {"port": 1, "auth": {"token": token}}})
    (found,) = configuration.secrets(facts if up else replace(facts, status=None))
    assert found.severity is severity
    assert (found.cure or "").startswith("nothing if the running") is (severity is Severity.WARNING)


def test_a_variable_of_a_drop_in_is_one_of_the_service(place: Path) -> None:
    token = {"source": "env", "id": "GATEWAY_TOKEN"}
    facts = healthy(place, CONFIG | {"gateway": {"port": 1, "auth": {"token": token}}})
    here = replace(facts, environ={"GATEWAY_TOKEN": "x"})
    assert [each.check for each in configuration.secrets(here)] == ["secrets.service"]
    assert [each.check for each in configuration.secrets(facts)] == ["secrets.resolve"]
    rows = [facts.services[0] | {"variables": ["GATEWAY_TOKEN"]}]
    for each in (here, facts):
        assert list(configuration.secrets(replace(each, services=rows))) == []


@pytest.mark.parametrize(
    ("days", "severity"), [(-1, Severity.ERROR), (5, Severity.WARNING), (90, None)]
)
def test_a_certificate_is_looked_at_before_it_expires(
    place: Path, days: int, severity: Severity | None
) -> None:
    path = place / "cert.pem"
    path.write_bytes(certificate(datetime.fromtimestamp(NOW, UTC) + timedelta(days=days)))
    tls = {"enabled": True, "certPath": str(path), "keyPath": str(path)}
    gateway = {"port": 1, "auth": {"token": TOKEN}, "tls": tls}
    found = list(configuration.certificate(healthy(place, CONFIG | {"gateway": gateway})))
    assert [each.severity for each in found] == ([] if severity is None else [severity])


def certificate(ends: datetime) -> bytes:
    """Return a self-signed certificate that holds until ``ends``, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(ends - timedelta(days=365))
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM)


def test_what_is_refused_says_which_line_is_to_be_corrected(place: Path) -> None:
    problems = [Problem("gateway.port", "is -1", 7), Problem("", "is a list")]
    facts = healthy(place, loaded=None, refused=ConfigError("/f.json5", problems))
    port, whole = configuration.valid(facts)
    assert port.message == "/f.json5:7: gateway.port: is -1"
    assert str(port.cure).startswith("correct /f.json5, line 7; ")
    assert whole.message == "/f.json5: is a list"
    assert str(whole.cure).startswith("correct /f.json5; ")


@pytest.mark.parametrize(
    ("mapping", "enabled", "found"),
    [
        ({"match": {"path": "a"}, "action": "wake", "textTemplate": "x"}, True, 0),
        ({"match": {"path": "a"}, "action": "nonsense"}, True, 1),
        ({"match": {"path": "a"}, "action": "nonsense"}, False, 0),
    ],
)
def test_a_wrong_hook_is_found(
    tmp_path: Path, mapping: dict[str, Any], enabled: bool, found: int
) -> None:
    hooks = {"enabled": enabled, "token": "t" * 40, "mappings": [mapping]}
    facts = healthy(tmp_path, CONFIG | {"hooks": hooks})
    assert len(list(configuration.hooks(facts))) == found


def test_a_wrong_hook_is_named_with_what_becomes_of_its_requests(tmp_path: Path) -> None:
    mappings = [{"match": {"path": "a"}, "action": "nonsense"}, {"match": {"path": 5}}]
    hooks = {"enabled": True, "token": "t" * 40, "mappings": mappings}
    wrong, pathless = configuration.hooks(healthy(tmp_path, CONFIG | {"hooks": hooks}))
    assert wrong.message.startswith("hooks.mappings[0] (/hooks/a): ")
    assert wrong.message.endswith("; its requests are answered with 500")
    assert pathless.message.startswith("hooks.mappings[1] (match.path 5): ")
    assert pathless.message.endswith("; it takes no request")
