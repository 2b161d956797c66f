"""``message send`` and ``gateway``: what goes through a gateway, and what controls it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.exits import ExitCode
from tests.support.commandline import trunkline
from tests.support.fakeserver import Refusal, account, fake_gateway, fake_supervisor, status

SENT = {"runId": "k1", "messageId": "m1", "channel": "irc"}
CONFIGURATION = "{gateway: {auth: {token: {source: 'env', id: 'GW'}}}}"


@pytest.mark.parametrize(
    "account_flags",
    [["--account", "irc:libera"], ["--channel", "irc", "--account", "libera"]],
)
async def test_both_spellings_send_the_same(home: Path, account_flags: list[str]) -> None:
    async with fake_gateway(send=SENT) as fake:
        args = ["--target", "#tl", "--message", "hi", "--idempotency-key", "k1"]
        where = ["--url", fake.url, "--token", "secret"]
        result = await trunkline(home, "message", "send", *account_flags, *args, *where)
    assert (result.code, result.out) == (0, "sent (m1)\n")
    params = {"channel": "irc", "accountId": "libera", "to": "#tl", "message": "hi"}
    assert fake.asked[-1] == ("send", params | {"idempotencyKey": "k1"})


async def test_each_send_has_its_own_key_unless_one_is_given(home: Path) -> None:
    async with fake_gateway(send=SENT) as fake:
        args = ["--account", "irc:a", "-t", "x", "-m", "--dev", "--url", fake.url]
        for _ in range(2):
            result = await trunkline(
                home, "message", "send", *args, OPENCLAW_GATEWAY_TOKEN="secret"
            )
            assert result.code == 0
    keys = {params["idempotencyKey"] for method, params in fake.asked if method == "send"}
    assert len(keys) == 2
    assert fake.asked[-1][1]["message"] == "--dev"


async def test_a_message_that_was_not_sent_is_an_error(home: Path) -> None:
    async with fake_gateway(send=Refusal("UNAVAILABLE", "irc:libera is gone")) as fake:
        args = ["--account", "irc:libera", "-t", "x", "-m", "y", "--url", fake.url]
        result = await trunkline(home, "message", "send", *args, "--token", "secret")
    result.complains(ExitCode.ERROR, "irc:libera is gone")


async def test_our_own_gateway_is_found_with_its_secret(home: Path) -> None:
    (home / "trunkline.json5").write_text(CONFIGURATION)
    async with fake_gateway("t0ken", health={"ok": True}) as gateway:
        rows = status(account("local:demo"), url=gateway.url)
        async with fake_supervisor(home, supervisor__status=rows):
            result = await trunkline(home, "gateway", "health", GW="t0ken")
            missing = await trunkline(home, "gateway", "health")
    assert (result.code, result.out) == (0, "ok\n")
    missing.complains(ExitCode.CONFIGURATION, "gateway.auth", "GW")


async def test_the_configured_token_is_not_sent_to_a_url_that_was_typed(home: Path) -> None:
    (home / "trunkline.json5").write_text("{gateway: {auth: {token: 't0ken'}}}")
    async with fake_gateway("t0ken", health={"ok": True}) as fake:
        result = await trunkline(home, "gateway", "health", "--url", fake.url)
    result.complains(ExitCode.ERROR, "unauthorized")
    assert "auth" not in fake.hellos[0]


async def test_any_method_can_be_called(home: Path) -> None:
    def echo(params: Any) -> Any:
        return {"got": params}

    async with fake_gateway(some__method=echo) as fake:
        args = ["some.method", "--params", '{"a": [1, "ü"]}', "--url", fake.url]
        result = await trunkline(home, "gateway", "call", *args, "--token", "secret")
        unknown = await trunkline(
            home, "gateway", "call", "no.such", "--url", fake.url, "--token", "secret"
        )
    assert result.json == {"got": {"a": [1, "ü"]}}
    unknown.complains(ExitCode.ERROR, "unknown method: no.such")


async def test_a_gateway_that_is_not_well_fails_the_command(home: Path) -> None:
    async with fake_gateway(health={"ok": False}) as fake:
        args = ["gateway", "health", "--url", fake.url, "--token", "secret"]
        result = await trunkline(home, *args)
    assert (result.code, result.out) == (ExitCode.ERROR, "not ok\n")


async def test_the_supervisor_controls_the_gateway(home: Path) -> None:
    row = status()["gateway"]
    methods = {f"gateway__{verb}": {"ok": True, "gateway": row} for verb in ("start", "restart")}
    down = row | {"phase": "stopped", "connected": False, "pid": None}
    methods["gateway__stop"] = {"ok": True, "gateway": down}
    async with fake_supervisor(home, **methods) as fake:
        restarted = await trunkline(home, "gateway", "restart")
        stopped = await trunkline(home, "gateway", "stop", "--json")
        await trunkline(home, "gateway", "start", "--force")
        shown = await trunkline(home, "gateway", "status")
    assert restarted.out == "running  pid 100  ws://127.0.0.1:1\n"
    assert shown.out.startswith(restarted.out)
    assert stopped.json["phase"] == "stopped"
    assert ("gateway.start", {"force": True}) in fake.asked


async def test_a_gateway_that_does_not_come_up_is_a_timeout_with_its_reason(home: Path) -> None:
    row = status(phase="backoff", connected=False, lastError="port is taken")["gateway"]
    async with fake_supervisor(home, gateway__restart={"ok": False, "gateway": row}):
        result = await trunkline(home, "gateway", "restart")
    assert result.code == ExitCode.TIMEOUT
    assert result.err == "trunkline: the gateway is backoff: port is taken\n"


@pytest.mark.parametrize(
    "command",
    [
        "message send --account irc:a --target x --message m",
        "gateway health",
        "gateway call health",
        "nodes list",
        "devices list",
    ],
)
async def test_without_a_supervisor_nobody_is_shown_the_token(home: Path, command: str) -> None:
    """Whoever listens on the configured port then is a stranger."""
    async with fake_gateway("t0ken", health={"ok": True}) as stranger:
        text = f"{{gateway: {{port: {stranger.port}, auth: {{token: 't0ken'}}}}}}"
        (home / "trunkline.json5").write_text(text)
        (await trunkline(home, *command.split())).complains(ExitCode.NOT_RUNNING, "trunkline up")
        assert stranger.hellos == []


@pytest.mark.parametrize(
    ("command", "unknown"),
    [
        ("message send --account nope:x --target a --message b", "'nope:x'"),
        ("message send --account irc:a --target a --message b", "'irc:a'"),
        ('gateway call channels.stop --params {"channel":"nope"}', "'nope'"),
    ],
)
async def test_an_unknown_account_is_named_with_those_that_are_known(
    home: Path, command: str, unknown: str
) -> None:
    refusal = Refusal("INVALID_REQUEST", "invalid channel")
    rows = {"channelAccounts": {"irc": [{"accountId": "libera", "phase": "running"}]}}
    methods: dict[str, Any] = {"send": refusal, "channels__stop": refusal, "channels__status": rows}
    async with fake_gateway("secret", **methods) as fake:
        where = ("--url", fake.url, "--token", "secret")
        result = await trunkline(home, *command.split(), *where)
        result.complains(ExitCode.ERROR, "invalid channel", f"{unknown} is unknown", "irc:libera")
        fits = 'gateway call channels.stop --params {"channel":"irc"}'
        result = await trunkline(home, *fits.split(), *where)
        result.complains(ExitCode.ERROR, "invalid channel")
        assert "unknown" not in result.err
