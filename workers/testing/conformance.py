"""Tests what every channel must do: a test class that authors of channels subclass.

    class TestPigeon(ChannelConformance):
        channel = ChannelUnderTest("trunkline_pigeon:manifest", PigeonFake)

What a channel or its network does not have it declares in ``cannot``, with the reason. Then the
test checks what is still promised, or is skipped with that reason.
"""

from __future__ import annotations

from typing import Any, ClassVar, get_args

import pytest

from workers.media.abilities import METHODS, PARTS
from workers.plugin import Manifest
from workers.process.loading import import_object, without_method
from workers.testing.account import RunningAccount
from workers.testing.daemon import GRACE
from workers.testing.fake import ChannelUnderTest
from workers.testing.faults import FaultKind
from workers.testing.loop_thread import wait_until
from workers.text.units import length

# The words of ``cannot``, beside the kinds of faults that the fake does not have.
CANNOT = {
    "replay": "a worker that was killed cannot be given again what it had not handed on: then only"
    " that nothing comes twice and that it works again is tested",
    "login": "there are no credentials, so none can be wrong",
    "offline": "it hears nothing while the gateway is down: its platform comes in through that",
}
MAX_OUTAGE_LINES = 20  # of the log, over an outage
LONG = 5000  # characters of a text where the platform has no limit
RTL = "\u0645\u0631\u062d\u0628\u0627 "  # five Arabic letters and a space


