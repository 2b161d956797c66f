"""The text format of Prometheus, read into samples: for scripts that would rather have JSON."""

from __future__ import annotations

import math
import re
from typing import Any

_SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")


def samples(text: str) -> list[dict[str, Any]]:
    """Return what a text for Prometheus says, a sample for each line; nothing else is read."""
    found = [sample for line in text.splitlines() if (sample := _SAMPLE.fullmatch(line))]
    return [
        {
            "name": each["name"],
            "labels": {name: _unescaped(value) for name, value in _LABEL.findall(each["labels"])}
            if each["labels"]
            else {},
            "value": _number(each["value"]),
        }
        for each in found
    ]


def _number(text: str) -> float | str:
    """Return the value; what is no number in JSON stays the text that it is (``NaN``)."""
    value = float(text)
    return value if math.isfinite(value) else text


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: "\n" if found[1] == "n" else found[1], text)
