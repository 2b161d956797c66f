"""The short part of the fuzzing of the workers' links; ``bench/fuzz_links.py`` is the rest."""

from __future__ import annotations

import os

import pytest
import structlog

from tests.fuzz.zmtp_attacker import KINDS
from tests.fuzz.zmtp_campaign import CAMPAIGNS


@pytest.mark.timeout(100)
@pytest.mark.parametrize("link", CAMPAIGNS)
async def test_no_frame_on_a_link_touches_another_account(link: str) -> None:
    start = int.from_bytes(os.urandom(4))
    with structlog.testing.capture_logs():
        report = await CAMPAIGNS[link](800, start)
    assert not report.harm(), f"seed {start}: {report.harm()}"
    assert report.refused > 0
    assert set(report.frames) == set(KINDS)
