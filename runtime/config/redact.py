"""Copies a configuration with its secrets redacted. Pure.

A manifest names the secret fields of its channel, or of its kind of agent, and those of which a
part is secret. What looks like a secret is hidden too, in addresses and in arguments of commands as
well: better one harmless value too many than one password in a bug report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import msgspec

from ipc.secret_patterns import (
    LOGIN,
    PASSWORD_NAME,
    SENSITIVE_NAME,
    SENSITIVE_PARAMETER,
    SHAPES,
    masked_arguments,
    masked_command,
)
from runtime.config.agents import OF_AGENT
from runtime.config.auth_model import AuthConfig
from runtime.config.channel_section import OURS
from runtime.config.text.json5_positions import ValuePath
from runtime.config.timers import HooksConfig
from workers.agents.registry import AgentKinds
from workers.registry import Manifests
from workers.secrets import SOURCES, secret_part

REDACTED = "__OPENCLAW_REDACTED__"  # the mark of the protocol: written back, it means "as it was"

_SUSPECT = re.compile(
    rf"token|{PASSWORD_NAME}|passphrase|secret|credential|authorization|cookie|api_?key|private_?key"
    r"|^key$|^pin$",
    re.IGNORECASE,
)
# A number is hidden only where the name ends so: ``pin: 1234``, but not ``maxTokens: 4096``.
_SUSPECT_NUMBER = re.compile(r"(?:token|pass|password|passphrase|secret|key|^pin)$", re.IGNORECASE)
_IN_URL = re.compile(  # [user:]password@host, ?access_token=…, and secrets of a known form
    rf"(?<=://){LOGIN}|(?<=[?&;\#])({SENSITIVE_PARAMETER})[^&;\#\s]+|{SHAPES}",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
# The field of a command line, and one whose members are variables of an environment.
_COMMAND = re.compile(
    r"(?:commands?|cmd|exec|args?|argv|arguments?)$|^(?:script|shell|program|entrypoint)$",
    re.IGNORECASE,
)
_ENVIRONMENT = re.compile(r"env(?:iron(?:ment)?)?$", re.IGNORECASE)
_VARIABLE = re.compile(SENSITIVE_NAME, re.IGNORECASE)

_Split = Callable[[str], str | None]  # returns what is secret in a text
_Secrets = Mapping[str, _Split]  # by the name of the field; "" for all that is here


def _whole(text: str) -> str:
    return text


_ALL: _Secrets = {"": _whole}
_NONE: _Secrets = {}
_HOOKS: _Secrets = {"token": _whole}
_GATEWAY: _Secrets = {"auth.token": _whole, "auth.password": _whole, "telemetry.headers": _whole}


def redacted(values: Mapping[str, Any], manifests: Manifests) -> dict[str, Any]:
    """Return a copy of a configuration (as in the file) with ``REDACTED`` for each secret.

    A reference is shown, but for what looks like a secret in a command. Of what has no manifest,
    and of a field beside secrets that has no such name, all texts are hidden, because it is not
    known which are secret: a misspelt ``botTokn`` holds one.
    """
    result = {name: _hide(value, _NONE) for name, value in values.items()}
    gateway, hooks = values.get("gateway"), values.get("hooks")
    if isinstance(gateway, Mapping):
        result["gateway"] = _hide(gateway, _GATEWAY)
        if isinstance(auth := gateway.get("auth"), Mapping):
            result["gateway"]["auth"] |= _unnamed(auth, _names(AuthConfig))
    if isinstance(hooks, Mapping):
        result["hooks"] = _hide(hooks, _HOOKS) | _unnamed(hooks, _names(HooksConfig))
    channels = values.get("channels")
    if isinstance(channels, Mapping):
        result["channels"] = {
            name: _channel(section, manifests, name) for name, section in channels.items()
        }
    agents = values.get("agents")
    if isinstance(agents, Mapping) and isinstance(agents.get("entries"), Mapping):
        entries = agents["entries"]
        result["agents"] |= {
            "entries": {name: _agent(each, manifests.agents) for name, each in entries.items()}
        }
    return result


def hidden(values: Any, shown: Any, path: ValuePath = ()) -> Iterator[tuple[ValuePath, str, str]]:
    """Yield path, secret and mark for each difference in ``shown``, the redacted ``values``."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            yield from hidden(value, shown[name], (*path, name))
    elif isinstance(values, list):
        for index, value in enumerate(values):
            yield from hidden(value, shown[index], (*path, index))
    elif values != shown:
        yield path, values, shown


