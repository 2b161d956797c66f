"""Defines the channel ``slack``; its client is imported only in a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.channels.slack.config import DEFAULT_ROOT, SlackConfig, wrong_token
from workers.plugin import Manifest, Media, Pace, Rate, Text
from workers.web.addresses import with_root


class SlackManifest(Manifest):
    """The manifest of ``slack``, which describes an account by its app."""

    __slots__ = ()

    def describe(self, config: Mapping[str, Any]) -> str:
        """Return the app's public id, with the API server unless that is Slack's own."""
        app = app_id(config.get("appToken"))
        return with_root(f"app {app}" if app else "app", config.get("apiRoot"), DEFAULT_ROOT)

    def wrong_secret(self, name: str, value: str) -> str | None:
        """Return what is wrong with the format of a token; ``None`` if nothing is."""
        return wrong_token(name, value)


def app_id(token: Any) -> str | None:
    """Return the id of the app, the public part of its token; ``None`` when it has none."""
    parts = token.split("-") if isinstance(token, str) else []
    known = len(parts) > 3 and parts[0] == "xapp" and parts[2].isalnum()
    return parts[2] if known else None


manifest = SlackManifest(
    id="slack",
    label="Slack",
    config=SlackConfig,
    plugin="workers.channels.slack.plugin:Slack",
    detail_label="Slack App",
    system_image="number",
    secrets=frozenset({"botToken", "appToken"}),
    can=frozenset(
        {"edit", "delete", "react", "typing", "history", "members", "chat", "buttons", "threads"}
    ),
    media=Media(
        send=frozenset({"image", "video", "audio", "file"}),
        receive=True,
        max_up=1_000_000_000,
        max_down=100_000_000,  # bytes; people may upload ten times that
    ),
    example={
        "botToken": {"source": "env", "id": "SLACK_BOT_TOKEN"},
        "appToken": {"source": "env", "id": "SLACK_APP_TOKEN"},
    },
    status={"connected": False, "mode": "socket"},
    text=Text(limit=4_000, dialect="mrkdwn"),
    # Of the platform's rate limits: one message a second in each channel with short bursts, and
    # some hundred a minute in the workspace.
    pace=Pace(account=Rate(20, 5), chat=Rate(3, 3)),
    groups="channels",
)
