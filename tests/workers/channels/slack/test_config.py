from __future__ import annotations

import msgspec
import pytest

from workers.channels.slack.config import SlackConfig, wrong_tokens


def test_a_wrong_server_is_refused_with_an_example() -> None:
    fields = {"botToken": "xoxb-1", "appToken": "xapp-1", "apiRoot": "slack.com"}
    with pytest.raises(msgspec.ValidationError, match=r"apiRoot must begin.*https://slack\.com"):
        msgspec.convert(fields, SlackConfig)


@pytest.mark.parametrize(
    ("bot", "app", "about"),
    [
        ("xoxb-1", "xapp-1", None),
        ("xoxe.xoxb-1", "xapp-1", None),
        ("xapp-1", "xoxb-1", "are swapped"),
        ("xoxp-1", "xapp-1", "botToken is not a bot token"),
        ("xoxb-1", "xoxb-2", "appToken is not an app-level token"),
    ],
)
def test_swapped_and_wrong_tokens_are_named(bot: str, app: str, about: str | None) -> None:
    found = wrong_tokens(SlackConfig(bot_token=bot, app_token=app))
    assert found is None if about is None else about in str(found)
