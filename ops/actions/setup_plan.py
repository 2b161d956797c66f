"""Decides what a setup asks, and which commands carry out the answers. Pure.

A secret is never part of a command: it is written to a file, and the command refers to that.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ipc.hidden_fields import hide_fields
from ops.actions.config_example import descriptions_of
from ops.actions.login_check import LoginVerdict
from ops.exits import OperatorError
from workers.plugin import Manifest
from workers.secrets import field_at

WrongSecret = Callable[[str, str], str | None]  # of a field and its value: what is wrong

KEEP = "as it is"
NOBODY = "none"
AGENT = "main"


class SetupQuestion(msgspec.Struct, frozen=True):
    """One question, and what is asked for. An empty answer means ``default``; without one it is
    asked again.
    """

    name: str
    text: str
    default: str | None = None
    secret: bool = False
    allowed: Sequence[str] = ()
    about: str = ""


@hide_fields("secrets")
class Plan(msgspec.Struct, frozen=True):
    """The steps of a setup: the secrets that it writes into files, and its commands."""

    secrets: dict[Path, str]
    commands: list[list[str]]


@hide_fields("secret")
class Answers(msgspec.Struct, frozen=True):
    """What a person has typed for several fields: the plain ones and the secret ones, by name."""

    plain: Mapping[str, str] = {}
    secret: Mapping[str, str] = {}


# What is asked of each kind of agent.
AGENTS: Mapping[str, Sequence[SetupQuestion]] = {
    "echo": (),
    "openai": (
        SetupQuestion("baseUrl", "Address of the API", "https://api.openai.com/v1"),
        SetupQuestion("model", "Model"),
        SetupQuestion("apiKey", "API key (Enter: none)", "", secret=True),
    ),
    "openclaw": (
        SetupQuestion("url", "Address of OpenClaw's gateway", "ws://127.0.0.1:18789"),
        SetupQuestion("token", "Its token (Enter: none)", "", secret=True),
    ),
    "command": (SetupQuestion("command", "Program and arguments", "claude -p"),),
    NOBODY: (),
}
SHOWN_AGENTS = {
    KEEP: "what answers by default",
    "echo": "repeats each message, for a first try",
    "openai": "a model behind an API like OpenAI's",
    "openclaw": "an agent of OpenClaw, which keeps running",
    "command": "a program on this host, such as claude -p",
    NOBODY: "nobody; clients of the gateway read and write",
}


ON, AGAIN = "on", "again"
# What may be done where a platform has refused a login, or could not be asked; the first is meant
# by Enter.
NEXT: Mapping[str, Mapping[str, str]] = {
    "refused": {AGAIN: "type it again", ON: "go on with it all the same"},
    "unknown": {ON: "go on; the account is tried until it works", AGAIN: "type it again, and ask"},
}


def describe_refusal(label: str, answer: LoginVerdict) -> str:
    """Return in words that a platform has refused a login, or could not be asked."""
    if answer.outcome == "refused":
        return f"{label} refuses it: {answer.words}."
    return f"{label} could not be asked: {answer.words}."


def section_of(raw: Mapping[str, Any], manifest: Manifest) -> Mapping[str, Any]:
    """Return what a new account of a channel inherits, as the file has it."""
    channels = raw.get("channels")
    section = channels.get(manifest.id) if isinstance(channels, Mapping) else None
    return section if isinstance(section, Mapping) else {}


def questions_of(manifest: Manifest) -> Iterator[SetupQuestion]:
    """Yield the questions for an account of a channel: its required fields."""
    about = descriptions_of(manifest.config)
    for field in msgspec.structs.fields(manifest.config):
        if field.required:
            name = field.encode_name
            example = manifest.example.get(name)
            default = example if isinstance(example, str) else None
            secret = name in manifest.secrets
            yield SetupQuestion(name, name, default, secret, about=about.get(name, ""))


def plan(
    key: str,
    login: Answers,
    agent: str,
    of_agent: Answers,
    directory: Path,
    *,
    running: bool,
    agents: Sequence[str] = (),
) -> Plan:
    """Return the plan for the answers of a setup.

    ``login`` are the fields of the account, ``of_agent`` those of the chosen kind of agent.
    ``directory`` is for the files with secrets, ``running`` whether there is a daemon, ``agents``
    the ids that are taken.
    """
    secrets: dict[Path, str] = {}

    def hidden(owner: str, values: Mapping[str, str]) -> Iterator[str]:
        for name, value in values.items():
            path = _secret_path(directory, owner, name)
            secrets[path] = value
            yield f"{name}={json.dumps({'source': 'file', 'id': str(path)})}"

    commands = [] if running else [["up", "--detach"]]
    own = [f"{name}={value}" for name, value in login.plain.items()]
    if agent == NOBODY:
        own.append("agent=none")
    elif agent != KEEP:
        agent_id = _free(AGENT, agents)
        shown = [f"{name}={_value(agent, name, value)}" for name, value in of_agent.plain.items()]
        more = hidden(f"agent:{agent_id}", of_agent.secret)
        commands.append(["agents", "add", agent_id, f"kind={agent}", *shown, *more])
        own.append(f"agent={agent_id}")
    commands.append(["channels", "add", key, *own, *hidden(key, login.secret)])
    commands.append(["wait", key, "--for", "running"])
    return Plan(secrets, commands)


def plan_replacement(
    key: str, secret_fields: Mapping[str, str], directory: Path, *, running: bool
) -> Plan:
    """Return the plan that replaces secrets of an existing account."""
    secrets = {_secret_path(directory, key, name): value for name, value in secret_fields.items()}
    first = ["channels", "restart", key] if running else ["up", "--detach"]
    return Plan(secrets, [first, ["wait", key, "--for", "running"]])


def secrets_again(
    manifest: Manifest, key: str, configured: Mapping[str, Any], directory: Path
) -> tuple[list[SetupQuestion], list[str]]:
    """Return the questions for secrets that a setup wrote, and the places of other secrets.

    Raises ``OperatorError`` if there is nothing to ask.
    """
    again, elsewhere = [], []
    for name in sorted(manifest.secrets):
        value = field_at(configured, name)
        ours = {"source": "file", "id": str(_secret_path(directory, key, name))}
        if value == ours:
            again.append(SetupQuestion(name, f"{name} (Enter: unchanged)", "", secret=True))
        elif isinstance(value, Mapping):
            place = f"{value.get('source')}:{value.get('id')}"
            elsewhere.append(f"{name} comes from {place}: change it there")
        elif value is not None:
            elsewhere.append(f"{name} is in the configuration: change it there")
    if not again:
        raise OperatorError(
            f"{key} exists already, and no secret of it was typed into a setup"
            f"{''.join(f'; {line}' for line in elsewhere)}: nothing was done"
        )
    return again, elsewhere


def is_restart(command: Sequence[str]) -> bool:
    """Return whether a command restarts an account, which cannot be undone."""
    return list(command[:2]) == ["channels", "restart"]


def form_check(question: SetupQuestion, wrong_secret: WrongSecret) -> Callable[[str], str | None]:
    """Return a function that checks the format of an answer; an empty one is valid."""

    def check(text: str) -> str | None:
        return wrong_secret(question.name, text) if question.secret and text else None

    return check


def _secret_path(directory: Path, owner: str, name: str) -> Path:
    return directory / f"{owner.replace(':', '.')}.{name}"


def undoing(command: Sequence[str]) -> list[str] | None:
    """Return the command that undoes a command; ``None`` if it did not change the configuration."""
    if command[1:2] == ["add"]:
        return [command[0], "remove", command[2]]
    return None


def shown_command(command: Sequence[str], places: Sequence[str] = ()) -> str:
    """Return a command as it is typed into a shell."""
    return shlex.join(["trunkline", *places, *command])


def read_choice(text: str, allowed: Sequence[str]) -> str | None:
    """Return the choice for a name, its beginning or its number; ``None`` if there is none."""
    text = text.strip()
    if text in allowed:
        return text
    if text.isascii() and text.isdigit() and 0 < int(text[:4]) <= len(allowed):
        return allowed[int(text[:4]) - 1]
    found = [each for each in allowed if text and each.startswith(text.lower())]
    return found[0] if len(found) == 1 else None


def wrong_answer(
    question: SetupQuestion, answer: str, check: Callable[[str], str | None]
) -> str | None:
    """Return what is wrong with an answer, as text for a person; ``None`` if nothing is."""
    if not answer and question.default is None:
        return "is needed"
    if any(not char.isprintable() for char in answer):
        return "must be one line of printable characters"
    return check(answer)


def _value(kind: str, name: str, value: str) -> str:
    return json.dumps(shlex.split(value)) if (kind, name) == ("command", "command") else value


def _free(name: str, taken: Sequence[str]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}{number}"
    return found


def existing_agents(raw: Mapping[str, Any]) -> list[str]:
    """Return the ids of the agents that a configuration lists."""
    agents = raw.get("agents")
    entries = agents.get("entries") if isinstance(agents, Mapping) else None
    return list(entries) if isinstance(entries, Mapping) else []
