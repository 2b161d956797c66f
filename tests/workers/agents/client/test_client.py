from __future__ import annotations

from workers.agents.client import manifest
from workers.agents.registry import flaw_of_kind


def test_a_kind_without_a_process_needs_no_code() -> None:
    assert flaw_of_kind("client", manifest) is None
    assert manifest.unconfigured({}) is None
