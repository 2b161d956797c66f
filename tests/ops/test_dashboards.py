"""The board and the alert rules: they name figures that there are, and rules hold."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.metrics_reference import live_families

PLACE = Path(__file__).parents[2] / "ops" / "dashboards"
BOARDS = sorted(PLACE.glob("*.json"))
ENDINGS = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}
# A figure, and the labels that are asked for right behind it.
NAMED = re.compile(r"(trunkline_\w+)(?:\{([^}]*)\})?")


def expressions() -> dict[str, str]:
    """Return what the boards and the rules ask for, by where it stands."""
    found = {}
    for path in BOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                found[f"{path.name}: {panel['title']} {target['refId']}"] = target["expr"]
    rules = re.findall(r"alert: (\w+)\n +expr: (.+)\n", (PLACE / "alerts.yml").read_text())
    return found | {f"alerts.yml: {name}": text for name, text in rules}


async def test_every_figure_that_is_asked_for_is_in_a_live_metrics() -> None:
    families = (await live_families()).values()
    known = {
        f"{family.name}{ending}": {label for each in family.samples for label in each.labels}
        for family in families
        for ending in ENDINGS[family.type]
    }
    found = expressions()
    assert len(found) > 50
    for where, text in found.items():
        for name, labels in NAMED.findall(text):
            assert name in known, f"{where}: there is no {name}"
            asked = set(re.findall(r"(\w+)[=!~]+\"", labels))
            assert asked <= known[name], f"{where}: {name} has no {asked - known[name]}"


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_the_panels_of_a_board_stand_side_by_side(path: Path) -> None:
    board: dict[str, Any] = json.loads(path.read_text())
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert board["uid"] == f"trunkline-{path.stem}"


def test_every_alert_says_what_to_do_and_has_its_unit_test() -> None:
    rules, tests = ((PLACE / name).read_text() for name in ("alerts.yml", "alerts.test.yml"))
    names = re.findall(r"alert: (\w+)", rules)
    assert len(names) == len(set(names)) == rules.count("action: ") == rules.count("severity: ")
    for name in names:
        assert f"alertname: {name}\n" in tests, name


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian: prometheus)")
def test_the_alerts_come_when_they_should_and_stay_away_else() -> None:
    command = ["promtool", "test", "rules", str(PLACE / "alerts.test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
