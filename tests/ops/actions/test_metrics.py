"""Figures for scripts: what Prometheus is told, as JSON."""

from __future__ import annotations

from pathlib import Path

from ipc.metrics import Series, text
from ops.actions.metrics import samples
from tests.support.commandline import trunkline
from tests.support.fakeserver import fake_supervisor, status

TRICKY = 'a"b\\c\nd'
FIGURES = text(
    [
        Series("trunkline_up", "gauge", "Whether it is.", [({}, 1.0)]),
        Series(
            "trunkline_bytes", "counter", "So many.", [({"account": TRICKY, "kind": "in"}, 2.5)]
        ),
        Series("trunkline_odd", "gauge", "No number.", [({}, float("nan"))]),
    ]
)


def test_every_sample_is_read_as_it_was_written() -> None:
    assert samples(FIGURES) == [
        {"name": "trunkline_up", "labels": {}, "value": 1.0},
        {
            "name": "trunkline_bytes_total",
            "labels": {"account": TRICKY, "kind": "in"},
            "value": 2.5,
        },
        {"name": "trunkline_odd", "labels": {}, "value": "nan"},
    ]


async def test_the_command_prints_either(state: Path) -> None:
    row = status(connected=False)
    async with fake_supervisor(state, supervisor__status=row, metrics={"text": FIGURES}):
        plain = await trunkline(state, "metrics")
        told = await trunkline(state, "metrics", "--json")
    assert plain.out == FIGURES
    assert told.json == {"metrics": samples(FIGURES)}
