from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.worker_rig import CONTROLLABLE, worker_rig
from workers.errors import NeedsLogin, SendFailed
from workers.messages import Action
from workers.process.typing_repeats import BOUND, MOST, TypingRepeater

ABLE = CONTROLLABLE.replace(":manifest", ":able")
HI = {"to": "room", "text": "hi", "key": "k1"}
SHOWN = 5.0  # seconds, as Telegram does: it is repeated each 4


class Platform:
    """Remembers when which chat was shown that the account types; it fails on demand."""

    def __init__(self) -> None:
        self.shown: list[tuple[float, str | None]] = []
        self.error: Exception | None = None
        self.takes = 0.0

    async def show(self, action: Action) -> dict[str, bool]:
        await asyncio.sleep(self.takes)
        self.shown.append((asyncio.get_running_loop().time(), action.chat))
        if self.error is not None:
            raise self.error
        return {"shown": True}

    def times(self, chat: str = "7") -> list[float]:
        return [time for time, shown in self.shown if shown == chat]


def typing(chat: str = "7", **fields: object) -> Action:
    return Action(name="typing", key="k", chat=chat, **fields)  # type: ignore[arg-type]


@asynccontextmanager
async def repeater(
    shown: float = SHOWN, failures: list[Exception] | None = None
) -> AsyncIterator[tuple[TypingRepeater, Platform]]:
    failed = [] if failures is None else failures
    made = TypingRepeater(shown, failed.append)
    try:
        yield made, Platform()
    finally:
        await made.finish()


@pytest.mark.virtual_time
async def test_it_is_repeated_before_the_platform_ends_it() -> None:
    async with repeater() as (repeats, platform):
        assert await repeats.show(platform.show, typing()) == {"shown": True}
        await asyncio.sleep(13)
        assert platform.times() == [0, 4, 8, 12]


@pytest.mark.virtual_time
async def test_a_message_to_that_chat_ends_it() -> None:
    async with repeater() as (repeats, platform):
        await repeats.show(platform.show, typing())
        await repeats.show(platform.show, typing(thread="3"))
        await repeats.show(platform.show, typing("8"))
        await asyncio.sleep(5)
        repeats.end("7")
        await asyncio.sleep(5)
        assert (len(platform.times()), platform.times("8")) == (4, [0, 4, 8])


@pytest.mark.virtual_time
async def test_a_message_that_goes_while_it_is_first_shown_ends_it_too() -> None:
    async with repeater() as (repeats, platform):
        platform.takes = 1.0
        asked = asyncio.create_task(repeats.show(platform.show, typing()))
        await asyncio.sleep(0.5)
        repeats.end("7")
        await asked
        await asyncio.sleep(20)
        assert platform.times() == [1]


@pytest.mark.virtual_time
async def test_typing_ends_on_request() -> None:
    async with repeater() as (repeats, platform):
        await repeats.show(platform.show, typing())
        await repeats.show(platform.show, typing(remove=True))
        await asyncio.sleep(20)
        assert platform.times() == [0, 0], "the platform is told too"


@pytest.mark.virtual_time
async def test_it_ends_after_a_bound_which_asking_again_renews() -> None:
    async with repeater() as (repeats, platform):
        await repeats.show(platform.show, typing())
        await asyncio.sleep(BOUND - 10)
        await repeats.show(platform.show, typing())
        await asyncio.sleep(10 * BOUND)
        times = platform.times()
        assert 2 * BOUND - 10 - SHOWN <= max(times) <= 2 * BOUND - 10
        assert all(later - sooner <= SHOWN for sooner, later in pairwise(times))


@pytest.mark.virtual_time
async def test_a_platform_that_does_not_answer_holds_nothing_beyond_the_bound() -> None:
    async with repeater() as (repeats, platform):
        await repeats.show(platform.show, typing())
        platform.takes = 100 * BOUND
        await asyncio.sleep(BOUND + 1)
        assert len(asyncio.all_tasks()) == 1


@pytest.mark.virtual_time
async def test_a_failure_ends_typing_and_is_reported() -> None:
    failures: list[Exception] = []
    async with repeater(failures=failures) as (repeats, platform):
        await repeats.show(platform.show, typing())
        platform.error = SendFailed("blocked", reason="blocked")
        await asyncio.sleep(20)
        assert (platform.times(), failures) == ([0, 4], [platform.error])
        with pytest.raises(SendFailed):
            await repeats.show(platform.show, typing())
        await asyncio.sleep(20)
        assert platform.times() == [0, 4, 20], "what fails at first is the caller's"
        assert len(failures) == 1


@pytest.mark.virtual_time
async def test_without_an_interval_it_is_shown_once() -> None:
    async with repeater(0.0) as (repeats, platform):
        await repeats.show(platform.show, typing())
        await asyncio.sleep(20)
        assert platform.times() == [0]


@pytest.mark.virtual_time
async def test_the_first_of_too_many_chats_is_shown_no_more() -> None:
    async with repeater() as (repeats, platform):
        for number in range(MOST + 1):
            await repeats.show(platform.show, typing(f"c{number}"))
        await asyncio.sleep(5)
        assert platform.times("c0") == [0]
        assert platform.times(f"c{MOST}") == platform.times("c1") == [0, 4]


@pytest.mark.virtual_time
async def test_nothing_begins_after_the_end() -> None:
    async with repeater() as (repeats, platform):
        await repeats.show(platform.show, typing())
        await repeats.finish()
        await repeats.show(platform.show, typing())
        await asyncio.sleep(20)
        assert platform.times() == [0, 0]


TYPING = {"name": "typing", "key": "k", "chat": "room"}


async def test_typing_is_repeated_until_a_message_goes_to_that_chat(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(ABLE)
        plugin = await rig.up()
        shown = asyncio.Semaphore(0)

        async def on_action(action: Action) -> None:
            shown.release()

        plugin.on_action = on_action
        for number, send in enumerate(("send", "deliver")):
            await rig.gateway.result("action", TYPING | {"key": f"k{number}"})
            for _ in range(3):
                await shown.acquire()
            (repeats,) = [task for task in asyncio.all_tasks() if "_repeat" in repr(task)]
            message = HI | {"key": send}
            params = message if send == "send" else {"message": message, "attempt": 1}
            await rig.gateway.result(send, params)
            await asyncio.wait([repeats])
            assert repeats.cancelled()
        assert await rig.stop() == 0


async def test_a_repetition_that_finds_the_login_gone_ends_the_account(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(ABLE)
        plugin = await rig.up()
        errors: list[Exception | None] = [None, SendFailed("blocked"), None, NeedsLogin("revoked")]
        failed = asyncio.Event()

        async def on_action(action: Action) -> None:
            error = errors.pop(0)
            failed.set() if error is not None else failed.clear()
            if error is not None:
                raise error

        plugin.on_action = on_action
        await rig.gateway.result("action", TYPING)
        await failed.wait()  # which ends the repeating, and nothing else
        await rig.gateway.result("action", TYPING | {"key": "k2"})
        assert await rig.code() == 77
