"""Checks the configuration: validity, doubtful settings, secrets, and who may talk."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from ipc.files import read_regular
from ops.doctor.facts import Facts
from ops.doctor.finding import Finding, Severity
from ops.service.unit import MARKED, MARKER, credentials_of, environment_of
from runtime.config.errors import ConfigError
from runtime.config.load import closed_accounts
from runtime.config.load import doubts as config_doubts
from workers.secrets import SecretRef, field_at

_WEAK = 16  # characters of a shared secret
_LOOPBACK = ("loopback", "auto", "127.0.0.1", "::1", "localhost")
_EXPIRES_DAYS = 21


def valid(facts: Facts) -> Iterator[Finding]:
    """Find every error in the configuration, or that there is none."""
    path = str(facts.places.config_path)
    if facts.refused is not None:
        source = facts.refused.source
        for problem in facts.refused.problems:
            line = f", line {problem.line}" if problem.line else ""
            yield Finding(
                "config.valid",
                Severity.ERROR,
                str(ConfigError(source, [problem])),
                path,
                f"correct {source}{line}; a running daemon keeps the old one until"
                " `trunkline config reload`",
            )
    elif facts.loaded is None:
        yield Finding(
            "config.valid",
            Severity.INFO,
            f"there is no configuration; `trunkline up` writes a first one to {path}",
            path,
            "trunkline up",
        )


def doubts(facts: Facts) -> Iterator[Finding]:
    """Find settings that are valid but rarely intended, and broken packages."""
    if facts.loaded is not None:
        for doubt in config_doubts(facts.loaded):
            place = doubt.path or str(facts.loaded.path)
            yield Finding("config.doubts", Severity.WARNING, str(doubt), place)


def closed_doors(facts: Facts) -> Iterator[Finding]:
    """Find accounts that answer nobody because of an empty allowlist."""
    if facts.loaded is not None:
        for text in closed_accounts(facts.loaded):
            yield Finding(
                "access.closed",
                Severity.WARNING,
                text,
                str(facts.loaded.path),
                "`trunkline help access` explains it; `trunkline channels why KEY SENDER` tries one"
                " person",
            )


def secrets(facts: Facts) -> Iterator[Finding]:
    """Find references to secrets that do not exist in this environment or the service's.

    A daemon that runs may have a variable that this shell does not have.
    """
    if facts.loaded is None:
        return
    for place, reference in _references(facts.loaded.raw):
        problem = _missing(reference, facts.environ)
        if problem and not _in_units(reference, facts):
            cure = "set it where the daemon is started, or correct the reference"
            elsewhere = facts.status is not None and reference.source in ("env", "credential")
            yield Finding(
                "secrets.resolve",
                Severity.WARNING if elsewhere else Severity.ERROR,
                f"{place}: {problem}{' here' if elsewhere else ''}",
                place,
                f"nothing if the running daemon was started with it; else {cure}"
                if elsewhere
                else cure,
            )
        elif not problem and reference.source == "env" and facts.units:
            for unit, text in facts.units.items():
                if reference.id not in _variables_of(unit, text, facts):
                    yield Finding(
                        "secrets.service",
                        Severity.WARNING,
                        f"{place}: {reference.id} is set here, and not in the environment of"
                        f" {unit}",
                        place,
                        f"trunkline service install --force --credential {reference.id}=FILE, with"
                        ' {source: "credential"}',
                    )


def gateway_secret(facts: Facts) -> Iterator[Finding]:
    """Find a gateway without a shared secret, or with a weak one."""
    if facts.loaded is None or facts.loaded.config.gateway.foreign:
        return
    auth = facts.loaded.config.gateway.auth
    if auth.mode not in ("token", "password"):
        return
    found = [each for each in (auth.token, auth.password) if each is not None]
    if not found:
        yield Finding(
            "gateway.secret",
            Severity.ERROR,
            "the gateway has no secret and refuses every client",
            "gateway.auth.token",
            "trunkline config patch '{gateway: {auth: {token: …}}}'",
        )
    for each in found:
        if isinstance(each, str) and len(each) < _WEAK:
            yield Finding(
                "gateway.secret",
                Severity.WARNING,
                f"the gateway's secret has {len(each)} characters: it can be guessed",
                "gateway.auth.token",
                "write a longer one:"
                " `python3 -c 'import secrets; print(secrets.token_urlsafe(32))'` makes it",
            )


def shared_secret(facts: Facts) -> Iterator[Finding]:
    """Find other profiles with the same gateway secret."""
    token = None if facts.loaded is None else facts.loaded.config.gateway.auth.token
    if not isinstance(token, str):
        return
    here = facts.places.config_path.parent
    for path in sorted(here.parent.glob("trunkline*/trunkline.json*")):
        if path.parent == here:
            continue
        try:
            shared = token.encode(errors="surrogatepass") in read_regular(path)
        except OSError:
            continue
        if shared:
            yield Finding(
                "gateway.shared-secret",
                Severity.WARNING,
                f"{path} has the same gateway secret: it opens both gateways",
                str(path),
                "give each profile a secret of its own",
            )


def open_bind(facts: Facts) -> Iterator[Finding]:
    """Find a gateway that listens beyond this host without encryption."""
    if facts.loaded is None:
        return
    gateway = facts.loaded.config.gateway
    if gateway.bind not in _LOOPBACK and not gateway.tls.enabled and not gateway.trusted_proxies:
        yield Finding(
            "gateway.open",
            Severity.WARNING,
            f"the gateway listens on {gateway.bind} without encryption: its secret and every"
            " message travel in the clear",
            "gateway.bind",
            "set gateway.tls, or bind to loopback behind a reverse proxy or `ssh -L`",
        )


def everybody(facts: Facts) -> Iterator[Finding]:
    """Find lists that let everybody in: trusted proxies and origins of web pages."""
    if facts.loaded is None:
        return
    gateway = facts.loaded.config.gateway
    if "*" in gateway.allowed_origins:
        yield Finding(
            "gateway.origins",
            Severity.WARNING,
            "every web page that is open in a browser here may connect to the gateway",
            "gateway.allowedOrigins",
            "name the origins",
        )
    if any(_is_everything(each) for each in gateway.trusted_proxies):
        yield Finding(
            "gateway.proxies",
            Severity.WARNING,
            "every address is trusted as a reverse proxy: any client can claim any address",
            "gateway.trustedProxies",
            "name the addresses of the proxies",
        )


def certificate(facts: Facts) -> Iterator[Finding]:
    """Find a gateway certificate that has expired or will soon expire."""
    tls = None if facts.loaded is None else facts.loaded.config.gateway.tls
    if tls is None or not tls.enabled or tls.cert_path is None:
        return
    from cryptography import x509

    try:
        data = Path(tls.cert_path).expanduser().read_bytes()
        ends = x509.load_pem_x509_certificate(data).not_valid_after_utc
    except (OSError, ValueError) as error:
        yield Finding("tls.expiry", Severity.ERROR, f"{tls.cert_path}: {error}", "gateway.tls")
        return
    days = (ends - datetime.fromtimestamp(facts.now, UTC)).total_seconds() / 86400
    if days < _EXPIRES_DAYS:
        expired = days < 0
        yield Finding(
            "tls.expiry",
            Severity.ERROR if expired else Severity.WARNING,
            f"the certificate {'has expired' if expired else f'expires in {days:.0f} days'}"
            f" ({ends:%Y-%m-%d})",
            tls.cert_path,
            "renew it; the gateway reads the file again by itself",
        )


def twice(facts: Facts) -> Iterator[Finding]:
    """Find accounts of a channel that share a secret, so that they end each other's session."""
    if facts.loaded is None:
        return
    seen: dict[tuple[str, str, str], str] = {}
    for key, spec in facts.loaded.accounts.items():
        if not (spec.enabled and spec.configured):
            continue
        for name in sorted(spec.manifest.secrets):
            value = field_at(spec.config, name)
            if value in (None, "") or isinstance(value, list):
                continue
            first = seen.setdefault((spec.channel, name, repr(value)), key)
            if first != key:
                yield Finding(
                    "accounts.same-secret",
                    Severity.WARNING,
                    f"{first} and {key} have the same {name}: most platforms let one session of it"
                    " live",
                    spec.place,
                    f"trunkline channels remove {key}, or give it a secret of its own",
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


def _is_everything(network: str) -> bool:
    try:
        return ip_network(network, strict=False).prefixlen == 0
    except ValueError:
        return network == "*"


def _references(values: Any, place: str = "") -> Iterator[tuple[str, SecretRef]]:
    if isinstance(values, Mapping):
        if set(values) == {"source", "id"}:
            yield place, SecretRef(values["source"], values["id"])
            return
        for name, each in values.items():
            yield from _references(each, f"{place}.{name}" if place else str(name))
    elif isinstance(values, list):
        for index, each in enumerate(values):
            yield from _references(each, f"{place}[{index}]")


def _missing(reference: SecretRef, environ: Mapping[str, str]) -> str | None:
    """Return why a reference cannot be resolved; reads no secret and runs no command."""
    match reference.source:
        case "env":
            if not environ.get(reference.id):
                return f"the environment variable {reference.id} is not set"
        case "file":
            path = os.path.expanduser(reference.id)
            if not os.access(path, os.R_OK):
                return f"the file {reference.id} does not exist or cannot be read"
        case "credential":
            directory = environ.get("CREDENTIALS_DIRECTORY")
            if not directory or not Path(directory, reference.id).exists():
                return f"the credential {reference.id} was not provided by systemd"
        case _:
            program = os.path.expanduser(shlex.split(reference.id)[0])
            if shutil.which(program) is None:
                return f"the program {program} does not exist"
    return None


def _in_units(reference: SecretRef, facts: Facts) -> bool:
    """Return whether an installed service provides a secret to the daemon."""
    for unit, text in facts.units.items():
        if environment_of(text).get(MARKER) != MARKED:
            continue
        if reference.source == "env" and reference.id in _variables_of(unit, text, facts):
            return True
        if reference.source == "credential" and reference.id in dict(credentials_of(text)):
            return True
    return False


def _variables_of(unit: str, text: str, facts: Facts) -> set[str]:
    """Return the names of the variables that a service gets, from its unit or otherwise."""
    found = set(environment_of(text))
    for row in facts.services:
        if row["unit"] == unit:
            found |= set(row["variables"])
    return found
