from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ipc.errors import RemoteError
from ipc.frames.control import LoginAsked
from ipc.frames.words import Phase
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.lifecycle import Ready
from tests.support.accounts import spec_of
from tests.support.fleet import Fleet, fleet

KEY, DUMB = "local:demo", "local:dumb"
ABLE = replace(spec_of(KEY).manifest, can=frozenset({"login"}))


@asynccontextmanager
async def two(place: Path) -> AsyncIterator[Fleet]:
    """Two accounts that start, of which one can ask for a login."""
    async with fleet(place, spec_of(KEY, manifest=ABLE), spec_of(DUMB)) as made:
        await made.wait(0)
        yield made


def ask(account: Account, number: int, text: str = "Name?") -> None:
    """Ask as the account's worker does."""
    now = asyncio.get_running_loop().time()
    account.on_login_asked(LoginAsked(number, "ask", text, expires=9.0), now)


@pytest.mark.virtual_time
async def test_a_follower_of_a_login_is_answered_at_each_change(tmp_path: Path) -> None:
    async with two(tmp_path) as rig:
        account = rig.account(KEY)
        view = await rig.rig.ask("channels.login", account=KEY)
        assert (view["state"], view["account"]) == ("starting", KEY)
        for number in (1, 2):
            more = {"account": KEY, "seen": view["mark"], "timeoutMs": 60_000}
            waiting = asyncio.create_task(rig.rig.ask("channels.login", **more))
            await asyncio.sleep(1)
            assert not waiting.done()
            ask(account, number)
            view = await waiting
            assert view["prompt"]["id"].endswith(f"-{number}")
        assert rig.row(KEY).cause == "linking"
        account.child.post(Ready(account.child.state.incarnation))
        view = await rig.rig.ask("channels.login", account=KEY, seen=view["mark"], timeoutMs=1000)
        assert view["state"] == "linked"
        assert rig.row(KEY).login is None


@pytest.mark.virtual_time
async def test_a_login_starts_an_account_that_was_stopped(tmp_path: Path) -> None:
    async with two(tmp_path) as rig:
        await rig.stop(KEY)
        assert (await rig.rig.ask("channels.login", account=KEY))["state"] == "ended"
        assert (await rig.rig.ask("channels.login", account=KEY, start=True))["state"] == "starting"
        assert rig.phase(KEY) is Phase.STARTING
        assert rig.holds.get(KEY) is None


@pytest.mark.virtual_time
async def test_a_change_is_the_begin_of_a_login_and_not_each_question_after_it(
    tmp_path: Path,
) -> None:
    async with two(tmp_path) as rig:
        await rig.stop(KEY)
        before = len((await rig.rig.ask("changes.list"))["changes"])
        view = await rig.rig.ask("channels.login", account=KEY, start=True)
        for _ in range(3):  # a browser follows it
            await rig.rig.ask("channels.login", account=KEY, start=True, seen=view["mark"])
            await rig.rig.ask("channels.login", account=KEY)
        changes = (await rig.rig.ask("changes.list"))["changes"]
        assert [each["text"] for each in changes[before:]] == [f"channels.login {KEY}"]


@pytest.mark.virtual_time
async def test_a_channel_without_a_login_is_told_apart(tmp_path: Path) -> None:
    async with two(tmp_path) as rig:
        with pytest.raises(
            RemoteError, match=r"no login of its own.*channels\.local\.accounts\.dumb"
        ):
            await rig.rig.ask("channels.login", account=DUMB)


@pytest.mark.virtual_time
async def test_an_answer_goes_to_the_prompt_that_stands_and_to_no_other(tmp_path: Path) -> None:
    async with two(tmp_path) as rig:
        with pytest.raises(RemoteError, match="no longer asks"):
            await rig.rig.ask("channels.login.answer", account=KEY, prompt="1-1", text="ann")
        ask(rig.account(KEY), 1)
        await rig.wait(0)
        name = (await rig.rig.ask("channels.login", account=KEY))["prompt"]["id"]
        # Played workers take none.
        with pytest.raises(RemoteError, match="has not accepted") as late:
            await rig.rig.ask("channels.login.answer", account=KEY, prompt=name, text="ann")
        assert late.value.retryable
        rig.account(KEY).login.answering = True
        with pytest.raises(RemoteError, match="another answer"):
            await rig.rig.ask("channels.login.answer", account=KEY, prompt=name, text="ann")
