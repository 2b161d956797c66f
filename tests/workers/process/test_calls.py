"""Calls of the gateway: each answered once, and each key sent once."""

from __future__ import annotations

import asyncio
import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from ipc.frames import control
from ipc.frames.data import Call
from tests.support.controllable_channel import ControllablePlugin, said
from tests.support.worker_rig import CONTROLLABLE, worker_rig
from workers.errors import ChannelError, LoggedOut, MaybeSent, NeedsLogin, SendFailed, Transient
from workers.messages import Action, Outbound, Sent
from workers.process.calls import PluginCalls, PluginHooks

HI = {"to": "room", "text": "hi", "key": "k1"}
MESSAGE = Outbound(to="room", text="hi", key="k1")


def failing(error: BaseException) -> Any:
    async def send(message: Outbound) -> Sent:
        raise error

    return send


async def test_a_send_is_answered_and_reported_as_an_event(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        sent = await rig.gateway.result("send", HI)
        assert sent == {"id": "m1", "chat": "room", "ts": 1}
        assert plugin.sent == [MESSAGE]
        await rig.gateway.heard(1)
        event = json.loads(rig.gateway.accepted[0].payload)
        assert (event["direction"], event["cursor"]) == ("out", "7:1")
        assert event["message"] == {"id": "m1", "to": "room", "text": "hi", "ts": 1, "key": "k1"}
        assert rig.gateway.accepted[0].flags == 0


async def test_the_same_key_is_sent_once_even_over_a_gateway_restart(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        first = await rig.gateway.result("send", HI)
        gateway = rig.restart_gateway()
        await gateway.until(lambda: gateway.hellos)
        assert await gateway.result("send", HI) == first
        assert len(plugin.sent) == 1


async def test_the_same_key_in_flight_shares_the_result(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        gate = asyncio.Event()

        async def slowly(message: Outbound) -> Sent:
            await gate.wait()
            return Sent(id="slow", chat=message.to, ts=1)

        plugin.on_send = slowly
        asked = [rig.gateway.ask("send", HI) for _ in range(3)]
        await rig.gateway.call("probe", {})
        gate.set()
        await rig.gateway.until(lambda: set(asked) <= rig.gateway.answers.keys())
        assert {rig.gateway.answers[each].payload for each in asked} == {
            b'{"id":"slow","chat":"room","ts":1}'
        }
        assert len(plugin.sent) == 1


async def test_calls_run_beside_each_other_up_to_a_bound(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        gate = asyncio.Event()

        async def slowly(message: Outbound) -> Sent:
            await gate.wait()
            return Sent(id=message.key, chat=message.to, ts=1)

        plugin.on_send = slowly
        asked = [rig.gateway.ask("send", {**HI, "key": f"k{n}"}) for n in range(65)]
        refused = await rig.gateway.until(lambda: rig.gateway.answers.get(asked[64]))
        assert refused is not None
        error = json.loads(refused.payload)
        assert (error["code"], error["retryable"]) == ("UNAVAILABLE", True)
        assert "64 calls" in error["message"]
        gate.set()
        await rig.gateway.until(lambda: len(rig.gateway.answers) == 65)
        assert sum(each.ok for each in rig.gateway.answers.values()) == 64


async def test_an_answer_for_a_gateway_that_has_ended_is_dropped(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(beat=0.02)
        plugin = await rig.up()
        gate = asyncio.Event()

        async def slowly(message: Outbound) -> Sent:
            await gate.wait()
            return Sent(id="slow", chat=message.to, ts=1)

        plugin.on_send = slowly
        rig.gateway.ask("send", HI)
        await rig.gateway.call("probe", {})
        gateway = rig.restart_gateway()
        await gateway.until(lambda: gateway.hellos)
        assert await gateway.result("probe", {}) == {"ok": True}
        gate.set()
        await gateway.heard(1)  # that it was sent is told all the same
        assert await gateway.result("probe", {}) == {"ok": True}
        assert set(gateway.answers) == {1, 2}
        beats = rig.supervisor.frames
        reason = {"late answers": 1}
        await rig.supervisor.until(lambda: getattr(beats[-1], "dropped", None) == reason)


async def test_probe_and_logout_reach_the_plugin(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        assert await rig.gateway.result("probe", {}) == {"ok": True}
        plugin.health = 1
        assert await rig.gateway.result("probe", {}) == {"ok": True}
        plugin.login = False
        assert await rig.gateway.result("logout", {}) == {"loggedOut": False}
        plugin.login = True
        assert await rig.gateway.result("logout", {}) == {"loggedOut": True}
        assert await rig.code() == 0
        assert rig.said == [("logged_out", "logged out on request")]


ABLE = CONTROLLABLE.replace(":manifest", ":able")


@pytest.mark.parametrize(
    ("name", "returned", "result"),
    [
        ("edit", None, {}),
        ("edit", {"messageId": "m2"}, {"messageId": "m2"}),
        ("history", [said("hi")], {"messages": [msgspec.to_builtins(said("hi"))]}),
        ("history", [], {"messages": []}),
        ("history", None, {}),
    ],
)
async def test_an_action_is_a_method_of_the_plugin(
    run_dir: Path, name: str, returned: object, result: object
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(ABLE)
        plugin = await rig.up()
        asked: list[Action] = []

        async def on_action(action: Action) -> object:
            asked.append(action)
            return returned

        plugin.on_action = on_action
        params = {"name": name, "key": "k", "chat": "room", "before": "m9", "limit": 10}
        assert await rig.gateway.result("action", params) == result
        assert asked == [Action(name, "k", "room", before="m9", limit=10)]


@pytest.mark.parametrize("manifest", [CONTROLLABLE, ABLE], ids=["not promised", "no method"])
async def test_only_what_the_manifest_promises_is_an_action(run_dir: Path, manifest: str) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(manifest)
        await rig.up()
        name = "edit" if manifest == CONTROLLABLE else "send"
        error = await rig.gateway.error("action", {"name": name, "key": "k"})
        assert error["message"] == f"the channel has no {name}"


@pytest.mark.parametrize(
    ("method", "params", "text"),
    [
        ("dance", {}, "unknown method: dance"),
        ("run", {}, "unknown method: run"),
        ("send", {}, "missing required field `to`"),
        ("send", {"to": "", "text": "x", "key": "k"}, "$.to"),
        ("send", {"to": "x", "text": 5, "key": "k"}, "$.text"),
        ("send", {"to": "x", "text": "y", "key": "k" * 600}, "$.key"),
        ("send", [], "Expected `object`"),
    ],
)
async def test_a_wrong_call_says_what_is_wrong(
    run_dir: Path, method: str, params: object, text: str
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        await rig.up()
        error = await rig.gateway.error(method, params)
        assert error["code"] == "INVALID_REQUEST"
        assert text in error["message"]


async def test_a_channel_without_probe_says_so(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start("tests.support.faulty:manifest", key="faulty:x")
        await rig.gateway.until(lambda: rig.gateway.hellos)
        await rig.supervisor.until(lambda: rig.supervisor.status().get("connected"))
        error = await rig.gateway.error("probe", {})
        assert error == {"code": "INVALID_REQUEST", "message": "the channel has no probe"} | {
            "retryable": False
        }


@pytest.mark.parametrize(
    ("error", "text", "retryable"),
    [
        (SendFailed("no such room"), "no such room", False),
        (SendFailed("try later", retryable=True), "try later", True),
        (ValueError("a bug"), "ValueError: a bug", False),
    ],
)
async def test_a_send_that_fails_is_answered_and_the_account_lives(
    run_dir: Path, error: Exception, text: str, retryable: bool
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        plugin.on_send = failing(error)
        answer = await rig.gateway.error("send", HI)
        assert answer == {"code": "UNAVAILABLE", "message": text, "retryable": retryable}
        plugin.on_send = None
        assert (await rig.gateway.result("send", HI))["id"] == "m2"


UNKNOWN = {"retryable": False, "details": {"maybeExecuted": True}}
PASSES = {"retryable": True, "details": {"reason": "unavailable"}}
BOTH = ExceptionGroup("tasks", [ConnectionRefusedError("refused"), ConnectionResetError("cut")])


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (MaybeSent("cut"), UNKNOWN),
        (TimeoutError("the platform's"), UNKNOWN),
        (ConnectionResetError("cut"), UNKNOWN),
        (BOTH, UNKNOWN),
        (ConnectionRefusedError("refused"), PASSES),
        (SendFailed("blocked", reason="blocked"), {"details": {"reason": "blocked"}}),
        (
            SendFailed("slow down", reason="rate_limited", retry_after=7200.5, scope="account"),
            {
                "retryable": True,
                "retryAfterMs": 7_200_500,
                "details": {"reason": "rate_limited", "scope": "account"},
            },
        ),
        (SendFailed("never", retry_after=math.inf), {"retryAfterMs": 10**12}),
        (ExceptionGroup("tasks", [SendFailed("no", reason="invalid")]), {"message": "no"}),
        (ExceptionGroup("tasks", [KeyError("bug"), OSError("cut")]), {"retryable": False}),
    ],
)
async def test_a_refusal_says_what_became_of_the_message_and_what_may_be_done(
    run_dir: Path, error: Exception, answer: dict[str, Any]
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        plugin.on_send = failing(error)
        refusal = await rig.gateway.error("send", HI)
        assert {name: refusal.get(name) for name in answer} == answer


@pytest.mark.parametrize(
    ("error", "traceback"),
    [(ConnectionResetError("cut"), False), (ExceptionGroup("x", [KeyError("bug")]), True)],
)
async def test_only_a_mistake_is_logged_with_its_traceback(
    run_dir: Path, capsys: pytest.CaptureFixture[str], error: Exception, traceback: bool
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        plugin.on_send = failing(error)
        await rig.gateway.error("send", HI)
    logged = capsys.readouterr().err
    assert "a call failed" in logged
    assert ("Traceback" in logged) is traceback


async def test_a_probe_that_finds_no_network_may_be_repeated(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        plugin.on_probe = failing(ConnectionResetError("cut"))
        refusal = await rig.gateway.error("probe", {})
        assert (refusal["retryable"], refusal["details"]) == (True, {"reason": "unavailable"})


async def test_the_plugin_explains_what_its_send_raised(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanings = {
        403: SendFailed("blocked by the user", reason="blocked"),
        401: NeedsLogin("revoked"),
    }

    def explain(error: BaseException) -> ChannelError | None:
        return meanings.get(error.args[0]) if isinstance(error, ValueError) else None

    monkeypatch.setattr(ControllablePlugin, "explain", staticmethod(explain), raising=False)
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        plugin.on_send = failing(ExceptionGroup("tasks", [ValueError(403)]))
        refusal = await rig.gateway.error("send", HI)
        assert refusal["message"] == "blocked by the user"
        assert refusal["details"] == {"reason": "blocked"}
        plugin.on_send = failing(ValueError(401))
        await rig.gateway.error("send", {**HI, "key": "another"})
        assert await rig.code() == 77
        assert rig.said == [("needs_login", "revoked")]


@pytest.mark.parametrize(
    ("error", "code", "cause"),
    [
        (NeedsLogin("revoked"), 77, "needs_login"),
        (LoggedOut("gone"), 0, "logged_out"),
        (Transient("down"), 75, "transient"),
        (SystemExit(2), 1, "failed"),
    ],
)
async def test_a_send_that_finds_the_account_dead_ends_it(
    run_dir: Path, error: BaseException, code: int, cause: str
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        plugin.on_send = failing(error)
        answer = await rig.gateway.error("send", HI)
        assert answer["code"] == "UNAVAILABLE"
        assert await rig.code() == code
        assert rig.said[0][0] == cause


async def test_a_send_that_never_ends_is_given_up_and_gives_its_place_back(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.process.calls.TIME_LIMIT", 0.05)
    monkeypatch.setattr("workers.process.calls.MAX_RUNNING", 1)
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        ended = asyncio.Event()

        async def hang(message: Outbound) -> Any:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        plugin.on_send = hang
        answer = await rig.gateway.error("send", HI)
        assert "no result within 0.05 s; it may have been executed" in answer["message"]
        await ended.wait()
        plugin.on_send = None
        assert (await rig.gateway.result("send", HI | {"key": "k2"}))["id"] == "m2"


async def test_each_call_is_given_up_at_its_own_time(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.process.calls.TIME_LIMIT", 0.1)
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        loop = asyncio.get_running_loop()
        lasted: dict[str, float] = {}
        later = asyncio.Event()

        async def hang(message: Outbound) -> Any:
            began = loop.time()
            loop.call_later(0.05, later.set)
            try:
                await asyncio.Event().wait()
            finally:
                lasted[message.key] = loop.time() - began

        plugin.on_send = hang
        first = rig.gateway.ask("send", HI)
        await later.wait()
        second = rig.gateway.ask("send", HI | {"key": "k2"})
        await rig.gateway.until(lambda: {first, second} <= rig.gateway.answers.keys())
        assert list(lasted) == ["k1", "k2"]
        assert all(seconds >= 0.09 for seconds in lasted.values())


async def test_a_call_is_answered_when_a_fault_of_ours_ends_the_worker(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = asyncio.Event()

    async def beating(*args: object) -> None:
        await broken.wait()
        raise OSError("a fault of ours")

    monkeypatch.setattr("workers.process.worker.WorkerControlLink.send_beats", beating)
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        begun, ended = asyncio.Event(), asyncio.Event()

        async def hang(message: Outbound) -> Any:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        plugin.on_send = hang
        rig.gateway.ask("send", HI)
        await begun.wait()
        broken.set()
        assert rig.task is not None
        assert await rig.code() == 1
        assert ended.is_set()


async def test_an_answer_that_cannot_be_given_ends_the_account() -> None:
    failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    def broken(id: int, gateway: str, ok: bool, payload: bytes) -> None:
        raise RuntimeError("a fault of ours")

    async def told(message: Outbound, sent: Sent) -> None:
        raise AssertionError(message)

    calls = PluginCalls(
        reply=broken,
        sent=told,
        fail=failed.set_result,
        answer_http=lambda answer, gateway: None,
        log=structlog.get_logger(),
    )
    calls.begin(PluginHooks(object()))
    calls.on_call(Call(1, "probe", b"{}"), "gateway")
    assert str(await failed) == "a fault of ours"
    await calls.finish()
    await calls.cancel(0.0)


async def test_a_send_that_returns_nonsense_is_a_bug_of_the_plugin(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()

        async def nonsense(message: Outbound) -> Any:
            return "sent!"

        plugin.on_send = nonsense
        answer = await rig.gateway.error("send", HI)
        assert "returned str instead of Sent" in answer["message"]


async def test_a_platform_without_ids_gets_one_from_the_worker(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()

        async def nameless(message: Outbound) -> Sent:
            return Sent(id="", chat=message.to, ts=0)

        plugin.on_send = nameless
        one = await rig.gateway.result("send", HI)
        two = await rig.gateway.result("send", {**HI, "key": "k2"})
        assert one["id"] != two["id"]
        assert one["ts"] > 1_700_000_000_000


async def test_calls_before_the_plugin_is_there_and_after_the_stop_are_refused(
    run_dir: Path,
) -> None:
    async with worker_rig(run_dir) as rig:
        gate = asyncio.Event()
        rig.start(config={"password": {"source": "exec", "id": "sleep 0.2"}})
        await rig.gateway.until(lambda: rig.gateway.hellos)
        early = await rig.gateway.error("send", HI)
        assert (early["message"], early["retryable"]) == ("the account is starting", True)
        assert await rig.code() == 78  # an empty secret

    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()

        stopped = asyncio.Event()

        async def linger() -> None:
            stopped.set()
            await gate.wait()

        plugin.on_stop = linger
        stopping = asyncio.create_task(rig.stop())
        await stopped.wait()
        late = await rig.gateway.error("send", HI)
        assert (late["message"], late["retryable"]) == ("the account is stopping", True)
        gate.set()
        assert await stopping == 0


async def test_a_call_that_runs_when_the_account_stops_is_answered(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()

        async def never(message: Outbound) -> Sent:
            await asyncio.Event().wait()
            raise AssertionError

        plugin.on_send = never
        asked = rig.gateway.ask("send", HI)
        await rig.gateway.call("probe", {})
        assert await rig.stop() == 0
        answer = await rig.gateway.until(lambda: rig.gateway.answers.get(asked))
        assert answer is not None
        refusal = json.loads(answer.payload)
        assert refusal["message"] == "the account is stopping; it may have been executed"
        assert (refusal["retryable"], refusal["details"]) == (False, {"maybeExecuted": True})


async def test_a_message_whose_fate_is_unknown_is_neither_sent_nor_to_be_sent_again(
    run_dir: Path,
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()

        async def cut(message: Outbound) -> Sent:
            raise MaybeSent("connection lost")

        plugin.on_send = cut
        answer = await rig.gateway.call("send", HI)
        refusal = json.loads(answer.payload)
        assert (answer.ok, refusal["message"]) == (False, "connection lost")
        assert (refusal["retryable"], refusal["details"]) == (False, {"maybeExecuted": True})


async def test_draining_refuses_new_calls_finishes_those_that_run_and_says_so(
    run_dir: Path,
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        gate = asyncio.Event()

        async def slowly(message: Outbound) -> Sent:
            await gate.wait()
            return Sent(id="slow", chat=message.to, ts=1)

        plugin.on_send = slowly
        asked = rig.gateway.ask("send", HI)
        await rig.gateway.call("probe", {})
        rig.supervisor.send_raw(control.encode([control.Drain()]))
        error: dict[str, Any] = {}
        while not error:  # two links: the drain may arrive after the first of these
            late = rig.gateway.ask("probe", {})
            await rig.gateway.until(partial(rig.gateway.answers.get, late))
            answer = rig.gateway.answers[late]
            error = {} if answer.ok else json.loads(answer.payload)
        assert (error["message"], error["retryable"]) == ("the account is stopping", True)
        assert not rig.supervisor.of(control.Drained)
        gate.set()
        await rig.supervisor.until(lambda: rig.supervisor.of(control.Drained))
        assert rig.gateway.answers[asked].ok
        rig.supervisor.send_raw(control.encode([control.Drain()]))  # the answer was lost
        await rig.supervisor.until(lambda: len(rig.supervisor.of(control.Drained)) == 2)
