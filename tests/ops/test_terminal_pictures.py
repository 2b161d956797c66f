"""What commands show on a narrow terminal, as a person sees it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.ops.terminal_pictures import answers, fleet, pictures

SIZE, COLUMNS = 42, 80
# What must be seen at that width.
SEEN = {
    "channels-events": "  Connection refused by irc",
    "cron-list": "  Friends of",
    "cron-runs": "  error  ",
    "deadletters-list": "  Connection refuse",
}


@pytest.mark.slow
async def test_a_row_has_one_line_and_its_id_whole(tmp_path: Path) -> None:
    if shutil.which("tmux") is None:
        pytest.skip("no tmux")
    found = answers(SIZE)
    ids = {
        "status-all": [row["account"] for row in fleet(SIZE)],
        "sessions-list": [row["key"] for row in found["sessions__list"]["sessions"]],
        "cron-list": [row["id"] for row in found["cron__list"]["jobs"]],
        "deadletters-list": [row["id"] for row in found["deadletters__list"]["letters"]],
        "pairing-list": [row["senderId"] for row in found["channels__pairing__list"]["requests"]],
        "devices-list": [row["deviceId"] for row in found["device__pair__list"]["paired"]],
        "gateway-clients": [row["address"] for row in found["gateway__clients"]["clients"]],
    }
    await pictures(tmp_path, [COLUMNS], SIZE, list(ids | SEEN))
    for name, each in ids.items():
        lines = (tmp_path / f"{name}-{COLUMNS}-{SIZE}.txt").read_text().splitlines()
        words = [set(line.split()) for line in lines]
        assert all(sum(key in line for line in words) == 1 for key in each), "\n".join(lines)
        assert len(lines) <= len(each) + 5
    for name, text in SEEN.items():
        assert text in (tmp_path / f"{name}-{COLUMNS}-{SIZE}.txt").read_text()
