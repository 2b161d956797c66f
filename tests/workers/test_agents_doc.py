"""The example of docs/agents.md runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workers.testing.agent import agent_turn

DOC = Path(__file__).parents[2] / "docs" / "agents.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


def test_the_documented_agent_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = BLOCK.findall(DOC.read_text())
    manifest = next(block for block in blocks if "AgentManifest(" in block)
    agent = next(block for block in blocks if "class Shout" in block)
    package = tmp_path / "trunkline_shout"
    package.mkdir()
    (package / "__init__.py").write_text(manifest)
    (package / "agent.py").write_text(agent)
    monkeypatch.syspath_prepend(tmp_path)
    answer = agent_turn("trunkline_shout:manifest", "hello there", config={"mark": "?"})
    assert answer.text == "HELLO THERE ?"
    assert answer.outcome is not None
    assert answer.outcome.final is not None
    assert answer.outcome.final.stop_reason == "stop"
