"""``message send``: both spellings, media, keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.commands.message import MessageOptions, address_of
from ops.exits import ExitCode
from tests.support.commandline import trunkline
from tests.support.fakeserver import Refusal, fake_gateway

SENT = {"runId": "k1", "messageId": "m1", "channel": "irc"}


@pytest.mark.parametrize(
    "account_flags",
    [["--account", "irc:libera"], ["--channel", "irc", "--account", "libera"]],
)
async def test_both_spellings_send_the_same(state: Path, account_flags: list[str]) -> None:
    async with fake_gateway(send=SENT) as fake:
        args = ["--target", "#tl", "--message", "hi", "--idempotency-key", "k1"]
        where = ["--url", fake.url, "--token", "secret"]
        result = await trunkline(state, "message", "send", *account_flags, *args, *where)
    assert (result.code, result.out) == (0, "sent (m1)\n")
    params = {"channel": "irc", "accountId": "libera", "to": "#tl", "message": "hi"}
    assert fake.asked[-1] == ("send", params | {"idempotencyKey": "k1"})


async def test_each_send_has_its_own_key_unless_one_is_given(state: Path) -> None:
    async with fake_gateway(send=SENT) as fake:
        args = ["--account", "irc:a", "-t", "x", "-m", "--dev", "--url", fake.url]
        for _ in range(2):
            result = await trunkline(
                state, "message", "send", *args, OPENCLAW_GATEWAY_TOKEN="secret"
            )
            assert result.code == 0
    keys = {params["idempotencyKey"] for method, params in fake.asked if method == "send"}
    assert len(keys) == 2
    assert fake.asked[-1][1]["message"] == "--dev"


async def test_a_message_may_be_queued(state: Path) -> None:
    async with fake_gateway(send={"status": "queued", "outboxId": "abc"}) as fake:
        args = ["--account", "irc:a", "-t", "x", "-m", "y", "--queue", "--url", fake.url]
        result = await trunkline(state, "message", "send", *args, "--token", "secret")
    assert (result.code, result.out) == (0, "queued (abc)\n")
    assert fake.asked[-1][1]["queue"] is True


async def test_a_message_that_was_not_sent_is_an_error(state: Path) -> None:
    async with fake_gateway(send=Refusal("UNAVAILABLE", "irc:libera is gone")) as fake:
        args = ["--account", "irc:libera", "-t", "x", "-m", "y", "--url", fake.url]
        result = await trunkline(state, "message", "send", *args, "--token", "secret")
    result.complains(ExitCode.ERROR, "irc:libera is gone")


async def test_media_needs_no_text(state: Path) -> None:
    async with fake_gateway(send={"messageId": "m"}) as gate:
        args = ["message", "send", "--account", "irc:a", "-t", "#x", "--url", gate.url]
        args += ["--token", "secret"]
        sent = await trunkline(state, *args, "--media", "http://a/1", "--media", "http://a/2")
        nothing = await trunkline(state, *args)
    assert sent.out == "sent (m)\n"
    assert gate.asked[-1][1]["mediaUrls"] == ["http://a/1", "http://a/2"]
    nothing.complains(ExitCode.USAGE, "--message or --media")


def test_what_is_not_given_is_not_sent() -> None:
    params = MessageOptions(target="#x", text="hi", channel="irc", key="k").params()
    assert params == {"channel": "irc", "to": "#x", "message": "hi", "idempotencyKey": "k"}
    more = MessageOptions(
        target="#x", text="hi", account="irc:a", thread="t", reply_to="r", markdown=True
    ).params()
    assert (more["threadId"], more["replyToId"], more["markup"]) == ("t", "r", "markdown")


@pytest.mark.parametrize(
    "address", ["https://a/1", "HTTP://a/1", "file:///a/b", "data:,x", "media:" + "0" * 32]
)
def test_an_address_of_a_file_stays_as_it_is(address: str) -> None:
    assert address_of(address) == address


def test_a_path_becomes_an_absolute_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/al")
    assert address_of("a b.png") == f"file://{tmp_path}/a%20b.png"
    assert address_of("/srv/ä.png") == "file:///srv/%C3%A4.png"
    assert address_of("~/x") == "file:///home/al/x"
