"""Reads the configuration: parses it, finds all errors, converts it, and applies overrides.

The only way in. What counts most comes first: a flag, the environment, the file, the default.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from ipc.frames.words import agent_key
from ipc.hidden_fields import hide_fields
from runtime.config.access_policy import closed_doors
from runtime.config.accounts import AccountSpec, accounts
from runtime.config.agent_model import NOBODY
from runtime.config.agents import AgentSpec, agents, wanted_agents
from runtime.config.channel_section import UNJOURNALED
from runtime.config.check import not_finite, problems
from runtime.config.conversation_rules import conversation_problems
from runtime.config.errors import ConfigError, Problem, config_error
from runtime.config.files import read_text
from runtime.config.gateway_rules import (
    beside_foreign_problems,
    canvas_problem,
    exposure_problem,
    gateway_problems,
)
from runtime.config.model import AgentsConfig, Config
from runtime.config.places import DEFAULT_PORT, Flags, Places
from runtime.config.redact import redacted
from runtime.config.text.parse import parse
from runtime.config.worker_spec import WorkerSpec
from workers.registry import Manifests
from workers.registry import manifests as find_manifests

NO_FLAGS = Flags()
SHOWN = 10  # accounts in one sentence
DEFAULT = AgentsConfig().default
READABLE_BY_OTHERS = stat.S_IRGRP | stat.S_IROTH
GATEWAY_PORT = "TRUNKLINE_GATEWAY_PORT"
# OpenClaw's names.
CANVAS_PORT, SKIP_CANVAS = "OPENCLAW_CANVAS_HOST_PORT", "OPENCLAW_SKIP_CANVAS_HOST"
_SWITCH = {"1": True, "true": True, "yes": True, "on": True}
_SWITCH |= {"": False, "0": False, "false": False, "no": False, "off": False}


@hide_fields("raw")
class Loaded(msgspec.Struct, frozen=True):
    """A valid configuration. ``raw`` are the values as in the file.

    ``revision`` changes with every byte of the file. ``agents`` are all that accounts may name.
    """

    config: Config
    accounts: dict[str, AccountSpec]
    revision: str
    path: Path
    raw: dict[str, Any]
    manifests: Manifests
    agents: dict[str, AgentSpec] = msgspec.field(default_factory=dict)

    @property
    def workers(self) -> dict[str, WorkerSpec]:
        """All accounts, then the wanted agents, by key: each has its own process."""
        asked = {each.agent for each in self.accounts.values() if each.enabled}
        asked |= {each.agent_id for each in self.config.bindings}
        if self.config.gateway.foreign:
            asked.clear()  # that has agents of its own
        keys = [agent_key(name) for name in wanted_agents(self.config, asked)]
        return {**self.accounts, **{key: self.agents[key] for key in keys}}


class Reader(Protocol):
    """Reads the configuration, or checks ``text`` as if it were the file.

    Raises ``ConfigError`` for what it refuses.
    """

    def __call__(self, text: str | None = None) -> Loaded:
        """Return a valid configuration."""
        ...


def load(
    path: Path, manifests: Manifests | None = None, *, default_port: int = DEFAULT_PORT
) -> Loaded:
    """Read and check the file at ``path``.

    ``default_port`` is the port where the file has none (a profile has its own). Raises
    ``ConfigError`` with all problems; a text that cannot be parsed has only that one.
    """
    return load_text(path, read_text(path), manifests, default_port=default_port)


def load_text(
    path: Path,
    text: str,
    manifests: Manifests | None = None,
    *,
    default_port: int = DEFAULT_PORT,
) -> Loaded:
    """Check ``text`` as if it were the file at ``path``, for example before an edit is written."""
    known = find_manifests() if manifests is None else manifests
    raw, lines = parse(path, text)
    if found := list(not_finite(raw)):
        raise ConfigError(str(path), [_with_line(problem, lines) for problem in found])
    found = problems(raw, Config) + gateway_problems(raw.get("gateway"))
    config = _accounts_only(raw) if found else msgspec.convert(raw, Config)
    known = _with_interpreters(known, config.channels)
    specs: dict[str, AccountSpec] = {}
    who: dict[str, AgentSpec] = {}
    try:
        who = agents(config, known.agents, str(path))
    except ConfigError as error:
        found += error.problems
    try:
        specs = accounts(config, known, str(path))
    except ConfigError as error:
        found += error.problems
    if not found:
        found = conversation_problems(config, list(who), list(specs), list(known))
    loaded = Loaded(config, specs, revision_of(text), path, raw, known, who)
    if config.gateway.foreign:
        found += beside_foreign_problems(loaded.workers)
    if found:
        raise ConfigError(str(path), [_with_line(problem, lines) for problem in found])
    if "port" not in raw.get("gateway", {}):
        return msgspec.structs.replace(loaded, config=with_gateway(config, port=default_port))
    return loaded


def load_effective(
    places: Places,
    environ: Mapping[str, str],
    flags: Flags = NO_FLAGS,
    text: str | None = None,
) -> Loaded:
    """Read the file of ``places``, and apply the overrides of flags and environment.

    With ``text``, check that instead of the file. Raises ``ConfigError`` for all that keeps
    ``trunkline up`` from starting; one thing is a gateway without a secret, which is never
    started by accident.
    """
    path = places.config_path
    found = read_text(path) if text is None else text
    loaded = load_text(path, found, default_port=places.default_port)
    config = anchored(effective(loaded.config, environ, flags), path.parent)
    if problem := exposure_problem(config.gateway) or canvas_problem(config):
        raise ConfigError(str(loaded.path), [problem])
    return msgspec.structs.replace(loaded, config=config)


def effective(config: Config, environ: Mapping[str, str], flags: Flags = NO_FLAGS) -> Config:
    """Return ``config`` with the overrides of flags and environment.

    Raises ``ConfigError`` for an impossible port in either.
    """
    if flags.port is not None and not 0 < flags.port < 65_536:
        text = f"is {flags.port}; allowed: an integer from 1 to 65535"
        raise config_error("command line", text, "--port")
    if (port := flags.port or _port_in(environ, GATEWAY_PORT)) is not None:
        config = with_gateway(config, port=port)
    if (port := _port_in(environ, CANVAS_PORT)) is not None:
        config = _with_canvas(config, port=port)
    if config.canvas_host.enabled and _is_on(environ, SKIP_CANVAS):
        config = _with_canvas(config, enabled=False)
    auth = config.gateway.auth
    if token := flags.token or environ.get("TRUNKLINE_GATEWAY_TOKEN"):
        auth = msgspec.structs.replace(auth, token=token)
        config = with_gateway(config, auth=auth)
    return config


def anchored(config: Config, directory: Path) -> Config:
    """Return ``config`` with its gateway's relative paths resolved from ``directory``.

    So is the canvas host's directory, in which OpenClaw's users write ``~``.
    """
    config = _with_canvas(config, root=str(directory / _expanded(config.canvas_host.root)))
    gateway = config.gateway
    paths = (gateway.tls.cert_path, gateway.tls.key_path)
    cert, key = (str(directory / each) if each else None for each in paths)
    return with_gateway(
        config,
        tls=msgspec.structs.replace(gateway.tls, cert_path=cert, key_path=key),
        command=_anchored_command(gateway.command, directory),
        repair_command=_anchored_command(gateway.repair_command, directory),
    )


def _expanded(root: str) -> Path:
    try:
        return Path(root).expanduser()
    except RuntimeError:
        text = f"is {root!r}, but there is no such home directory; allowed: a path"
        raise config_error("configuration", text, "canvasHost.root") from None


def _anchored_command(command: list[str] | None, directory: Path) -> list[str] | None:
    """Anchor a program that is named by a path; a bare name is looked up in ``PATH``."""
    if not command or "/" not in command[0]:
        return command
    return [str(directory / command[0]), *command[1:]]


def with_gateway(config: Config, **fields: Any) -> Config:
    """Return ``config`` with some fields of its gateway replaced."""
    gateway = msgspec.structs.replace(config.gateway, **fields)
    return msgspec.structs.replace(config, gateway=gateway)


def _with_canvas(config: Config, **fields: Any) -> Config:
    canvas = msgspec.structs.replace(config.canvas_host, **fields)
    return msgspec.structs.replace(config, canvas_host=canvas)


def revision_of(text: str) -> str:
    """Return the revision of a configuration's text: 16 hex digits of its hash."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def config_warnings(loaded: Loaded) -> list[str]:
    """Return warnings about a valid configuration, one sentence each."""
    found = [*loaded.manifests.warnings, *loaded.manifests.agents.warnings]
    if _readable_by_others(loaded.path) and redacted(loaded.raw, loaded.manifests) != loaded.raw:
        found.append(f"{loaded.path} holds secrets and others may read it; `chmod 600` mends that")
    canvas = loaded.config.canvas_host
    if canvas.enabled and not Path(canvas.root).is_dir():
        found.append(f"canvasHost.root {canvas.root} is no directory: nothing is served from it")
    return found


