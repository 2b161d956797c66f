"""Cron, hooks and heartbeats in the configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.config.errors import ConfigError
from runtime.config.load import load_text
from runtime.config.timers import milliseconds


def loaded(**sections: Any) -> Any:
    return load_text(Path("/x.json5"), json.dumps({"gateway": {"auth": {"token": "t"}}} | sections))


def beat(**fields: Any) -> dict[str, Any]:
    return {"entries": {"echo": {"kind": "echo", "heartbeat": fields}}}


def test_what_is_configured_reaches_its_agent() -> None:
    found = loaded(agents=beat(every="45m", target="last"))
    spec = found.agents["agent:echo"]
    assert (spec.heartbeat.every, spec.heartbeat.target) == ("45m", "last")
    assert [milliseconds(each) for each in ("45m", "2h", "9s", "1d")] == [
        2_700_000,
        7_200_000,
        9_000,
        86_400_000,
    ]


@pytest.mark.parametrize(
    ("sections", "place"),
    [
        ({"hooks": {"enabled": True}}, "hooks.enabled"),
        ({"hooks": {"path": "hooks"}}, "hooks.path"),
        ({"cron": {"maxConcurrentRuns": 0}}, "cron.maxConcurrentRuns"),
        ({"agents": beat(every="soon")}, "agents.entries.echo.heartbeat.every"),
        (
            {"agents": beat(activeHours={"start": "08:00", "end": "08:00"})},
            "agents.entries.echo.heartbeat.activeHours.end",
        ),
        (
            {"agents": beat(activeHours={"start": "08:00", "end": "9:00"})},
            "agents.entries.echo.heartbeat.activeHours.end",
        ),
        (
            {"agents": beat(activeHours={"start": "08:00", "end": "09:00", "timezone": "Mars"})},
            "agents.entries.echo.heartbeat.activeHours.timezone",
        ),
    ],
)
def test_what_cannot_be_is_named_with_its_place(sections: dict[str, Any], place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(**sections)
    assert [each.path for each in caught.value.problems] == [place]


def test_a_bad_mapping_stops_nothing() -> None:
    hooks = {"enabled": True, "token": "s", "mappings": [{"match": 7, "bogus": True}]}
    assert loaded(hooks=hooks).config.hooks.enabled
