"""How a client may prove itself, mode by mode, and what a wrong proof costs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ipc.epoch import now_ms
from ipc.websocket.client import Client
from tests.support.devices import Key, offer, paired
from tests.support.gateway_rig import SESSION, TOKEN, gateway_rig
from tests.support.handshakes import challenged, connect
from tests.support.rawclient import SCOPES

PROXY: dict[str, Any] = {"mode": "trusted-proxy", "trustedProxy": {"allowLoopback": True}}
TRUSTED: dict[str, Any] = {"auth": PROXY, "trustedProxies": ["127.0.0.1"]}
ANN = {"x-forwarded-user": "ann", "x-forwarded-for": "203.0.113.9"}
CLI = {"id": "cli", "version": "1", "platform": "linux", "mode": "cli"}
SCOPES_OF_THE_CONSOLE = ["operator.admin", "operator.read", "operator.write", "operator.pairing"]
UI = {"id": "openclaw-control-ui", "version": "1", "platform": "web", "mode": "ui"}


def reason(answer: Any) -> str | None:
    details = answer.get("error", {}).get("details", {})
    found: str | None = details.get("authReason") or details.get("code")
    return found


@pytest.mark.parametrize(
    ("config", "auth", "expected"),
    [
        ({"token": "t"}, {"token": "t"}, None),
        ({"token": "t"}, {"password": "t"}, None),
        ({"token": "t"}, {"token": "x"}, "token_mismatch"),
        ({"token": "t"}, {"token": "ä"}, "token_mismatch"),
        ({"token": "t"}, {}, "DEVICE_IDENTITY_REQUIRED"),
        ({}, {"token": "t"}, "token_missing_config"),
        ({"mode": "password", "password": "p"}, {"password": "p"}, None),
        ({"mode": "password", "password": "p"}, {"token": "p"}, None),
        ({"mode": "password", "password": "p"}, {"password": "x"}, "password_mismatch"),
        ({"mode": "password"}, {"password": "x"}, "password_missing_config"),
        ({"mode": "none"}, {}, None),
        ({"mode": "none"}, {"token": "anything"}, None),
    ],
)
@pytest.mark.parametrize("protocol", [3, 4])
async def test_secrets(
    protocol: int, config: dict[str, Any], auth: dict[str, str], expected: str | None
) -> None:
    async with gateway_rig(auth=config) as rig:
        answer = await connect(rig, auth, protocol)
        assert answer["ok"] is (expected is None), answer
        assert reason(answer) == expected
        if expected is None and protocol == 4:
            assert answer["payload"]["auth"]["scopes"] == SCOPES


@pytest.mark.parametrize(
    ("client", "protocol", "hint"),
    [
        (None, 4, "provide gateway auth token"),
        (CLI, 4, "use this gateway's gateway.auth.token or pair the device"),
        (CLI, 3, "set gateway.remote.token to match gateway.auth.token"),
    ],
)
async def test_the_hint_fits_the_client(client: Any, protocol: int, hint: str) -> None:
    async with gateway_rig() as rig:
        more = {} if client is None else {"client": client}
        answer = await connect(rig, {"token": "wrong"}, protocol, **more)
        assert answer["error"]["message"] == f"unauthorized: gateway token mismatch ({hint})"


@pytest.mark.parametrize(
    ("config", "headers", "expected"),
    [
        ({}, ANN, None),
        ({}, {"x-forwarded-for": "203.0.113.9"}, "trusted_proxy_user_missing"),
        ({"allowUsers": ["bob"]}, ANN, "trusted_proxy_user_not_allowed"),
        ({"allowUsers": ["bob", "ann"]}, ANN, None),
        ({"requiredHeaders": ["X-Proxy"]}, ANN, "trusted_proxy_missing_header_x-proxy"),
        ({"requiredHeaders": ["X-Proxy"]}, ANN | {"x-proxy": "1"}, None),
        ({"userHeader": "X-Mail"}, {"x-mail": "ann"}, None),
        ({"allowLoopback": False}, ANN, "trusted_proxy_loopback_source"),
    ],
)
async def test_a_trusted_proxy_vouches_for_people(
    config: dict[str, Any], headers: dict[str, str], expected: str | None
) -> None:
    auth = PROXY | {"trustedProxy": PROXY["trustedProxy"] | config}
    async with gateway_rig(auth=auth, trustedProxies=["127.0.0.0/8"]) as rig:
        answer = await connect(rig, headers=headers, client=UI)
        assert reason(answer) == expected
        if expected is None:
            assert answer["payload"]["auth"] == {
                "method": "trusted-proxy",
                "role": "operator",
                "scopes": SCOPES,
            }
            rows = answer["payload"]["snapshot"]["presence"]
            assert rows[1]["user"] == {"id": "ann"}


@pytest.mark.parametrize(
    ("more", "address", "user"),
    [
        ([], "203.0.113.9", "ann"),
        ([("X-Forwarded-For", "198.51.100.7")], "203.0.113.9", "ann"),
        ([("X-Forwarded-User", "bob")], "203.0.113.9", None),
        ([("X-Proxy", "2")], "203.0.113.9", "ann"),
    ],
)
async def test_what_a_client_puts_before_the_lines_of_its_proxy_is_not_believed(
    more: list[tuple[str, str]], address: str, user: str | None
) -> None:
    """Some proxies add a line of their own, behind the one that the client has sent."""
    config = {"allowUsers": ["ann", "bob"], "requiredHeaders": ["X-Proxy"]}
    auth = PROXY | {"trustedProxy": PROXY["trustedProxy"] | config}
    sent = [*more, *ANN.items(), ("x-proxy", "1")]
    async with gateway_rig(auth=auth, trustedProxies=["127.0.0.0/8"]) as rig:
        answer = await connect(rig, headers=sent, client=UI)
        assert reason(answer) == (None if user else "trusted_proxy_user_not_allowed")
        if user:
            (client,) = (each for each in rig.parts.hub.clients if each.role == "operator")
            assert (client.address, client.grant.user) == (address, user)
        else:
            (record,) = rig.parts.stability.snapshot(10, "client.refused", 0)["events"]
            assert record["address"] == address


async def test_the_name_of_a_user_is_utf_8() -> None:
    async with gateway_rig(auth=PROXY, trustedProxies=["127.0.0.0/8"]) as rig:
        headers = ANN | {"x-forwarded-user": "Jörg".encode().decode("latin-1")}
        answer = await connect(rig, headers=headers, client=UI)
        assert answer["payload"]["snapshot"]["presence"][1]["user"] == {"id": "Jörg"}


async def test_headers_of_a_stranger_are_not_believed() -> None:
    async with gateway_rig(auth=PROXY, trustedProxies=["192.0.2.1"]) as rig:
        answer = await connect(rig, headers=ANN)
        assert reason(answer) == "trusted_proxy_untrusted_source"


async def test_behind_a_proxy_nobody_is_local() -> None:
    """A stranger's forwarding headers cost him what loopback would give."""
    async with gateway_rig() as rig:
        answer = await connect(rig, {"token": TOKEN}, headers={"x-forwarded-for": "127.0.0.1"})
        assert answer["payload"]["auth"]["scopes"] == []
        _, paired = await offer(rig, Key(), headers={"x-real-ip": "127.0.0.1"})
        assert paired["error"]["details"]["code"] == "PAIRING_REQUIRED"