def doubts(loaded: Loaded) -> list[Problem]:
    """Return what is valid in a configuration and rarely intended, with its place.

    It has the warnings about the file, and secrets whose format is not that of their platform.
    """
    found = [Problem("", text) for text in config_warnings(loaded)]
    return found + doubtful_secrets(loaded, loaded.accounts)


def doubtful_secrets(loaded: Loaded, keys: Iterable[str]) -> list[Problem]:
    """Return the secrets of these accounts that stand in the file with a wrong format."""
    specs = [loaded.accounts[key] for key in keys if key in loaded.accounts]
    return [
        Problem(f"{spec.place}.{name}", wrong)
        for spec in specs
        for name, wrong in spec.secret_doubts.items()
    ]


def without_journal(loaded: Loaded) -> str | None:
    """Return a sentence with the accounts configured without a journal, if any.

    Those of a channel that has none by default have not chosen anything.
    """
    keys = [
        key
        for key, spec in loaded.accounts.items()
        if spec.enabled and spec.journal == "off" and spec.channel not in UNJOURNALED
    ]
    if not keys:
        return None
    return f"a kill of the gateway may lose messages, for these keep no journal: {_named(keys)}"


def closed_accounts(loaded: Loaded) -> list[str]:
    """Return a sentence with account names for each reason why accounts answer nobody.

    A group that is not listed is not answered: so it is by default, and easily overlooked.
    """
    found: dict[str, list[str]] = {}
    for key, spec in loaded.accounts.items():
        if spec.enabled and spec.agent != "none":
            for reason in closed_doors(spec.access):
                found.setdefault(reason, []).append(key)
    return [f"{_named(keys)}: {reason}" for reason, keys in found.items()]


