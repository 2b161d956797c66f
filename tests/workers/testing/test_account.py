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
    with running(LOCAL) as account:
        assert account.shown(1) == ["welcome"]
        account.forget()
        account.say("hello")
        (heard,) = account.heard(1)
        assert (heard.text, heard.chat.id) == ("hello", "ada")
        sent = account.send("good evening")
        assert (sent.ok, account.shown(1)) == (True, ["good evening"])
        refused = account.send("hello?", to="nobody")
        assert (refused.ok, refused.reason) == (False, "not_found")
        assert account.act("edit", messageId=sent.id, to="ada", message="morning").ok
        assert account.shown(2)[-1] == f"(edited {sent.id}) morning"

        before = account.row
        account.kill()
        assert account.row["incarnation"] > before["incarnation"]
        assert account.row["pid"] != before["pid"]
        account.gateway.down()
        account.say("while it is down")
        account.gateway.up()
        assert account.settled() == ["hello", "while it is down"]
        assert account.cursor is None, "local keeps none"

        account.stop()
        assert account.row["phase"] == "stopped"
        account.forget()
        account.reset()
        assert (account.row["phase"], account.heard(), account.shown()) == ("running", [], [])
        assert any("stopping" in line for line in account.log)
        assert "hello?" not in account.everything_shown()

        with pytest.raises(AssertionError, match=r"after 0.1 s: 1 messages reach the gateway"):
            account.heard(1, within=0.1)
        with pytest.raises(AssertionError, match=r"it flies\. phase: running, cause: None"):
            account.until(lambda row: False, "it flies", within=0.1)
        with pytest.raises(AssertionError, match="the fake cannot do this wrong: outage"):
            account.fail("outage")
