"""Evaluates a hook of the configuration for a request, without a gateway."""

from __future__ import annotations

from typing import Any

import msgspec

from ops.exits import OperatorError
from runtime.config.load import Loaded
from runtime.gateway.conversations.session_keys import MAIN
from runtime.gateway.hooks.mappings import HookRequest, ReadyHook, find, read_mappings
from runtime.gateway.hooks.requests import (
    BadHook,
    HookRules,
    HookWake,
    agent_turn_of,
    read_body,
    rules_of,
    wake_of,
)


def hooks_of(found: Loaded) -> tuple[list[ReadyHook], HookRules]:
    """Return the mapped hooks of a configuration, and the rules for them."""
    config = found.config.hooks
    agents = [spec.account_id for spec in found.agents.values()]
    named = [MAIN, found.config.agents.default, *agents]
    main = next((each for each in named if each in agents), MAIN)
    rules = rules_of(config, agents, found.accounts, main)
    return read_mappings(config.mappings, rules), rules


def made_of(
    found: Loaded, name: str, data: bytes, headers: dict[str, str], query: dict[str, str]
) -> dict[str, Any]:
    """Return the event or turn of a request; raises ``OperatorError`` if it is refused."""
    config = found.config.hooks
    hooks, rules = hooks_of(found)
    try:
        body = read_body(data)
        request = HookRequest(name, body, headers, query)
        if name == "wake":
            made: Any = wake_of(body, rules)
        elif name == "agent":
            made = agent_turn_of(body, rules, headers.get("idempotency-key"))
        else:
            hook = find(hooks, request)
            if hook is None:
                known = ", ".join(sorted({each.path for each in hooks if each.path})) or "none"
                text = f"no mapping in hooks.mappings matches {name}: 404; their paths: {known}"
                raise OperatorError(text)
            if hook.problem is not None:
                raise OperatorError(hook.problem)
            made = hook.action(request, rules)
    except BadHook as error:
        raise OperatorError(f"refused with {error.status}: {error.error}") from None
    action = "wake" if isinstance(made, HookWake) else "agent"
    return {"action": action, "enabled": config.enabled, **msgspec.to_builtins(made)}