def _named(keys: list[str]) -> str:
    return ", ".join(keys[:SHOWN]) + (f" and {len(keys) - SHOWN} more" if keys[SHOWN:] else "")


def _with_interpreters(known: Manifests, sections: Mapping[str, Any]) -> Manifests:
    """Return the channels available to a file, with those of the interpreters that it names."""
    named = any(
        "python" in fields
        for section in sections.values()
        for fields in (section, *_objects(section.get("accounts")))
    )
    if not named:
        return known.base or known
    # Late, as most files name none.
    from runtime.config.interpreters import with_interpreters

    return with_interpreters(known, sections)


def _objects(values: Any) -> list[Mapping[str, Any]]:
    found = values.values() if isinstance(values, Mapping) else ()
    return [each for each in found if isinstance(each, Mapping)]


def _readable_by_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & READABLE_BY_OTHERS)
    except OSError:  # gone since it was read
        return False


def _accounts_only(raw: Mapping[str, Any]) -> Config:
    """Return the checkable part of a file that has errors elsewhere.

    Those are its accounts and agents, each by itself.
    """
    given = raw.get("agents")
    section = given if isinstance(given, Mapping) else {}
    default, entries = section.get("default", DEFAULT), section.get("entries")
    return Config(
        channels=_sections(raw.get("channels")),
        agents=AgentsConfig(
            default=default if isinstance(default, str) and default else NOBODY,
            entries=_sections(entries) if isinstance(entries, Mapping) else None,
        ),
    )


def _sections(given: Any) -> dict[str, dict[str, Any]]:
    items = given.items() if isinstance(given, Mapping) else ()
    return {name: dict(each) for name, each in items if isinstance(each, Mapping)}


def _with_line(problem: Problem, lines: Mapping[str, int]) -> Problem:
    """Add the line of the value, or of the nearest enclosing value in the file."""
    path = problem.path
    while path and path not in lines:
        path = re.sub(r"(\.|\[)[^.\[]*$", "", path) if re.search(r"[.\[]", path) else ""
    return Problem(problem.path, problem.text, problem.line or lines.get(path))


def _is_on(environ: Mapping[str, str], name: str) -> bool:
    """Return whether a switch in the environment is on; raises ``ConfigError``."""
    given = environ.get(name, "").strip().lower()
    if given not in _SWITCH:
        raise config_error("environment", "is neither on nor off; allowed: 1 or 0", name)
    return _SWITCH[given]


def _port_in(environ: Mapping[str, str], name: str) -> int | None:
    """Return the port in the variable ``name``, if any; raises ``ConfigError``."""
    given = environ.get(name)
    if not given:
        return None
    if given.isascii() and given.isdigit() and 0 < int(given[:6]) < 65_536:
        return int(given)
    text = "is not a port; allowed: an integer from 1 to 65535"
    raise config_error("environment", text, name)
