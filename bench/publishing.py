"""Writes the plots and figures that the documentation shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.machine import sentence
from bench.measuring.figures import Spread
from bench.questions import QUESTIONS

SYSTEMS = ("floor ×16", "floor", "trunkline", "node joined", "node", "naive")
COLOURS = {
    "trunkline": "#c2410c", "floor": "#64748b", "floor ×16": "#334155", "floor whole": "#64748b",
    "node": "#15803d", "node joined": "#65a30d", "naive": "#a21caf",
}  # fmt: skip


def publish(whole: dict[str, Any], place: Path) -> None:
    """Write ``latest.json`` and one plot, as PNG and SVG, for each question that was answered.

    Answers of an earlier run to other questions stay; each names its revision.
    """
    place.mkdir(parents=True, exist_ok=True)
    file = place / "latest.json"
    if file.exists():
        whole = whole | {"results": json.loads(file.read_text())["results"] | whole["results"]}
    file.write_text(json.dumps(whole, sort_keys=True) + "\n")
    (place / "tables.md").write_text(_tables(whole))
    for name, draw in (("events", _events), ("latency", _latency), ("fleet", _fleet)):
        if name in whole["results"]:
            _save(place / {"fleet": "memory"}.get(name, name), draw, whole["results"][name])


def _tables(whole: dict[str, Any]) -> str:
    """Return all printed tables."""
    parts = [f"# Figures\n\nWritten by `python -m bench`. {sentence(whole['machine'])}"]
    for name, question in QUESTIONS.items():
        if found := whole["results"].get(name):
            load = " and ".join(f"{value:g}" for value in found["loadAverage"])
            parts.append(
                f"## {question.title}\n\n{question.report(found)}\n\n"
                f"Revision {found['revision']}, load average before and after {load}."
            )
    return "\n\n".join(parts) + "\n"


def _save(path: Path, draw: Any, found: dict[str, Any]) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    mpl.rcParams["svg.hashsalt"] = "trunkline"  # the same figure gives the same file
    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    draw(axes, found)
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(path.with_suffix(".png"), dpi=120, metadata={"Software": None})
    pyplot.close(figure)
    print(f"written: {path}.svg and .png")


def _events(axes: Any, found: dict[str, Any]) -> None:
    """Messages a second over clients, 4 workers, 200 bytes; the lines span all rounds."""
    for system in SYSTEMS:
        points = []
        for case, systems in found["cases"].items():
            workers, clients, size, _ = case.split()
            if workers == "4w" and size == "200" and system in systems:
                points.append((int(clients[:-1]), Spread.of(systems[system]["rate"])))
        if not points:
            continue
        points.sort(key=lambda point: point[0])
        counts = [count for count, _ in points]
        colour = COLOURS[system]
        axes.plot(counts, [s.median for _, s in points], "o-", color=colour, label=system)
        low, high = [s.low for _, s in points], [s.high for _, s in points]
        axes.fill_between(counts, low, high, color=colour, alpha=0.15)
    axes.set(xscale="log", yscale="log", xlabel="clients", ylabel="messages/s to every client")
    axes.set_title("4 workers → gateway → clients, text of 200 bytes")


def _latency(axes: Any, found: dict[str, Any]) -> None:
    """p50 and p99 over the load, one client."""
    for system in ("trunkline", "floor whole", "node"):
        for share, style in (("p50Ms", "o-"), ("p99Ms", "s--")):
            points = [
                (Spread.of(systems[system]["rate"]).median, Spread.of(systems[system][share]))
                for case, systems in found["cases"].items()
                if case.endswith(" 1c") and system in systems
            ]
            points.sort(key=lambda point: point[0])
            axes.plot(
                [rate for rate, _ in points],
                [spread.median for _, spread in points],
                style,
                color=COLOURS[system],
                label=f"{system} {share[:-2]}",
            )
    axes.set(xscale="log", yscale="log", xlabel="messages/s", ylabel="ms from emission to receipt")
    axes.set_title("Latency, 4 workers, 1 client")


def _fleet(axes: Any, found: dict[str, Any]) -> None:
    """Memory over accounts."""
    rows = found["accounts"]
    counts = [row["accounts"] for row in rows]
    for name, colour in (("worker", "#c2410c"), ("supervisor", "#334155"), ("gateway", "#15803d")):
        label = "per worker" if name == "worker" else name
        axes.plot(counts, [r["pssMiB"][name] for r in rows], "o-", color=colour, label=label)
    axes.set(xlabel="idle accounts", ylabel="PSS, MiB", ylim=(0, None))
    axes.set_title("Memory")
