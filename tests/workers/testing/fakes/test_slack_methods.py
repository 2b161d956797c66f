from __future__ import annotations

import pytest

from workers.testing.fakes.slack_apps import Clock, FakeApp, RefusedMethod
from workers.testing.fakes.slack_methods import SlackMethods, check_blocks


def test_another_bot_s_message_is_not_changed() -> None:
    methods, one, other = SlackMethods(Clock()), FakeApp("1"), FakeApp("2")
    sent = methods.run(one, "chat.postMessage", {"channel": "C1", "text": "x"})
    place = {"channel": "C1", "ts": sent["ts"], "text": "y"}
    for method, code in (
        ("chat.update", "cant_update_message"),
        ("chat.delete", "cant_delete_message"),
    ):
        with pytest.raises(RefusedMethod, match=code):
            methods.run(other, method, place)
    assert methods.run(one, "chat.update", place)["text"] == "y"


@pytest.mark.parametrize("method", ["chat.unknown", "no.such", "conversations.unknown"])
def test_an_unknown_method_is_refused(method: str) -> None:
    methods, app = SlackMethods(Clock()), FakeApp("1")
    sent = methods.run(app, "chat.postMessage", {"channel": "C1", "text": "x"})
    with pytest.raises(RefusedMethod, match="unknown_method"):
        methods.run(app, method, {"channel": "C1", "ts": sent["ts"]})


def test_blocks_that_slack_refuses() -> None:
    button = {"action_id": "1", "text": {"text": "x"}}
    for blocks in (
        [{"type": "section", "text": {"text": "x" * 3001}}],
        [{"type": "actions", "elements": [button, button]}],
        [{"type": "actions", "elements": [button | {"text": {"text": "x" * 76}}]}],
    ):
        with pytest.raises(RefusedMethod, match="invalid_blocks"):
            check_blocks(blocks)
    check_blocks([{"type": "actions", "elements": [button]}])
    check_blocks(None)
