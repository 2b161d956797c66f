"""Prints what an import copied, changed and left out, and the resulting file."""

from __future__ import annotations

from typing import Any

from ops.openclaw.draft import Note
from ops.openclaw.imported import Imported
from ops.output.text import clean

TITLES = {
    "taken": "Taken as it is",
    "changed": "Changed, or written out where the original has nothing",
    "left": "Left in OpenClaw",
}


def show_imported(imported: Imported, *, written: bool) -> None:
    """Print an import for a person: three groups of notes, our file without secrets, next steps."""
    print(clean(f"{' + '.join(imported.files)} -> {imported.target}"))
    for group, title in TITLES.items():
        notes = [note for note in imported.notes if note.group == group]
        if notes:
            print(f"\n{title} ({len(notes)}):")
        for note in notes:
            print(clean(f"  {_line(note)}"))
    if written:
        print(f"\nWritten to {clean(imported.target)}, for its owner only.")
    else:
        print(f"\n{clean(imported.target)} would be:\n")
        for line in imported.shown_text.splitlines():
            print(clean(line))
        print("\nNothing is written; --write does that.")
    for each in imported.advice:
        print(clean(f"* {each}"))


def document(imported: Imported, *, written: bool) -> dict[str, Any]:
    """Return an import as JSON data for a script, without secrets."""
    groups = {
        group: [
            {
                "path": note.path,
                **({"target": note.place} if note.target else {}),
                **({"reason": note.reason} if note.reason else {}),
            }
            for note in imported.notes
            if note.group == group
        ]
        for group in TITLES
    }
    return {
        "source": imported.source,
        "files": imported.files,
        "target": imported.target,
        "written": written,
        **groups,
        "config": imported.shown,
        "advice": imported.advice,
    }


def _line(note: Note) -> str:
    original = note.path.partition(" (")[0]
    moved = f" -> {note.place}" if note.target and note.place != original else ""
    return f"{note.path}{moved}{f': {note.reason}' if note.reason else ''}"
