"""What goes to stdout: JSON for scripts, text for people."""

from __future__ import annotations

import sys
from typing import Any


def show_json(value: Any) -> None:
    """Print ``value`` as one JSON document; structs as their wire form."""
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def show_json_line(value: Any) -> None:
    """Print ``value`` as one line of JSON, at once: for commands that go on printing."""
    import msgspec

    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()
