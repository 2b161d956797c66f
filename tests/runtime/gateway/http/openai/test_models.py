"""A model of the OpenAI API names an agent, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.gateway.http.api_refusals import HttpRefusal
from runtime.gateway.http.openai.models import AgentNames, agent_of, model_list, model_row

TWO = AgentNames(["main", "ops"], "main")
NO_OWNER = AgentNames(["main", "ops"], None)


@pytest.mark.parametrize(
    ("names", "model", "header", "agent"),
    [
        (TWO, "openclaw", None, "main"),
        (TWO, "openclaw/default", None, "main"),
        (TWO, None, None, "main"),
        (TWO, "openclaw/ops", None, "ops"),
        (TWO, "openclaw:ops", None, "ops"),
        (TWO, "agent:ops", None, "ops"),
        (TWO, "openclaw", "ops", "ops"),
        (TWO, "openclaw/main", "ops", "ops"),
        (NO_OWNER, "openclaw/ops", None, "ops"),
        (AgentNames(["only"], None), "openclaw", None, "only"),
        (AgentNames(["only"], "gone"), "openclaw", None, "only"),
    ],
)
def test_the_agent_that_answers(
    names: AgentNames, model: Any, header: str | None, agent: str
) -> None:
    assert agent_of(names, model, header) == agent


@pytest.mark.parametrize(
    ("names", "model", "header", "words"),
    [
        (NO_OWNER, "openclaw", None, "Multiple agents are configured"),
        (AgentNames([], None), "openclaw", None, "No agent is configured"),
        (TWO, "openclaw/nobody", None, "Unknown agent 'nobody'."),
        (TWO, "openclaw", "nobody", "Unknown agent 'nobody'."),
        (TWO, "gpt-4", None, "Invalid `model`."),
        (TWO, "gpt-4", "main", "Invalid `model`."),
        (TWO, "openclaw/", None, "Invalid `model`."),
        (TWO, 7, None, "Invalid `model`."),
        (TWO, ["openclaw"], None, "Invalid `model`."),
    ],
)
def test_what_names_no_agent_is_refused(
    names: AgentNames, model: Any, header: str | None, words: str
) -> None:
    with pytest.raises(HttpRefusal) as refused:
        agent_of(names, model, header)
    assert (refused.value.status, refused.value.message[: len(words)]) == (400, words)


def test_the_list_is_that_of_the_real_one() -> None:
    listed = model_list(TWO)
    assert [each["id"] for each in listed["data"]] == [
        "openclaw",
        "openclaw/default",
        "openclaw/main",
        "openclaw/ops",
    ]
    assert model_row(TWO, "openclaw/ops") == listed["data"][3]
    assert listed["data"][0] == {
        "id": "openclaw",
        "object": "model",
        "created": 0,
        "owned_by": "openclaw",
        "permission": [],
    }
    for model, status in (("openclaw/nobody", 404), ("nope", 400)):
        with pytest.raises(HttpRefusal) as refused:
            model_row(TWO, model)
        assert refused.value.status == status
