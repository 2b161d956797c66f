from __future__ import annotations

from typing import Any

import msgspec
import pytest

from runtime.config.local_fields import mark_of
from workers.agents.command import manifest
from workers.agents.command.config import USUAL_ENV, CommandConfig, words_of


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"command": []}, "command must be a program"),
        ({"command": ""}, "command must be a program"),
        ({"command": [""]}, "command must be a program"),
        ({"command": "claude 'x"}, "command must be a command line"),
        ({"command": ["a\0b"]}, "NUL"),
        ({"command": "a", "env": {"A B": "x"}}, "env has 'A B'"),
        ({"command": "a", "env": {"A": "x\0"}}, "NUL"),
        ({"command": "a", "inheritEnv": ["API_KEY=orca"]}, "inheritEnv has 'API_KEY=…'"),
        ({"command": "a", "cwd": "here"}, "cwd must be an absolute path"),
        ({"command": "a", "input": "xml"}, "Invalid enum"),
        ({"command": "a", "output": "xml"}, "Invalid enum"),
        ({"command": "a", "maxAnswerBytes": 1}, ">= 1024"),
    ],
)
def test_a_wrong_field_is_refused_with_the_reason(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(fields, CommandConfig)


def test_a_command_is_words_or_a_text_of_them() -> None:
    assert words_of("claude -p 'a b'") == words_of(["claude", "-p", "a b"])
    made = msgspec.convert({"command": "claude -p"}, CommandConfig)
    assert "PATH" in made.inherit_env
    assert made.inherit_env == USUAL_ENV


def test_an_agent_is_called_by_its_program_alone() -> None:
    assert manifest.describe({"command": "/usr/bin/claude --token hunter2"}) == "claude"
    assert manifest.describe({"command": ["a", "b"]}) == "a"
    assert manifest.describe({"command": "'"}) == ""
    assert manifest.describe({}) == ""
    assert manifest.unconfigured({}) == "command not set"


def test_what_runs_code_is_changed_on_this_host_alone() -> None:
    marked = {
        each.encode_name for each in msgspec.structs.fields(CommandConfig) if mark_of(each.type)
    }
    assert marked == {"command", "cwd", "env", "inheritEnv"}
