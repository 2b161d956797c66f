"""Translates the section ``gateway`` of OpenClaw's configuration. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.openclaw.draft import Draft, FieldPlace
from ops.openclaw.rules import (
    Rule,
    Rules,
    at,
    carry,
    fixed,
    nested,
    omitted,
    same,
    secret,
    words,
)

NO_TAILSCALE = "Trunkline does not drive Tailscale; set gateway.bind to its address"
HEALTH = ("supervisor", "healthMonitor")
ENDPOINT: Rules = {"enabled": same()}

_AUTH: Rules = {
    "mode": same(),
    "token": secret(),
    "password": secret(),
    "trustedProxy": nested(
        {
            "userHeader": same(),
            "requiredHeaders": same(),
            "allowUsers": same(),
            "allowLoopback": same(),
        }
    ),
    "rateLimit": nested(
        {"maxAttempts": same(), "windowMs": same(), "lockoutMs": same(), "exemptLoopback": same()}
    ),
    "allowTailscale": omitted(NO_TAILSCALE),
}


def carry_gateway(draft: Draft, fields: Any) -> None:
    """Translate the section ``gateway``."""
    address = fields.get("customBindHost") if isinstance(fields, Mapping) else None
    if "mode" not in _auth(fields) and "password" in _auth(fields) and "token" not in _auth(fields):
        draft.change(
            "gateway.auth.mode (not set)",
            ("gateway", "auth", "mode"),
            "password",
            "there is only a password",
        )
    carry(draft, "gateway", ("gateway",), fields, _rules(address))


def _auth(fields: Any) -> Mapping[str, Any]:
    found = fields.get("auth") if isinstance(fields, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _rules(address: Any) -> dict[str, Rule]:
    commands: Rules = {"allow": same(), "deny": same()}
    return {
        "mode": fixed(
            lambda value: value == "local",
            "it runs here",
            "its gateway is asked by the agents of kind openclaw",
        ),
        "port": same(),
        "bind": _bind(address),
        "customBindHost": fixed(lambda value: False, "", "as gateway.bind, where that is custom"),
        "publicOrigin": same("publicUrl"),
        "auth": nested(_AUTH, "only tokens, passwords and proxies let clients in"),
        "trustedProxies": same(),
        "tls": nested(
            {"enabled": same(), "certPath": _path, "keyPath": _path},
            "Trunkline makes no certificates: name yours in certPath and keyPath",
        ),
        "nodes": nested(
            {
                "commands": _flat_commands(commands),
                "allowCommands": same(),
                "denyCommands": same(),
            }
        ),
        "reload": nested({"mode": same(), "debounceMs": same()}),
        "http": nested(
            {
                "endpoints": nested(
                    {
                        "chatCompletions": nested(ENDPOINT),
                        "responses": nested(ENDPOINT),
                    }
                )
            }
        ),
        "tools": nested({"allow": same(), "deny": same()}),
        "controlUi": nested(
            {
                "enabled": same(),
                "basePath": same(),
                "allowedOrigins": at("gateway", "allowedOrigins"),
            },
            "it is about the page of OpenClaw",
        ),
        "handshakeTimeoutMs": same(),
        "channelStaleEventThresholdMinutes": _minutes(*HEALTH, "staleAfterSeconds"),
        "channelMaxRestartsPerHour": at(*HEALTH, "restartsPerHour"),
        "tailscale": omitted(NO_TAILSCALE),
        "remote": omitted("it is where OpenClaw's clients and agents connect to"),
    }


def _bind(address: Any) -> Rule:
    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        target = (*place.base, "bind")
        if value == "custom" and isinstance(address, str):
            draft.change(place.path, target, address, "the address of customBindHost")
        elif value == "tailnet":
            draft.omit(place.path, NO_TAILSCALE)
        else:
            named = {each: each for each in ("loopback", "lan", "auto")}
            words(named, "")(draft, place, value)

    return rule


def _path(draft: Draft, place: FieldPlace, value: Any) -> None:
    """Copy the absolute path of a file; the base of a relative one is unknown here."""
    target = (*place.base, place.name)
    if isinstance(value, str) and value.startswith(("/", "${")):
        draft.copy(place.path, target, value)
    elif (
        isinstance(value, str)
        and value.startswith("~/")
        and (home := draft.variables.value("HOME"))
    ):
        draft.change(place.path, target, f"{home}/{value[2:]}", "with the home directory")
    else:
        draft.omit(place.path, "is not an absolute path")


def _flat_commands(rules: Rules) -> Rule:
    names = {"allow": "allowCommands", "deny": "denyCommands"}

    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        flat = {name: same(names[name]) for name in rules}
        carry(draft, place.path, place.base, value, flat)

    return rule


def _minutes(*target: str) -> Rule:
    def rule(draft: Draft, place: FieldPlace, value: Any) -> None:
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            draft.change(place.path, target, value * 60, "in seconds")
        else:
            draft.omit(place.path, "is not a number of minutes")

    return rule
