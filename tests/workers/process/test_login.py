"""The prompts of a login between a real control link and a fake supervisor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ipc.frames import control
from ipc.frames.control import LoginAnswer, LoginAsked, LoginOver, LoginTaken
from tests.support.worker_rig import WorkerRig, worker_rig
from workers.errors import LoginExpired, NeedsLogin
from workers.links.control import WorkerControlLink
from workers.login import Ask, Code, Open, Qr
from workers.process.login import GONE, AccountLogin

BEAT = control.Beat(0.0, 0, 0.0, 0, 0, 0, 0, 0, 0, 0, {})
PAGE = Open("https://a.example/login", "the-state")


class LoginRig:
    """An account's login. ``learned`` are the texts that became secrets."""

    def __init__(self, rig: WorkerRig) -> None:
        self.supervisor = rig.supervisor
        self.learned: list[str] = []
        self.login: AccountLogin
        self.link = WorkerControlLink(
            rig.boot(), lambda lag: BEAT, on_login=lambda answer: self.login.on_answer(answer)
        )
        self.login = AccountLogin(self.link, self.learned.append)

    def ask(self, *args: Any) -> asyncio.Task[Any]:
        return asyncio.create_task(self.login.ask(*args))

    async def asked(self, number: int) -> LoginAsked:
        """Wait until the supervisor has this prompt."""
        seen = await self.supervisor.until(
            lambda: [a for a in self.supervisor.of(LoginAsked) if a.id == number]
        )
        return seen[-1]

    async def answer(self, number: int, text: str) -> str:
        """Answer as the supervisor does; return what was wrong with it."""
        before = len(self.supervisor.of(LoginTaken))
        self.supervisor.send_raw(control.encode([LoginAnswer(number, text)]))
        taken = await self.supervisor.until(lambda: self.supervisor.of(LoginTaken)[before:])
        assert taken[0].id == number
        return taken[0].problem


@asynccontextmanager
async def logins(run_dir: Path) -> AsyncIterator[LoginRig]:
    async with worker_rig(run_dir) as rig:
        made = LoginRig(rig)
        made.link.open()
        try:
            yield made
        finally:
            made.link.close()


@pytest.mark.parametrize(
    ("prompt", "shown"),
    [
        (Qr("2@a", "Linked devices"), LoginAsked(1, "qr", "2@a", "Linked devices", expires=9.0)),
        (Code("AB-12"), LoginAsked(1, "code", "AB-12", expires=9.0)),
    ],
)
async def test_what_is_only_shown_is_shown_and_the_plugin_goes_on(
    run_dir: Path, prompt: Any, shown: LoginAsked
) -> None:
    async with logins(run_dir) as rig:
        assert await rig.login.ask(prompt, 9.0) is None
        assert await rig.asked(1) == shown
        assert rig.learned == [shown.text]


async def test_a_question_is_answered_and_the_answer_is_a_secret_from_then_on(
    run_dir: Path,
) -> None:
    async with logins(run_dir) as rig:
        task = rig.ask(Ask("Password?", secret=True))
        assert await rig.asked(1) == LoginAsked(1, "ask", "Password?", secret=True)
        assert await rig.answer(1, "") == "the answer is empty"
        assert not task.done()
        assert await rig.answer(1, "sesame") == ""
        assert await task == "sesame"
        assert "sesame" in rig.learned
        await rig.supervisor.until(lambda: rig.supervisor.of(LoginOver))
        assert await rig.answer(1, "sesame") == ""  # it was asked again whether it was taken
        assert await rig.answer(2, "sesame") == GONE


async def test_a_page_leads_back_with_its_state_and_with_no_other(run_dir: Path) -> None:
    async with logins(run_dir) as rig:
        task = rig.ask(PAGE)
        await rig.asked(1)
        for wrong in (
            "no address",
            "https://b/?code=1",
            "https://b/?code=1&state=other",
            "http://[",
        ):
            assert "another state" in await rig.answer(1, wrong)
        assert await rig.answer(1, " https://b/cb?code=c%201&state=the-state ") == ""
        assert await task == {"code": "c 1", "state": "the-state"}
        assert "c 1" in rig.learned


async def test_a_plugin_may_take_the_way_back_itself(run_dir: Path) -> None:
    async with logins(run_dir) as rig:
        task = rig.ask(PAGE)
        await rig.asked(1)
        assert not rig.login.opened("other", {"code": "c"})
        assert rig.login.opened("the-state", {"code": "c"})
        assert not rig.login.opened("the-state", {"code": "again"})
        assert await task == {"code": "c"}
        assert not rig.login.opened("the-state", {"code": "late"})


async def test_another_prompt_takes_the_place_of_the_one_before(run_dir: Path) -> None:
    async with logins(run_dir) as rig:
        first = rig.ask(Ask("Name?"))
        await rig.asked(1)
        second = rig.ask(Ask("Name?"))
        await rig.asked(2)
        with pytest.raises(LoginExpired, match="another prompt"):
            await first
        assert await rig.answer(1, "ann") == GONE
        assert await rig.answer(2, "ann") == ""
        assert await second == "ann"


async def test_what_is_not_answered_in_time_needs_a_login(run_dir: Path) -> None:
    async with logins(run_dir) as rig:
        with pytest.raises(LoginExpired, match=r"no login within 0\.01 s") as expired:
            await rig.login.ask(Ask("Code?"), 0.01)
        assert isinstance(expired.value, NeedsLogin)
        await rig.supervisor.until(lambda: rig.supervisor.of(LoginOver))


async def test_a_login_comes_before_ready_and_ends_with_it(run_dir: Path) -> None:
    async with logins(run_dir) as rig:
        await rig.login.ask(Qr("2@a"))
        rig.link.send_ready()
        with pytest.raises(RuntimeError, match="before ready"):
            await rig.login.ask(Qr("2@b"))


@pytest.mark.parametrize("expires", [0.0, -1.0, float("inf"), float("nan")])
async def test_an_impossible_time_is_refused(run_dir: Path, expires: float) -> None:
    async with logins(run_dir) as rig:
        with pytest.raises(ValueError, match="more than 0"):
            await rig.login.ask(Qr("2@a"), expires)
        with pytest.raises(TypeError, match="not str"):
            await rig.login.ask("2@a")  # type: ignore[arg-type]
        assert rig.learned == []
