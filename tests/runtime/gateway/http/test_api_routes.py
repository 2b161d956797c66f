"""What is switched off is not there: the defaults are those of the real one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.http_api import CHAT, RESPONSES, http_rig

ON = {"enabled": True}


@pytest.mark.parametrize(
    ("endpoints", "there"),
    [
        ({}, {"/tools/invoke"}),
        ({"chatCompletions": ON}, {"/tools/invoke", CHAT, "/v1/models", "/v1/models/openclaw"}),
        ({"responses": ON}, {"/tools/invoke", RESPONSES, "/v1/models", "/v1/models/openclaw"}),
    ],
)
async def test_the_paths_that_there_are(endpoints: dict[str, Any], there: set[str]) -> None:
    paths = ["/tools/invoke", CHAT, RESPONSES, "/v1/models", "/v1/models/openclaw"]
    never = ["/v1/embeddings", "/v1/completions", "/v1/models/", "/v1", "/sessions//history"]
    async with http_rig(http={"endpoints": endpoints}) as client:
        found = {path: await client.ask(path, headers={}) for path in paths + never}
        assert {path for path, answer in found.items() if answer[0] != 404} == there
        assert {answer[1] for answer in found.values() if answer[0] == 404} == {"Not Found"}
        assert (await client.ask("/sessions/main/history", headers={}))[0] == 401


async def test_models_are_found_with_their_slash_as_it_is_or_escaped() -> None:
    async with http_rig() as client:
        listed = (await client.ask("/v1/models"))[1]["data"]
        assert [each["id"] for each in listed] == ["openclaw", "openclaw/default", "openclaw/echo"]
        for path in ("/v1/models/openclaw/echo", "/v1/models/openclaw%2Fecho"):
            assert (await client.ask(path))[1] == listed[2]
        assert (await client.ask("/v1/models/openclaw/nobody"))[0] == 404
        assert (await client.ask("/v1/models/nope"))[0] == 400
