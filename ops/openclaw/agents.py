"""Translates agents of OpenClaw. Pure.

An agent of OpenClaw is a workspace with tools, memory and models, which no configuration file can
carry. So each becomes an agent of kind ``openclaw`` here, which asks OpenClaw's gateway. Only one
without tools, whose model an OpenAI-compatible endpoint serves, can do without that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ipc.hidden_fields import hide_fields
from ops.openclaw.draft import Draft, FieldPlace, Target, mapping_of, member_of
from ops.openclaw.rules import Rule, carry, fixed, omitted, same
from ops.openclaw.secret_values import copy_secret
from runtime.config.check import join

STAYS = "stays with the agent in OpenClaw"
MAIN = "main"  # the agent of a file that names none
DEFAULT_PORT = 18_789
APART = 20  # OpenClaw's advice for the ports of two gateways on one host
COMPATIBLE = ("openai-completions", None)


@hide_fields("fields")
class OriginalAgent(msgspec.Struct, frozen=True):
    """An agent of the original and its place. ``listed``: in the older ``agents.list``."""

    id: str
    path: str
    fields: Mapping[str, Any]
    listed: bool = False


def carry_agents(draft: Draft, values: Mapping[str, Any]) -> None:
    """Translate ``agents``, and the model providers that are asked without OpenClaw."""
    section = values.get("agents")
    found = list(_agents(section))
    providers = mapping_of(member_of(values.get("models"), "providers"))
    direct = {each.id: provider for each in found if (provider := _endpoint(each, values))}
    if isinstance(section, Mapping):
        _carry_rest(draft, section, found)
    elif section is not None:
        draft.omit("agents", "is not an object")
    for agent in found or [OriginalAgent(MAIN, "", {})]:
        target = ("agents", "entries", agent.id)
        if agent.id in direct:
            _carry_direct(draft, agent, target)
        else:
            _carry_stay(draft, agent, target, values)
        if agent.path:
            _carry_fields(draft, agent, target)
    _carry_default(draft, found)
    _carry_models(draft, values.get("models"), providers, found, direct)
    if len(direct) < len(found or [MAIN]) and not _is_remote(values):
        _move_port(draft, values)


def _agents(section: Any) -> Iterator[OriginalAgent]:
    entries = member_of(section, "entries")
    if isinstance(entries, Mapping):
        for name, fields in entries.items():
            yield OriginalAgent(name, join("agents.entries", name), mapping_of(fields))
        return
    listed = member_of(section, "list")
    for number, fields in enumerate(listed if isinstance(listed, list) else ()):
        name = member_of(fields, "id")
        if isinstance(name, str) and name:
            yield OriginalAgent(name, f"agents.list[{number}]", mapping_of(fields), listed=True)


def _carry_rest(draft: Draft, section: Mapping[str, Any], found: list[OriginalAgent]) -> None:
    """Report the fields of ``agents`` other than the agents themselves."""
    if not section:
        draft.omit("agents", "is empty")
    known = {agent.path for agent in found}
    for name, value in section.items():
        path = join("agents", name)
        if name == "entries" and found and not found[0].listed:
            continue
        if name == "list" and isinstance(value, list) and value:
            for number in range(len(value)):
                if (place := f"{path}[{number}]") not in known:
                    draft.omit(place, "has no id, or stands beside agents.entries")
        elif name == "defaults":
            rules: dict[str, Rule] = {"maxConcurrent": same("maxConcurrent")}
            if not isinstance(value, Mapping) or not value:
                draft.omit(path, STAYS)
            else:
                carry(draft, path, ("agents",), value, rules, STAYS)
        else:
            wrong = {"list": (list, "is not a list"), "entries": (Mapping, "is not an object")}
            kind, reason = wrong.get(name, (object, ""))
            if isinstance(value, kind):
                reason = "is empty" if value in ({}, []) else STAYS
            draft.omit(path, reason)


def _carry_fields(draft: Draft, agent: OriginalAgent, target: Target) -> None:
    """Report each field of an agent; only its name is carried over."""

    def name(draft: Draft, place: FieldPlace, value: Any) -> None:
        if draft.has((*target, "name")):
            draft.omit(place.path, "its name counts first")
        else:
            draft.copy(place.path, (*target, "name"), value)

    def identity(draft: Draft, place: FieldPlace, value: Any) -> None:
        if isinstance(value, Mapping) and value:
            carry(draft, place.path, target, value, {"name": name}, STAYS)
        else:
            draft.omit(place.path, STAYS)

    rules: dict[str, Rule] = {
        "name": name,
        "identity": identity,
        "default": fixed(lambda value: True, "as agents.default", ""),
        "timeoutSeconds": same(),
        "heartbeat": omitted("OpenClaw keeps it running: two heartbeats would ask twice"),
    }
    if agent.listed:
        rules["id"] = fixed(lambda value: True, "its name in agents.entries", "")
    if draft.value((*target, "kind")) == "openai":
        rules["model"] = fixed(lambda value: True, "as model and baseUrl", "")
    if not agent.fields:
        draft.note_fixed(agent.path, "has no settings")
        return
    first = sorted(agent.fields, key=lambda each: each != "name")  # counts before identity.name
    ordered = {each: agent.fields[each] for each in first}
    carry(draft, agent.path, target, ordered, rules, STAYS)


def _carry_stay(
    draft: Draft, agent: OriginalAgent, target: Target, values: Mapping[str, Any]
) -> None:
    """Translate an agent that stays in OpenClaw, where our accounts ask it."""
    gateway = mapping_of(values.get("gateway"))
    place = FieldPlace(f"{agent.path or 'agents.entries.main'}.kind (not set)", target, "kind")
    reason = "it stays in OpenClaw with its tools, memory and models, and is asked there"
    draft.change(place.path, (*target, "kind"), "openclaw", reason)
    entry = draft.config["agents"]["entries"][agent.id]
    scratch = Draft(draft.variables, draft.secret_providers)  # these are noted where they stand
    if _is_remote(values):
        remote = mapping_of(gateway.get("remote"))
        entry["url"] = remote.get("url")
        secrets = remote
    else:
        scheme = "wss" if member_of(gateway.get("tls"), "enabled") is True else "ws"
        entry["url"] = f"{scheme}://127.0.0.1:{_port(gateway)}"
        secrets = mapping_of(gateway.get("auth"))
    names = ("password", "token") if secrets.get("mode") == "password" else ("token", "password")
    for name in names:
        if name in secrets:
            copy_secret(scratch, FieldPlace("", (), name), (name,), secrets[name])
            break
    else:
        for name in names:
            variable = f"OPENCLAW_GATEWAY_{name.upper()}"
            if draft.variables.value(variable):
                entry[name] = {"source": "env", "id": variable}
                break
    draft.used_variables |= scratch.used_variables
    draft.used_providers |= scratch.used_providers
    entry |= scratch.config
    if agent.id != MAIN:
        entry["agentId"] = agent.id


def _carry_direct(draft: Draft, agent: OriginalAgent, target: Target) -> None:
    model = str(_model(agent.fields)).partition("/")[2]
    reason = "it has no tools, and its model is asked without OpenClaw; its workspace stays there"
    draft.change(f"{agent.path}.kind (not set)", (*target, "kind"), "openai", reason)
    draft.config["agents"]["entries"][agent.id]["model"] = model


def _carry_models(
    draft: Draft,
    models: Any,
    providers: Mapping[str, Any],
    found: list[OriginalAgent],
    direct: Mapping[str, str],
) -> None:
    """Add address and key to agents that ask an endpoint; note the rest of ``models``."""
    if models is None:
        return
    if not direct:
        draft.omit("models", STAYS)
        return
    for name in mapping_of(models):
        if name != "providers":
            draft.omit(join("models", name), STAYS)
    for provider, fields in providers.items():
        path = join("models.providers", provider)
        askers = [agent.id for agent in found if direct.get(agent.id) == provider]
        if not askers or not isinstance(fields, Mapping):
            draft.omit(path, STAYS)
            continue
        first = ("agents", "entries", askers[0])
        for name, value in fields.items():
            place = FieldPlace(join(path, name), first, name)
            if name == "baseUrl":
                draft.copy(place.path, (*first, name), value)
            elif name == "apiKey":
                copy_secret(draft, place, (*first, name), value)
            else:
                draft.omit(place.path, STAYS)
        for other in askers[1:]:
            for name in ("baseUrl", "apiKey"):
                if draft.has((*first, name)):
                    draft.config["agents"]["entries"][other][name] = draft.value((*first, name))


def _carry_default(draft: Draft, found: list[OriginalAgent]) -> None:
    marked = [agent for agent in found if agent.fields.get("default") is True]
    if marked:
        default, reason = marked[0].id, "the one that is marked default"
    elif not found:
        default, reason = MAIN, "OpenClaw's only agent where none is listed"
    elif len(found) == 1 or found[0].listed:
        default, reason = found[0].id, "the only one" if len(found) == 1 else "the first one"
    else:
        default, reason = "none", "with several agents OpenClaw asks none without a binding"
    draft.change("agents.default (not set)", ("agents", "default"), default, reason)


def _move_port(draft: Draft, values: Mapping[str, Any]) -> None:
    """Set another port than that of OpenClaw, which keeps running its agents."""
    theirs = _port(values.get("gateway"))
    ours = theirs + APART if theirs + APART < 65_536 else theirs - APART
    target = ("gateway", "port")
    reason = f"OpenClaw keeps running its agents at {theirs}"
    given = member_of(values.get("gateway"), "port")
    if given not in (None, theirs):
        reason = f"is not a port from 1 to 65535, so {DEFAULT_PORT} is assumed; {reason}"
    earlier = [note for note in draft.notes if note.target == target]
    for note in earlier:
        draft.notes.remove(note)
    path = earlier[0].path if earlier else "gateway.port (not set)"
    draft.change(path, target, ours, reason)


def _endpoint(agent: OriginalAgent, values: Mapping[str, Any]) -> str | None:
    """Return the provider of an agent without tools whose model has an OpenAI endpoint."""
    denied = member_of(agent.fields.get("tools"), "deny") or member_of(values.get("tools"), "deny")
    if not isinstance(denied, list) or "*" not in denied:
        return None
    provider, _, model = str(_model(agent.fields) or "").partition("/")
    fields = member_of(member_of(values.get("models"), "providers"), provider)
    if not model or not isinstance(member_of(fields, "baseUrl"), str):
        return None
    return provider if member_of(fields, "api") in COMPATIBLE else None


def _port(gateway: Any) -> int:
    """Return the port on which OpenClaw keeps running."""
    port = member_of(gateway, "port")
    right = isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65_536
    return port if right else DEFAULT_PORT


def _model(fields: Mapping[str, Any]) -> Any:
    model = fields.get("model")
    return member_of(model, "primary") if isinstance(model, Mapping) else model


def _is_remote(values: Mapping[str, Any]) -> bool:
    gateway = values.get("gateway")
    return member_of(gateway, "mode") == "remote" and isinstance(
        member_of(member_of(gateway, "remote"), "url"), str
    )