class ChannelConformance:
    """The tests. A subclass sets ``channel``; ``half_open_within`` is in seconds."""

    channel: ClassVar[ChannelUnderTest]
    half_open_within: ClassVar[float] = 90.0

    @property
    def manifest(self) -> Manifest:
        """The manifest of the channel."""
        manifest = import_object(self.channel.manifest)
        assert isinstance(manifest, Manifest), f"{self.channel.manifest} is no Manifest"
        return manifest

    def needs(self, word: str) -> None:
        """Skip a test whose subject the channel declares that it does not have."""
        if word in self.channel.cannot:
            pytest.skip(f"declared: no {word}: {self.channel.cannot[word]}")

    def test_what_it_cannot_do_is_declared(self) -> None:
        """Every fault that the fake lacks is declared, and nothing that is not so."""
        cannot, faults = self.channel.cannot, self.channel.fake().faults
        known = {*CANNOT, *get_args(FaultKind)}
        assert set(cannot) <= known, f"cannot: unknown words {sorted(set(cannot) - known)}"
        assert all(cannot.values()), "cannot: each word needs its reason"
        missing = set(get_args(FaultKind)) - faults - set(cannot)
        assert not missing, f"the fake has no {sorted(missing)}: let it, or say in cannot why not"
        double = faults & set(cannot)
        assert not double, f"cannot: the fake has {sorted(double)}"
        if "replay" in cannot:
            assert not self.manifest.cursor, "cannot: replay, but the manifest says cursor=True"
        if "offline" in cannot:
            assert "http" in self.manifest.can, "cannot: offline, but it takes no HTTP requests"
        if "login" in cannot:
            assert not self.manifest.secrets, "cannot: login, but the manifest has secrets"

    def test_every_word_of_can_has_its_method(self) -> None:
        """The plugin has a method for each promise of the manifest."""
        plugin = import_object(self.manifest.plugin)
        missing = without_method(plugin, self.manifest.can)
        assert not missing, f"{self.manifest.plugin} has no method for {missing}"

    def test_messages_go_in_and_out(self, account: RunningAccount) -> None:
        """A person's message is heard once, and a sent one is seen once."""
        account.say("good morning")
        assert account.settled() == ["good morning"]
        sent = account.send("good evening")
        assert sent.ok, sent.error
        assert account.shown(1) == ["good evening"]
        ids = [message.id for message in account.heard()]
        assert len(ids) == len(set(ids)), f"ids of messages are not unique: {ids}"

    def test_every_word_of_can_is_carried_out(self, account: RunningAccount) -> None:
        """Each action succeeds, or is refused with a word that says why."""
        before = set(account.log)  # an earlier test of the module may have a traceback of its own
        sent = account.send("to be changed")
        assert sent.ok, sent.error
        message: dict[str, Any] = {"to": account.fake.to, "messageId": sent.id}
        actions: dict[str, dict[str, Any]] = {
            "edit": {**message, "message": "changed"},
            "react": {**message, "emoji": "\N{THUMBS UP SIGN}"},
            "read": message,
            "typing": {"to": account.fake.to},
            "history": {"to": account.fake.to, "limit": 10},
            "members": {"to": account.fake.to, "limit": 10},
            "chat": {"to": account.fake.to},
            "delete": message,
        }
        for word in [name for name in actions if name in self.manifest.can & METHODS]:
            done = account.act(word, **actions[word])
            assert done.ok or done.reason, f"{word}: refused without a reason: {done.error}"
        extra: dict[str, dict[str, Any]] = {
            "buttons": {"buttons": [[{"text": "Yes", "data": "y"}]]},
            "poll": {"poll": {"question": "Tea?", "options": ["Yes", "No"]}},
        }
        for word in [name for name in extra if name in self.manifest.can & PARTS]:
            done = account.send("choose", **extra[word])
            assert done.ok or done.reason, f"{word}: refused without a reason: {done.error}"
        lines = [line for line in account.log if line not in before]
        assert not _tracebacks(lines), "a traceback is logged:\n" + "\n".join(lines)

    @pytest.mark.parametrize("point", ["before", "after", "durable"])
    def test_a_kill_around_an_emit_loses_and_doubles_nothing(
        self, account: RunningAccount, point: Any
    ) -> None:
        """The worker is killed at three emits, before, after, and when it was durable."""
        said = [f"{point} {number}" for number in range(3)]
        for text in said:
            account.kill_at(point)
            account.say(text)
            account.killed()
        self.expect(account.settled(), said, certain=said if point == "durable" else ())

    def test_a_kill_while_the_gateway_is_down_loses_and_doubles_nothing(
        self, account: RunningAccount
    ) -> None:
        """The worker has emitted what no gateway has stored, and is killed."""
        self.needs("offline")
        said = [f"unstored {number}" for number in range(3)]
        account.gateway.down()
        account.kill_at("after")
        for text in said:
            account.say(text)
        account.killed(up=False)
        account.gateway.up()
        account.up()
        self.expect(account.settled(), said)

    def test_a_restart_of_the_gateway_loses_and_doubles_nothing(
        self, account: RunningAccount
    ) -> None:
        """The gateway is stopped and started, then killed, while people speak."""
        said = [f"between gateways {number}" for number in range(6)]
        account.gateway.down()
        for text in said[:3]:
            account.say(text)
        account.gateway.up()
        account.heard(3)
        for text in said[3:]:
            account.say(text)
        account.gateway.kill()
        heard = account.settled()
        assert heard == said, f"said: {said}; heard: {heard}; told of gaps: {account.gaps}"

    def test_what_is_delivered_twice_is_heard_once(self, account: RunningAccount) -> None:
        """The platform delivers a message again, under the same id."""
        self.needs("duplicate")
        account.fail("duplicate", times=1)
        account.say("twice")
        assert account.settled() == ["twice"]

    def test_wrong_credentials_need_a_login(self, account: RunningAccount) -> None:
        """Refused credentials are the cause ``needs_login``, not a crash."""
        self.needs("login")
        self.needs("unauthorized")
        account.fail("unauthorized")
        account.restart()
        account.until(_needs_login, "the account needs a login after its credentials were refused")
        self.expect_no_secret(account)
        account.heal()
        account.start()
        account.say("back")
        assert account.settled() == ["back"]

    def test_an_outage_is_survived_quietly(self, account: RunningAccount) -> None:
        """After an outage that has met two tries the account works, in under 20 lines of log."""
        self.needs("outage")
        before, failures = len(account.log), account.row["failures"]
        account.fail("outage")
        wait_until(
            lambda: account.fake.turned_away >= 2 or account.row["failures"] >= failures + 2,
            "the account tries twice to reach the platform again",
        )
        account.heal()
        account.up()
        account.say("after the outage")
        assert account.settled() == ["after the outage"]
        lines = account.log[before:]
        assert len(lines) < MAX_OUTAGE_LINES, f"{len(lines)} lines of log: {lines}"
        assert not _tracebacks(lines), f"a traceback for an outage: {lines}"
        self.expect_no_secret(account)

    def test_a_limit_of_the_platform_is_kept_to(self, account: RunningAccount) -> None:
        """A message that met a rate limit is seen once, at once or when it is sent again."""
        self.needs("rate_limited")
        account.fail("rate_limited", times=1, seconds=1)
        first = account.send("patience", key="limited")
        if not first.ok:
            assert first.reason == "rate_limited", f"not refused as rate_limited: {first}"
            assert first.retryable, f"it may be tried again, but is not retryable: {first}"
            assert first.retry_after, f"the platform said when; the outcome does not: {first}"
            wait_until(
                lambda: account.send("patience", key="limited").ok, "the message is sent again"
            )
        assert account.shown(1) == ["patience"]
        self.expect_no_secret(account)

    def test_what_was_taken_without_an_answer_is_not_sent_twice(
        self, account: RunningAccount
    ) -> None:
        """The platform took the message and did not answer: it is seen once."""
        self.needs("unanswered")
        account.fail("unanswered", times=1)
        sent = account.send("perhaps")
        assert sent.ok or sent.maybe_sent, f"it may have arrived, and the outcome is {sent}"
        assert account.send("certainly").ok, "the next message is sent"
        assert account.shown(2) == ["perhaps", "certainly"]

    def test_a_slow_platform_is_waited_for(self, account: RunningAccount) -> None:
        """Answers that take a second are no failures."""
        self.needs("slow")
        restarts = account.row["restarts"]
        account.fail("slow", times=3, seconds=1)
        sent = account.send("slowly")
        assert sent.ok, sent.error
        assert account.shown(1) == ["slowly"]
        assert account.row["restarts"] == restarts, (
            f"slowness restarts the account: {account.log[-5:]}"
        )

    def test_another_user_of_the_login_is_named_and_outlived(self, account: RunningAccount) -> None:
        """A conflict is no reason to give up, and is shown."""
        self.needs("conflict")
        account.fail("conflict")
        account.until(
            lambda row: row["plugin"].get("lastError") or row["lastError"],
            "the status says that something else uses the login",
        )
        assert account.row["phase"] != "failed", f"a conflict ends the account: {account.row}"
        account.heal()
        account.up()
        account.say("alone again")
        assert account.settled() == ["alone again"]

    @pytest.mark.slow
    def test_a_half_open_connection_is_noticed(self, account: RunningAccount) -> None:
        """A connection on which nothing moves is given up within ``half_open_within``."""
        self.needs("half_open")
        restarts = account.row["restarts"]
        account.fail("half_open")
        account.until(
            lambda row: row["restarts"] > restarts or row["plugin"].get("connected") is False,
            "the account notices that its connection is dead",
            self.half_open_within,
        )
        account.heal()
        account.up()
        account.say("alive")
        assert account.settled() == ["alive"]

    @pytest.mark.parametrize("kind", ["ascii", "astral", "rtl"])
    def test_texts_around_the_limit_arrive_whole(self, account: RunningAccount, kind: str) -> None:
        """One unit below the limit, at it and one above: nothing is cut, no part is too long."""
        text, unit = self.manifest.text, self.manifest.text.unit
        around = [text.limit - 1, text.limit, text.limit + 1] if text.limit else [LONG]
        for size in around if kind == "ascii" else around[-1:]:
            self.expect_whole(account, _filled(kind, size, unit))

    def test_the_parts_of_a_long_text_come_in_order(self, account: RunningAccount) -> None:
        """A text of three times the limit is read as it was written."""
        count = 3 * (self.manifest.text.limit or LONG // 3) // 7
        words = [f"w{number:05}" for number in range(count)]
        sent = account.send(" ".join(words))
        assert sent.ok, sent.error
        wait_until(
            lambda: " ".join(account.shown()).split() == words,
            lambda: f"the words come in order; shown are {[part[:20] for part in account.shown()]}",
        )

    def test_no_secret_is_shown(self, account: RunningAccount) -> None:
        """Logs, status and errors hold none, also when something was refused."""
        text = repr([account.send("to nobody", to="nobody-at-all"), account.act("probe")])
        self.expect_no_secret(account, text)

    def test_a_stop_is_obeyed_within_the_grace(self, account: RunningAccount) -> None:
        """A stopped account ends by itself, and is killed by nobody."""
        seconds = account.stop()
        row = account.row
        assert row["phase"] == "stopped", f"it is {row['phase']}"
        assert seconds < GRACE, f"it took {seconds:.1f} s to stop"
        assert "SIGKILL" not in (row["lastExit"] or ""), f"it was killed: {row['lastExit']}"
        account.start()

    def test_a_blocked_loop_costs_a_restart_and_no_message(self, account: RunningAccount) -> None:
        """A worker whose loop stands still is killed, and the next one goes on."""
        account.kill_at("block")
        account.say("blocking")
        account.killed()
        self.expect(account.settled(), ["blocking"])

    def test_nothing_outlives_the_supervisor(self, account: RunningAccount) -> None:
        """A killed supervisor takes all processes of the account with it."""
        left = account.kill_supervisor()
        assert not left, f"these outlive the supervisor: {left}"
        account.say("under another supervisor")
        assert account.settled() == ["under another supervisor"]

    def expect(self, heard: list[str], said: list[str], certain: Any = ()) -> None:
        """Check that all was heard once and in order; without replay, that nothing came twice.

        ``certain`` is what has to be there in any case.
        """
        if "replay" not in self.channel.cannot:
            assert heard == said, f"said: {said}; heard: {heard}"
            return
        assert len(set(heard)) == len(heard), f"heard twice: {heard}"
        assert [text for text in said if text in heard] == heard, f"out of order: {heard}"
        assert set(certain) <= set(heard), f"it was durable, and is lost: {heard}"

    def expect_whole(self, account: RunningAccount, said: str) -> None:
        """Send a text, and check that people see all of it, in parts that the platform takes."""
        text = self.manifest.text
        account.forget()
        sent = account.send(said)
        assert sent.ok, f"{length(said, text.unit)} {text.unit}: {sent.error}"
        wait_until(
            lambda: _letters(account.shown()) == _letters([said]),
            lambda: (
                f"a text of {length(said, text.unit)} {text.unit} is shown whole; shown are"
                f" {[length(part, text.unit) for part in account.shown()]}"
            ),
        )
        longest = max(length(part, text.unit) for part in account.shown())
        assert not text.limit or longest <= text.limit, f"a part of {longest} {text.unit} is sent"

    def expect_no_secret(self, account: RunningAccount, text: str = "") -> None:
        """Check that no secret of the account stands in anything that people can read."""
        text += account.everything_shown()
        shown = [secret for secret in account.secrets if secret in text]
        assert not shown, f"{len(shown)} secrets stand in logs, status or errors: see {text[:2000]}"


def _needs_login(row: dict[str, Any]) -> bool:
    return row["cause"] == "needs_login" or bool(row["restartReasons"].get("needs_login"))


def _tracebacks(log: list[str]) -> list[str]:
    return [line for line in log if "Traceback" in line]


def _filled(kind: str, size: int, unit: Any) -> str:
    """Return a text of ``size`` units or just below it, without a blank where it may be cut."""
    piece = {"ascii": "x", "astral": "\N{GRINNING FACE}", "rtl": RTL}[kind]
    return (piece * (size // length(piece, unit) + (kind != "ascii"))).strip()


def _letters(parts: list[str]) -> str:
    return "".join("".join(part.split()) for part in parts)


__all__ = ["CANNOT", "ChannelConformance", "ChannelUnderTest"]
