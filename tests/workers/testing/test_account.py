"""A whole life of an account in the kit; all of it ends with the block."""

from __future__ import annotations

import pytest

from workers.testing.account import running
from workers.testing.fake import ChannelUnderTest
from workers.testing.fakes.local import LocalFake

LOCAL = ChannelUnderTest(
    "workers.channels.local:manifest", LocalFake, config={"greeting": "welcome"}
)


def test_an_account_lives_between_its_people_and_a_gateway_and_leaves_nothing() -> None:
    with running(LOCAL) as it:
        assert it.shown(1) == ["welcome"]
        it.forget()
        it.say("hello")
        (heard,) = it.heard(1)
        assert (heard.text, heard.chat.id) == ("hello", "ada")
        sent = it.send("good evening")
        assert (sent.ok, it.shown(1)) == (True, ["good evening"])
        refused = it.send("hello?", to="nobody")
        assert (refused.ok, refused.reason) == (False, "not_found")
        assert it.act("edit", messageId=sent.id, to="ada", message="morning").ok
        assert it.shown(2)[-1] == f"(edited {sent.id}) morning"

        before = it.row
        it.kill()
        assert it.row["incarnation"] > before["incarnation"]
        assert it.row["pid"] != before["pid"]
        it.gateway.down()
        it.say("while it is down")
        it.gateway.up()
        assert it.settled() == ["hello", "while it is down"]
        assert it.cursor is None, "local keeps none"

        it.stop()
        assert it.row["phase"] == "stopped"
        it.forget()
        it.reset()
        assert (it.row["phase"], it.heard(), it.shown()) == ("running", [], [])
        assert any("stopping" in line for line in it.log)
        assert "hello?" not in it.everything_shown()

        with pytest.raises(AssertionError, match=r"after 0.1 s: 1 messages reach the gateway"):
            it.heard(1, within=0.1)
        with pytest.raises(AssertionError, match=r"it flies\. phase: running, cause: None"):
            it.until(lambda row: False, "it flies", within=0.1)
        with pytest.raises(AssertionError, match="the fake cannot do this wrong: outage"):
            it.fail("outage")