def _channel(section: Any, manifests: Manifests, id: str) -> Any:
    if not isinstance(section, Mapping):
        return _hide(section, _secrets(manifests, id))
    shown = _account(section, manifests, id)
    accounts = section.get("accounts")
    if isinstance(accounts, Mapping):
        shown["accounts"] = {name: _account(each, manifests, id) for name, each in accounts.items()}
    return shown


def _agent(fields: Any, kinds: AgentKinds) -> Any:
    kind = fields.get("kind") if isinstance(fields, Mapping) else None
    return _account(fields, kinds, kind if isinstance(kind, str) else "", OF_AGENT)


def _account(
    fields: Any, manifests: Manifests | AgentKinds, id: str, ours: Collection[str] = OURS
) -> Any:
    secrets = _secrets(manifests, id)
    if not isinstance(fields, Mapping):
        return _hide(fields, secrets)
    shown = {
        name: _hide(value, _NONE if name in ours else _inside(name, secrets), name)
        for name, value in fields.items()
    }
    if id not in manifests:
        return shown
    return shown | _unnamed(fields, _names(manifests[id].manifest.config) | set(ours))


def _unnamed(fields: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return the fields that have none of ``names``, with all their texts hidden."""
    return {name: _hide(value, _ALL, name) for name, value in fields.items() if name not in names}


def _names(struct: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(struct)}


def _secrets(manifests: Manifests | AgentKinds, id: str) -> _Secrets:
    if id not in manifests:
        return _ALL
    manifest = manifests[id].manifest
    return {**manifest.secret_parts, **dict.fromkeys(manifest.secrets, _whole)}


def _hide(value: Any, secrets: _Secrets, name: str = "") -> Any:
    """Return ``value`` without ``secrets`` inside it; ``""`` among them means the whole value."""
    if isinstance(value, Mapping):
        if set(value) == {"source", "id"} and value["source"] in SOURCES:
            return _reference(value)
        inside = {
            each: _hide(inner, _inside(each, secrets), str(each)) for each, inner in value.items()
        }
        return _variables(inside) if _ENVIRONMENT.search(name) else inside
    if isinstance(value, list):
        shown = [_hide(each, secrets, name) for each in value]
        return masked_arguments(shown, REDACTED, command=_COMMAND.search(name) is not None)
    split = secrets.get("") or (_whole if _SUSPECT.search(name) else None)
    if isinstance(value, str) and value:
        part = secret_part(split, value) if split else ""
        head, _, tail = value.rpartition(part) if part else ("", "", value)
        text = f"{_url(head)}{REDACTED if part else ''}{_url(tail)}"
        return masked_command(text, REDACTED) if _COMMAND.search(name) else text
    if isinstance(value, int | float) and not isinstance(value, bool):
        declared = split is not None and secrets is not _ALL and "" in secrets
        return REDACTED if declared or _SUSPECT_NUMBER.search(name) else value
    return value


def _reference(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a reference to a secret, with secrets in its command line redacted."""
    command = value["id"]
    if value["source"] != "exec" or not isinstance(command, str):
        return dict(value)
    return {**value, "id": masked_command(command, REDACTED)}


def _variables(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return variables of an environment, of which what is secret by itself is hidden already."""
    result = dict(shown)
    for name, value in shown.items():
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            continue
        named = value != "" and _VARIABLE.search(str(name)) is not None
        if named or isinstance(value, str):
            result[name] = REDACTED if named else masked_command(str(value), REDACTED)
    return result


def _url(text: str) -> str:
    return _IN_URL.sub(lambda found: f"{found[1] or ''}{REDACTED}", text)


def _inside(name: str, secrets: _Secrets) -> _Secrets:
    """Return the secrets inside the field ``name``; everything inside a secret is one."""
    if "" in secrets:
        return _ALL
    return {
        rest: split
        for each, split in secrets.items()
        for head, _, rest in [each.partition(".")]
        if head == name
    }
