"""Copies a configuration with its secrets redacted. Pure.

A manifest names the secret fields of its channel, or of its kind of agent, and those of which a
part is secret. What looks like a secret is hidden too, in addresses and in arguments of commands as
well: better one harmless value too many than one password in a bug report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from runtime.config.agents import OF_AGENT
from runtime.config.channel_section import OURS
from runtime.config.text.json5_positions import ValuePath
from workers.agents.registry import AgentKinds
from workers.registry import Manifests
from workers.secrets import (
    PASSWORD_NAME,
    SENSITIVE_NAME,
    SENSITIVE_PARAMETER,
    secret_part,
    without_secrets,
)

REDACTED = "__OPENCLAW_REDACTED__"  # the mark of the protocol: written back, it means "as it was"

_SUSPECT = re.compile(
    rf"token|{PASSWORD_NAME}|passphrase|secret|credential|authorization|cookie|api_?key|private_?key"
    r"|^key$|^pin$",
    re.IGNORECASE,
)
# A number is hidden only where the name ends so: ``pin: 1234``, but not ``maxTokens: 4096``.
_SUSPECT_NUMBER = re.compile(r"(?:token|pass|password|passphrase|secret|key|^pin)$", re.IGNORECASE)
_FLAG = re.compile(  # of a command: --token=…
    rf"(--?[\w-]*{SENSITIVE_NAME}[\w-]*)(?:=(.*))?",
    re.IGNORECASE | re.DOTALL,
)
_IN_URL = re.compile(  # [user:]password@host, ?access_token=…
    r"(?<=://)[^/@\s?#]+(?=@)"
    rf"|(?<=[?&;])({SENSITIVE_PARAMETER})[^&;#\s]+",
    re.IGNORECASE,
)

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

    A reference is shown, but for what looks like a secret in a command. Of what has no manifest
    all texts are hidden, because it is not known which are secret.
    """
    result = {name: _hide(value, _NONE) for name, value in values.items()}
    if "gateway" in values:
        result["gateway"] = _hide(values["gateway"], _GATEWAY)
    if "hooks" in values:
        result["hooks"] = _hide(values["hooks"], _HOOKS)
    channels = values.get("channels")
    if isinstance(channels, Mapping):
        result["channels"] = {
            name: _channel(section, _secrets(manifests, name)) for name, section in channels.items()
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


def _channel(section: Any, secrets: _Secrets) -> Any:
    if not isinstance(section, Mapping):
        return _hide(section, secrets)
    shown = _account(section, secrets)
    accounts = section.get("accounts")
    if isinstance(accounts, Mapping):
        shown["accounts"] = {name: _account(each, secrets) for name, each in accounts.items()}
    return shown


def _agent(fields: Any, kinds: AgentKinds) -> Any:
    kind = fields.get("kind") if isinstance(fields, Mapping) else None
    return _account(fields, _secrets(kinds, kind if isinstance(kind, str) else ""), OF_AGENT)


def _account(fields: Any, secrets: _Secrets, ours: Collection[str] = OURS) -> Any:
    if not isinstance(fields, Mapping):
        return _hide(fields, secrets)
    return {
        name: value if name in ours else _hide(value, _inside(name, secrets), name)
        for name, value in fields.items()
    }


def _secrets(manifests: Manifests | AgentKinds, id: str) -> _Secrets:
    if id not in manifests:
        return _ALL
    manifest = manifests[id].manifest
    return {**manifest.secret_parts, **dict.fromkeys(manifest.secrets, _whole)}


def _hide(value: Any, secrets: _Secrets, name: str = "") -> Any:
    """Return ``value`` without ``secrets`` inside it; ``""`` among them means the whole value."""
    if isinstance(value, Mapping):
        if set(value) == {"source", "id"} and value["source"] in (
            "env",
            "file",
            "exec",
            "credential",
        ):
            return _reference(value)
        return {
            each: _hide(inner, _inside(each, secrets), str(each)) for each, inner in value.items()
        }
    if isinstance(value, list):
        shown = [_hide(each, secrets, name) for each in value]
        return [_argument(each, before) for each, before in zip(shown, ["", *value], strict=False)]
    split = secrets.get("") or (_whole if _SUSPECT.search(name) else None)
    if isinstance(value, str) and value:
        part = secret_part(split, value) if split else ""
        head, _, tail = value.rpartition(part) if part else ("", "", value)
        return f"{_url(head)}{REDACTED if part else ''}{_url(tail)}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        declared = split is not None and secrets is not _ALL and "" in secrets
        return REDACTED if declared or _SUSPECT_NUMBER.search(name) else value
    return value


def _reference(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a reference to a secret, with secrets in its command line redacted."""
    command = value["id"]
    if value["source"] != "exec" or not isinstance(command, str):
        return dict(value)
    return {**value, "id": without_secrets(command, REDACTED)}


def _argument(value: Any, before: Any) -> Any:
    """Return an item of a list; redact the secret in ``--token=…`` and after ``--token``."""
    if not isinstance(value, str):
        return value
    if isinstance(before, str) and (flag := _FLAG.fullmatch(before)) and flag[2] is None:
        return REDACTED if value and not value.startswith("-") else value
    flag = _FLAG.fullmatch(value)
    if flag and flag[2]:
        return f"{flag[1]}={REDACTED}"
    return without_secrets(value, REDACTED)  # of the arguments of a shell, say


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
