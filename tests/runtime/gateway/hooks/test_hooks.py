"""Hooks follow their configuration, and its faults."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from runtime.config.timers import HooksConfig
from runtime.gateway.hooks.hooks import Hooks
from runtime.gateway.hooks.mappings import HookRequest
from runtime.gateway.hooks.requests import BadHook, HookAgent, HookWake
from tests.support.gateway_rig import gateway_rig


def config(**fields: Any) -> HooksConfig:
    return msgspec.convert({"enabled": True, "token": "s"} | fields, HooksConfig)


def request(path: str, **body: Any) -> HookRequest:
    return HookRequest(path, body, {}, {})


async def test_hooks_are_where_and_as_they_are_configured() -> None:
    async with gateway_rig(agents="echo") as rig:
        hooks = Hooks(rig.parts.timers, rig.parts.asking)
        assert hooks.hook_path("/hooks/wake") is None
        hooks.configure(config(path="/in"))
        assert [
            hooks.hook_path(each) for each in ("/in/wake", "/in/a/b/", "/in", "/hooks/wake")
        ] == [
            "wake",
            "a/b",
            None,
            None,
        ]
        assert isinstance(hooks.action_of(request("wake", text="x")), HookWake)
        assert isinstance(hooks.action_of(request("agent", message="x")), HookAgent)
        assert hooks.action_of(request("a/b")) is None
        with pytest.raises(BadHook, match="sessionKey is disabled"):
            hooks.action_of(request("wake", text="x", sessionKey="hook:x"))
        hooks.configure(config(allowRequestSessionKey=True, allowedAgentIds=["other"]))
        with pytest.raises(BadHook, match="unknown agentId"):
            hooks.action_of(request("wake", text="x", agentId="echo"))
        hooks.configure(None)  # other agents or channels
        wake = hooks.action_of(request("wake", text="x", sessionKey="hook:x"))
        assert isinstance(wake, HookWake)
        assert wake.session == "hook:x"


async def test_a_token_that_cannot_be_read_closes_the_hooks_alone() -> None:
    async with gateway_rig(agents="echo") as rig:
        hooks = Hooks(rig.parts.timers, rig.parts.asking)
        hooks.configure(config(token={"source": "env", "id": "NO_SUCH_VARIABLE"}))
        assert (hooks.gate, hooks.hook_path("/hooks/wake")) == (None, None)


async def test_a_chat_that_is_named_and_not_there_is_refused() -> None:
    async with gateway_rig(agents="echo") as rig:
        hooks = Hooks(rig.parts.timers, rig.parts.asking)
        hooks.configure(config())
        with pytest.raises(BadHook, match="unknown irc account"):
            await hooks.begin(
                HookAgent("x", channel="irc", to="ada", account="none"), "agent", None
            )
