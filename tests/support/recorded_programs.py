"""Programs on the PATH that record their calls and print what a test says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

_PROGRAM = """#!{python} -S
import json, sys
answers = json.load(open({answers!r}))
with open({calls!r}, "a") as calls:
    calls.write(json.dumps([{name!r}, *sys.argv[1:]]) + "\\n")
for words, out, complaint, code in answers:
    if all(word in sys.argv for word in words):
        sys.stdout.write(out)
        sys.stderr.write(complaint)
        sys.exit(code)
"""


class RecordedPrograms:
    """A directory of such programs, to be put on the PATH."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "programs"
        self.directory.mkdir()
        self._calls = directory / "calls"
        self._answers: dict[str, list[tuple[list[str], str, str, int]]] = {}

    def answer(self, name: str, out: str, *words: str, complaint: str = "", code: int = 0) -> None:
        """Let the program ``name`` print ``out`` if all ``words`` are among its arguments.

        The answer that was given last counts first.
        """
        answers = self._answers.setdefault(name, [])
        answers.insert(0, (list(words), out, complaint, code))
        file = self.directory / f".{name}.json"
        file.write_text(json.dumps(answers))
        program = self.directory / name
        text = _PROGRAM.format(
            python=sys.executable, answers=str(file), calls=str(self._calls), name=name
        )
        program.write_text(text)
        program.chmod(0o755)

    @property
    def calls(self) -> list[list[str]]:
        """The calls so far, each as program and arguments."""
        if not self._calls.exists():
            return []
        return [json.loads(line) for line in self._calls.read_text().splitlines()]

    def called(self, name: str, *words: str) -> bool:
        """Return whether a program was called with these among its arguments."""
        return any(call[0] == name and set(words) <= set(call[1:]) for call in self.calls)
