"""One account's life: it loads, becomes ready, and every way to end has its code and words."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.frames import control
from tests.support.controllable_channel import ControllablePlugin
from tests.support.until import PATIENCE, until
from tests.support.worker_rig import TOKEN, WorkerRig, worker_rig
from workers.errors import ChannelError, LoggedOut, Misconfigured, NeedsLogin, Transient
from workers.process.credentials import FILE
from workers.process.logging import Redaction, log_to_stderr
from workers.process.worker import Worker

FAULTY = "tests.support.faulty:manifest"
RECHECK = control.encode([control.Recheck()])


async def ended(run_dir: Path, manifest: str, **changes: Any) -> tuple[int, list[tuple[str, str]]]:
    """Run a worker to its own end; return its code and what it said."""
    async with worker_rig(run_dir) as rig:
        rig.start(manifest, **changes)
        return await rig.code(), rig.said


async def test_it_greets_the_gateway_with_its_proof(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        await rig.up()
        hello = rig.gateway.hellos[0]
        assert (hello.key, hello.incarnation, hello.token) == ("controllable:one", 7, TOKEN)
        assert hello.oldest == 1


async def test_a_malformed_frame_hurts_nothing(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(beat=0.02)
        plugin = await rig.up()
        rig.supervisor.send_raw(b"\xc1")
        await plugin.say("first")
        await rig.gateway.heard(1)
        rig.gateway.send_raw(b"\xff\xff")
        await plugin.say("second")
        assert await rig.gateway.heard(2) == ["first", "second"]
        rig.supervisor.ping(1)
        await rig.supervisor.until(lambda: control.Pong(1) in rig.supervisor.frames)
        reason = {"malformed frames": 1}
        await rig.supervisor.until(lambda: rig.supervisor.of(control.Beat)[-1].dropped == reason)


async def test_sigterm_stops_it_cleanly(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        assert await rig.stop() == 0
        assert plugin.cancelled
        assert rig.said == []


async def test_a_second_sigterm_changes_nothing(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        asked = asyncio.Event()

        async def farewell() -> None:
            asked.set()
            await plugin.say("bye")

        plugin.on_stop = farewell
        signal.raise_signal(signal.SIGTERM)
        await asked.wait()
        assert await rig.stop() == 0
        assert rig.gateway.texts() == ["bye"]


async def test_it_waits_for_acknowledgements_when_stopped(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        rig.gateway.acking = False
        await plugin.say("last words")
        await rig.gateway.heard(1)
        signal.raise_signal(signal.SIGTERM)
        rig.supervisor.ping(1)  # it lives on
        await rig.supervisor.until(lambda: control.Pong(1) in rig.supervisor.frames)
        assert rig.task is not None
        assert not rig.task.done()
        rig.gateway.acknowledge()
        assert await rig.code() == 0
        told = rig.supervisor

        def figures() -> tuple[int, int]:
            last = told.of(control.Beat)[-1]
            return last.emitted, last.acked

        await told.until(lambda: figures() == (1, 1))


async def test_a_stop_does_not_wait_beyond_its_time(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(stop_within=0.2)
        plugin = await rig.up()
        rig.gateway.acking = False
        await plugin.say("unheard")
        assert await rig.stop() == 0
        await rig.supervisor.until(
            lambda: any(beat.emitted - beat.acked == 1 for beat in rig.supervisor.of(control.Beat))
        )


async def test_a_worker_that_can_beat_no_more_ends_and_says_so(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(beat=0.01)
        await rig.up()

        def fails() -> int:
            raise OSError("no /proc")

        monkeypatch.setattr("workers.process.resources.rss_bytes", fails)
        assert await rig.code() == 1
        assert rig.said == [("failed", "sending beats has ended (OSError('no /proc'))")]


async def test_sigterm_while_loading_stops_it(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(config={"password": {"source": "exec", "id": "cat " + str(run_dir / "fifo")}})
        os.mkfifo(run_dir / "fifo")
        await rig.supervisor.until(lambda: rig.supervisor.of(control.ControlHello))
        signal.raise_signal(signal.SIGTERM)
        with open(run_dir / "fifo", "w") as fifo:  # noqa: ASYNC230 - `cat` is there to read
            fifo.write("secret")
        assert await rig.code() == 0


@pytest.mark.parametrize(
    ("fault", "code", "cause", "text"),
    [
        ("return", 1, "returned", "run returned"),
        ("raise", 1, "failed", "ValueError: the plugin is broken"),
        ("callback", 1, "failed", "ValueError: the plugin is broken"),
        ("finished", 0, "finished", "all is said"),
        ("logged-out", 0, "logged_out", "the session was ended elsewhere"),
        ("needs-login", 77, "needs_login", "the token was revoked"),
        ("misconfigured", 78, "misconfigured", "there is no such server"),
        ("transient", 75, "transient", "the platform is down"),
        ("list", 1, "failed", "TypeError: emit takes Inbound and Happened, not list"),
        ("huge", 1, "failed", "ValueError: a message of 262264 bytes is too large"),
    ],
)
async def test_each_ending_has_its_code_and_words(
    run_dir: Path, fault: str, code: int, cause: str, text: str
) -> None:
    ending = await ended(run_dir, FAULTY, key="faulty:x", config={"fault": fault})
    assert ending == (code, [(cause, text)])


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (LoggedOut("ended elsewhere"), False),
        (NeedsLogin("revoked", final=True), False),
        (NeedsLogin("refused, for a minute perhaps"), True),
        (Misconfigured("two fields contradict each other", final=True), True),
        (Transient("the platform is down"), True),
    ],
)
async def test_the_credentials_go_with_what_says_that_they_are_void(
    run_dir: Path, error: ChannelError, kept: bool
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        await plugin.ctx.save_credentials({"session": "abc"})
        file = plugin.ctx.storage / FILE
        assert file.exists()
        plugin.end.set_exception(error)
        await rig.code()
        assert file.exists() == kept


async def test_what_was_emitted_before_a_failure_still_arrives(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        await plugin.say("before", "the", "crash")
        plugin.end.set_exception(ValueError("crash"))
        assert await rig.code() == 1
        assert rig.gateway.texts() == ["before", "the", "crash"]
        assert rig.said == [("failed", "ValueError: crash")]


async def test_a_group_of_errors_means_its_gravest(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        plugin.end.set_exception(ExceptionGroup("tasks", [ValueError("x"), NeedsLogin("gone")]))
        assert await rig.code() == 77
        assert rig.said == [("needs_login", "gone")]


async def test_what_the_network_does_is_one_line_and_passes_by_itself(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        plugin.end.set_exception(ExceptionGroup("tasks", [ConnectionResetError(104, "reset")]))
        assert await rig.code() == 75
        assert rig.said == [("transient", "reset")]
    logged = capsys.readouterr().err
    assert "Traceback" not in logged
    assert logged.count("reset") == 1


async def test_a_time_that_the_platform_asks_for_is_reported(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        plugin.end.set_exception(Transient("flood wait", retry_after=10_000))
        assert await rig.code() == 75
        assert rig.said == [("transient", "flood wait")]
        assert rig.retry_after == 10_000


async def test_the_plugin_explains_its_own_errors(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explain(error: BaseException) -> ChannelError | None:
        return NeedsLogin("token revoked", final=True) if isinstance(error, KeyError) else None

    monkeypatch.setattr(ControllablePlugin, "explain", staticmethod(explain), raising=False)
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        plugin.end.set_exception(ExceptionGroup("tasks", [TimeoutError(), KeyError(401)]))
        assert await rig.code() == 77
        assert (rig.said, rig.final) == ([("needs_login", "token revoked")], True)


async def test_a_network_error_in_a_callback_ends_it_without_a_traceback(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        await rig.up()

        def callback() -> None:
            raise BrokenPipeError(32, "broken pipe")

        asyncio.get_running_loop().call_soon(callback)
        assert await rig.code() == 75
    assert "Traceback" not in capsys.readouterr().err


async def test_a_run_that_cancels_itself_has_failed(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        plugin.end.cancel()
        assert await rig.code() == 1
        assert rig.said == [("failed", "the plugin cancelled its own run")]


async def test_sys_exit_in_a_plugin_is_a_failure_not_an_end(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        plugin.end.set_exception(SystemExit(0))
        assert await rig.code() == 1
        assert rig.said == [("failed", "SystemExit: 0")]


async def test_a_forgotten_task_is_logged_and_nothing_else(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        await rig.up()
        loop = asyncio.get_running_loop()
        loop.call_exception_handler(
            {"message": "Task exception was never retrieved", "exception": ValueError("lost")}
        )
        rig.supervisor.ping(1)
        await rig.supervisor.until(lambda: control.Pong(1) in rig.supervisor.frames)
        assert await rig.stop() == 0
    assert "ValueError: lost" in capsys.readouterr().err


async def test_an_error_while_stopping_does_not_change_the_ending(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()

        async def stumble() -> None:
            raise ValueError("stumbled")

        plugin.on_stop = stumble
        assert await rig.stop() == 0
        assert rig.said == []
    assert "stumbled" in capsys.readouterr().err


async def test_a_secret_arrives_resolved_and_is_hidden_everywhere(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("THE_PASSWORD", "hunter22")
    async with worker_rig(run_dir) as rig:
        rig.start(config={"password": {"source": "env", "id": "THE_PASSWORD"}})
        plugin = await rig.up()
        assert plugin.ctx.config.password == "hunter22"
        plugin.ctx.log.info("logging in", url="https://x/?p=hunter22")
        plugin.ctx.status(detail="hunter22 is wrong")
        await rig.supervisor.until(lambda: "detail" in rig.supervisor.status())
        assert rig.supervisor.status()["detail"] == "*** is wrong"
        plugin.end.set_exception(ValueError("hunter22 refused"))
        assert await rig.code() == 1
        assert rig.said == [("failed", "ValueError: *** refused")]
    errors = capsys.readouterr().err
    assert "https://x/?p=***" in errors
    assert "hunter22" not in errors


async def test_activity_is_told_with_the_beat(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(beat=0.02)
        plugin = await rig.up()
        await plugin.say("hi")
        await rig.gateway.result("send", {"to": "room", "text": "yo", "key": "k"})
        await rig.supervisor.until(
            lambda: {"lastInboundAt", "lastOutboundAt"} <= rig.supervisor.status().keys()
        )
        beat = rig.supervisor.of(control.Beat)[-1]
        assert (beat.messages_in, beat.messages_out) == (1, 1)


async def test_a_plugin_that_will_not_stop_is_left_behind(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        left: list[int] = []
        let_go = asyncio.Event()

        def leave(code: int) -> None:
            left.append(code)
            let_go.set()

        with log_to_stderr(Redaction()) as log:
            worker = Worker(rig.boot(stop_within=0.1), _say, log, Redaction(), leave=leave)
            running = asyncio.create_task(worker.run())
            plugin = await rig.up()
            stubborn = asyncio.Event()
            plugin.on_stop = _until(stubborn)
            worker.stop()
            async with asyncio.timeout(PATIENCE):
                await let_go.wait()
            assert left == [0]
            stubborn.set()
            assert await running == 0


def _say(cause: str, text: str, final: bool, retry_after: float | None) -> None:
    raise AssertionError(f"{cause}: {text}")


def _until(event: asyncio.Event) -> Any:
    async def wait() -> None:
        await event.wait()

    return wait


def kept_in(path: Path, secret: str) -> dict[str, Any]:
    path.write_text(secret)
    path.chmod(0o600)
    return {"password": {"source": "file", "id": str(path)}}


async def rechecked(rig: WorkerRig) -> control.Rechecked:
    rig.supervisor.frames.clear()
    rig.supervisor.send_raw(RECHECK)
    (answer,) = await rig.supervisor.until(lambda: rig.supervisor.of(control.Rechecked))
    return answer


async def test_only_another_secret_is_a_change(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        config = kept_in(run_dir / "secret", "the-first-one")
        rig.start(config=config)
        await rig.up()
        assert await rechecked(rig) == control.Rechecked(False)
        kept_in(run_dir / "secret", "the-first-one")
        assert await rechecked(rig) == control.Rechecked(False)
        kept_in(run_dir / "secret", "the-second-one")
        for _ in range(2):  # until it is replaced, it says so each time
            answer = await rechecked(rig)
            assert answer.changed
            assert b"second" not in msgspec.msgpack.encode(answer)
        assert await rig.stop() == 0


async def test_a_secret_that_cannot_be_read_changes_nothing(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(config=kept_in(run_dir / "secret", "the-first-one"))
        await rig.up()
        (run_dir / "secret").unlink()
        answer = await rechecked(rig)
        assert not answer.changed
        assert "password: the secret file:" in answer.problem
        assert await rig.stop() == 0


async def test_it_ends_while_it_still_rechecks_its_secrets(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        held = run_dir / "held"  # from now on the command waits until it is written to
        begun = run_dir / "begun"
        command = f"sh -c 'test -p {held} && touch {begun} && cat {held}; echo secret'"
        rig.start(config={"password": {"source": "exec", "id": command}})
        await rig.up()
        os.mkfifo(held)
        writer = os.open(held, os.O_RDWR)
        rig.supervisor.send_raw(RECHECK)
        rig.supervisor.send_raw(RECHECK)  # while the first is under way: one answer for both
        await until(begun.exists)
        assert await rig.stop() == 0
        assert not rig.supervisor.of(control.Rechecked)
        held.unlink()
        os.close(writer)  # a command that is still there goes on