@pytest.mark.parametrize(("source", "scopes"), [("127.0.0.1", SCOPES), ("127.0.0.2", [])])
async def test_a_gateway_that_listens_on_one_address_knows_its_own_host(
    source: str, scopes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commands come from that address, which is no loopback; others have another one."""
    monkeypatch.setattr("ipc.websocket.demux.is_loopback", lambda address: False)
    async with gateway_rig() as rig:
        client = await challenged(rig, local_addr=(source, 0))
        assert (await client.hello(TOKEN))["auth"]["scopes"] == scopes


async def test_our_supervisor_comes_in_whatever_the_mode() -> None:
    for auth in (PROXY, {"mode": "none"}, {"mode": "password", "password": "p"}):
        async with gateway_rig(auth=auth, trustedProxies=["192.0.2.1"]) as rig:
            assert rig.parts.supervisor.client is not None


@pytest.mark.parametrize("protocol", [3, 4])
async def test_ten_wrong_secrets_lock_an_address(protocol: int) -> None:
    async with gateway_rig(trustedProxies=["127.0.0.1"]) as rig:
        far = {"x-forwarded-for": "203.0.113.9"}
        for _ in range(10):
            answer = await connect(rig, {"token": "wrong"}, protocol, headers=far)
            assert reason(answer) == "token_mismatch"
        answer = await connect(rig, {"token": TOKEN}, protocol, headers=far)
        error = answer["error"]
        assert error["message"] == (
            "unauthorized: too many failed authentication attempts (retry later)"
        )
        assert error["details"]["code"] == "AUTH_RATE_LIMITED"
        assert error["details"]["recommendedNextStep"] == "wait_then_retry"
        assert error["retryable"] is True
        assert 290_000 < error["retryAfterMs"] <= 300_001
        other = {"x-forwarded-for": "203.0.113.10"}
        assert (await connect(rig, {"token": TOKEN}, protocol, headers=other))["ok"]
        # Nobody locks out our own supervisor.
        rig.opened.append(await Client.connect(rig.url, token=SESSION))


async def test_device_tokens_are_counted_apart() -> None:
    async with gateway_rig(trustedProxies=["127.0.0.1"]) as rig:
        far = {"x-forwarded-for": "203.0.113.9"}
        for _ in range(10):
            _, answer = await offer(rig, Key(), auth={"deviceToken": "x"}, headers=far)
            assert answer["error"]["details"]["code"] == "AUTH_DEVICE_TOKEN_MISMATCH"
        _, answer = await offer(rig, Key(), auth={"deviceToken": "x"}, headers=far)
        assert answer["error"]["details"]["code"] == "AUTH_RATE_LIMITED"
        assert (await connect(rig, {"token": TOKEN}, headers=far))["ok"]


@pytest.mark.parametrize("place", ["token", "deviceToken"])
async def test_who_guesses_the_secret_locks_out_no_paired_device(place: str) -> None:
    """While they are locked, the device's own token counts and the shared secret does not."""
    async with gateway_rig(trustedProxies=["127.0.0.1"]) as rig:
        far, key = {"x-forwarded-for": "203.0.113.9"}, Key()
        token = (await paired(rig, key)).auth["deviceToken"]
        for _ in range(10):
            assert reason(await connect(rig, {"token": "wrong"}, headers=far)) == "token_mismatch"
        for auth in ({place: token}, {"token": TOKEN, "deviceToken": token}):
            _, answer = await offer(rig, key, auth=auth, headers=far)
            assert answer["ok"], answer
        for auth in ({"token": TOKEN}, {"token": "wrong"}, {"password": "wrong"}):
            _, answer = await offer(rig, key, auth=auth, headers=far)
            assert answer["error"]["details"]["code"] == "AUTH_RATE_LIMITED"


async def test_a_device_that_guesses_the_secret_is_locked_too() -> None:
    async with gateway_rig(trustedProxies=["127.0.0.1"]) as rig:
        far = {"x-forwarded-for": "203.0.113.9"}
        for _ in range(10):
            _, answer = await offer(rig, Key(), auth={"token": "wrong"}, headers=far)
            assert answer["error"]["details"]["code"] == "AUTH_TOKEN_MISMATCH"
        for secret in ("wrong", TOKEN):
            _, answer = await offer(rig, Key(), auth={"token": secret}, headers=far)
            assert answer["error"]["details"]["code"] == "AUTH_RATE_LIMITED"


async def test_a_wrong_device_token_hides_no_guess_of_the_secret() -> None:
    async with gateway_rig(trustedProxies=["127.0.0.1"]) as rig:
        far = {"x-forwarded-for": "203.0.113.9"}
        for _ in range(10):
            await offer(rig, Key(), auth={"token": "wrong", "deviceToken": "x"}, headers=far)
        for auth in ({"token": TOKEN, "deviceToken": "x"}, {"token": TOKEN}):
            _, answer = await offer(rig, Key(), auth=auth, headers=far)
            assert answer["error"]["details"]["code"] == "AUTH_RATE_LIMITED"


async def test_a_device_that_guesses_the_password_is_locked_too() -> None:
    auth = {"mode": "password", "password": "right"}
    async with gateway_rig(auth=auth, trustedProxies=["127.0.0.1"]) as rig:
        far = {"x-forwarded-for": "203.0.113.9"}
        for _ in range(10):
            _, answer = await offer(rig, Key(), auth={"password": "wrong"}, headers=far)
            assert answer["error"]["details"]["code"] == "AUTH_PASSWORD_MISMATCH"
        _, answer = await offer(rig, Key(), auth={"password": "right"}, headers=far)
        assert answer["error"]["details"]["code"] == "AUTH_RATE_LIMITED"


async def test_who_proves_nothing_is_not_guessing() -> None:
    async with gateway_rig() as rig:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(12):
            assert reason(await connect(rig)) == "DEVICE_IDENTITY_REQUIRED"
        assert loop.time() - began < 5.0  # twelve delays would take 45 s


async def test_a_one_time_token_approves_the_device_that_brings_it() -> None:
    page, other = Key(), Key()
    async with gateway_rig() as rig:
        rig.answers["channels.note"] = {"ok": True}
        assert rig.supervisor is not None
        made = await rig.supervisor.call("device.bootstrap.create", {})
        assert made["scopes"] == SCOPES_OF_THE_CONSOLE
        auth = {"bootstrapToken": made["bootstrapToken"]}
        client = await paired(rig, page, auth=auth, client=UI, scopes=SCOPES_OF_THE_CONSOLE)
        assert client.auth["method"] == "bootstrap-token"
        assert client.auth["scopes"] == SCOPES_OF_THE_CONSOLE
        again = await paired(rig, page, auth=auth, client=UI, scopes=SCOPES_OF_THE_CONSOLE)
        own = {"deviceToken": again.auth["deviceToken"]}
        await paired(rig, page, auth=own, client=UI, scopes=SCOPES_OF_THE_CONSOLE)
        _, answer = await offer(rig, other, auth=auth, client=UI, scopes=SCOPES_OF_THE_CONSOLE)
        assert answer["error"]["details"]["code"] == "AUTH_BOOTSTRAP_TOKEN_INVALID"
        assert "run `trunkline open` again" in answer["error"]["message"]
        noted = await rig.asked.get()
        text = f"device {page.id[:8]} was approved by a one-time token"
        assert noted["params"] == {"text": text}
        assert noted["by"] == "the device itself, at 127.0.0.1"
        assert rig.asked.empty()
        events = rig.parts.stability.snapshot(50, None, 0)["events"]
        assert [each["type"] for each in events] == ["client.refused"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"auth": {"bootstrapToken": "x"}}, "bootstrap_token_invalid"),
        ({"auth": {"bootstrapToken": "x", "token": TOKEN}}, "bootstrap_token_invalid"),
        ({"scopes": ["operator.admin"]}, "scope_mismatch"),
        ({"role": "node"}, "bootstrap_token_invalid"),
    ],
)
async def test_a_one_time_token_gives_no_more_than_it_was_made_for(
    more: dict[str, Any], expected: str
) -> None:
    async with gateway_rig() as rig:
        token, _ = rig.parts.devices.bootstrap.create(["operator.read"], now_ms())
        given = {"auth": {"bootstrapToken": token}, "scopes": ["operator.read"]} | more
        _, answer = await offer(rig, Key(), **given)
        assert (answer["ok"], reason(answer)) == (False, expected)
        assert rig.parts.devices.paired() == []
