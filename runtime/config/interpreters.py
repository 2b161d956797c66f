"""Asks the interpreters that accounts name (``python``) which channels are installed for them.

Each is asked once, by a process that ends within seconds and gets none of our environment but
what a program needs to run; its answer is kept until one of the files that it depends on changes.
An interpreter that cannot answer spoils the accounts that name it, and nothing else.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ipc.frames.words import WIRE
from ipc.helpers import PIPE, STDOUT, end_helper, read_output, start_helper
from ipc.nesting import MALFORMED, decode_json
from runtime.config.interpreter_wording import absent, missing, no_program, other_wire, too_old
from workers.channels.manifest_data import data_of, manifests_in
from workers.registry import Manifests

WITHIN = 10.0  # seconds for all of them together
MAX_BYTES = 8 << 20
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")  # of our environment; the rest may be secret
MARK = "trunkline-channels: "
OURS = ""  # stands for the interpreter that runs this

# It must be read by any Python: the first thing that it finds out is which one that is.
_QUESTION = f"""
import json, sys
answer = {{"version": list(sys.version_info[:2])}}
if sys.version_info >= (3, 11):
    try:
        import workers.plugin
        answer["wire"] = "0"
        from ipc.frames.words import WIRE
        answer["wire"] = WIRE
        if WIRE == {WIRE!r}:
            from workers.channels.manifest_data import installed
            answer.update(installed())
    except ImportError as error:
        answer["missing"] = str(error)
print("\\n{MARK}" + json.dumps(answer))
"""


class _Answer(msgspec.Struct):
    """The answer of an interpreter."""

    version: tuple[int, int]
    wire: str | None = None
    missing: str | None = None
    channels: dict[str, Any] = {}
    broken: dict[str, str] = {}
    files: list[str] = []


class _Interpreter:
    """The channels installed for an interpreter, or the ``fault`` why they are not known.

    ``stamp`` is of the files that the answer depends on.
    """

    def __init__(self, python: str) -> None:
        self.python = python
        self.channels = Manifests()
        self.fault: str | None = None
        self.files = [python, os.path.join(os.path.dirname(python), "..", "pyvenv.cfg")]
        self.stamp: list[int] = []
        self.lasting = False  # whether the answer holds while no file changes

    def is_current(self) -> bool:
        """Return whether the answer is still valid: none of its files has changed."""
        return self.lasting and self.stamp == _stamp(self.files)

    def on_output(self, output: bytes | None, code: int | None) -> None:
        """Handle the query's output; ``None`` if it did not end in time."""
        if output is None:
            self.fault = f"{self.python} did not answer within {WITHIN:g} s"
            return
        lines = output.decode(errors="replace").splitlines()
        said = next((line for line in reversed(lines) if line.startswith(MARK)), None)
        try:
            answer = decode_json((said or "").removeprefix(MARK).encode(), _Answer)
        except MALFORMED:
            last = next((line for line in reversed(lines) if line.strip()), f"it ended with {code}")
            self.fault = f"{self.python} cannot be asked for its channels: {last.strip()[:200]}"
            return
        self.lasting = True
        self.files += answer.files
        self.stamp = _stamp(self.files)
        self.fault = _fault(self.python, answer)
        if self.fault is None:
            data = {"channels": answer.channels, "broken": answer.broken}
            self.channels = manifests_in(data, self.python)


_known: dict[str, _Interpreter] = {}


def with_interpreters(known: Manifests, sections: Mapping[str, Any]) -> Manifests:
    """Return ``known`` with the channels of the interpreters that ``sections`` name.

    ``sections`` is the part ``channels`` of the file. The manifest of a channel is that of the
    interpreter which its section names, else ours, else that of the first account which names
    one. Where another interpreter has a different manifest, its accounts are unusable. Blocks, for
    ``WITHIN`` at most.
    """
    base = known.base or known
    named = {name: list(_named(section)) for name, section in sections.items()}
    asked = {python for pythons in named.values() for python in pythons if python}
    if not asked:
        return base
    answers = query(sorted(asked))
    found = Manifests()
    found.base = base
    found.agents = base.agents
    found.update(base)
    found.broken.update(base.broken)
    found.warnings += base.warnings
    for name, (first, *others) in named.items():
        chosen = first if first or name in base else next(filter(None, others), None)
        if chosen:
            _choose(found, name, answers[chosen])
        for python in {each for each in (first, *others) if each} | {OURS}:
            if why := _unusable(found, name, answers.get(python), python):
                found.unusable.setdefault(python, {})[name] = why
    found.warnings += [each.fault for each in answers.values() if each.fault]
    return found


def query(pythons: Iterable[str]) -> dict[str, _Interpreter]:
    """Return what is installed for each interpreter, asking all in parallel. Blocks."""
    found = {python: _known.get(python) for python in pythons}
    old = [python for python, each in found.items() if each is None or not each.is_current()]
    fresh = [_Interpreter(python) for python in old]
    deadline = time.monotonic() + WITHIN
    running = [(each, process) for each in fresh if (process := _start(each))]
    for each, process in running:
        with process:
            output = read_output(process, max(deadline - time.monotonic(), 0.0), MAX_BYTES)
            if output is None or len(output) > MAX_BYTES:
                end_helper(process)
                output = None
        each.on_output(output, process.returncode)
    _known.update({each.python: each for each in fresh})
    return {python: _known[python] for python in found}


def _named(section: Any) -> Iterator[str | None]:
    """Yield the interpreter that a channel's section names, then those of its accounts."""
    if not isinstance(section, Mapping):
        yield None
        return
    yield _python(section)
    accounts = section.get("accounts")
    for fields in accounts.values() if isinstance(accounts, Mapping) else ():
        yield _python(fields) if isinstance(fields, Mapping) else None


def _python(fields: Mapping[str, Any]) -> str | None:
    """Return the interpreter of a section if it is valid; the check reports the error."""
    given = fields.get("python")
    sound = isinstance(given, str) and given.startswith("/") and "\0" not in given
    return given if sound else None


def _choose(found: Manifests, id: str, interpreter: _Interpreter) -> None:
    """Use the channel ``id`` as installed for an interpreter."""
    found.pop(id, None)
    found.broken.pop(id, None)
    there = interpreter.channels
    if id in there:
        found[id] = there[id]
    else:
        found.broken[id] = interpreter.fault or _absent(id, interpreter)


def _absent(id: str, interpreter: _Interpreter) -> str:
    python = interpreter.python
    if id in interpreter.channels.broken:
        return f"for {python}: {interpreter.channels.broken[id]}"
    return absent(python)


def _unusable(
    found: Manifests, id: str, interpreter: _Interpreter | None, python: str
) -> str | None:
    """Return why accounts of a channel cannot run with an interpreter; ``None`` if they can."""
    if interpreter is not None and interpreter.fault:
        return interpreter.fault
    there = interpreter.channels if interpreter is not None else found.base
    assert there is not None
    chosen = found.get(id)
    if chosen is None or (chosen.python or OURS) == python:
        return None  # what is wrong with the channel itself is among the broken ones
    if id not in there:
        if interpreter is not None:
            return f"the channel {id} cannot be used: {_absent(id, interpreter)}"
        return (
            f"the channel {id} is installed for {chosen.python} only:"
            f" set python of channels.{id} to it"
        )
    if (there[id].ref, data_of(there[id].manifest)) == (chosen.ref, data_of(chosen.manifest)):
        return None
    return (
        f"the channel {id} differs between {python or sys.executable} and"
        f" {chosen.python or sys.executable}: its accounts need one version of it,"
        f" so set python of channels.{id} alone"
    )


def _start(interpreter: _Interpreter) -> Any:
    """Start the query of an interpreter; return ``None`` and record a fault if that fails."""
    environ = {name: os.environ[name] for name in KEPT if name in os.environ}
    command = [interpreter.python, "-I", "-c", _QUESTION]
    try:
        return start_helper(command, stdout=PIPE, stderr=STDOUT, env=environ)
    except OSError as error:
        interpreter.fault = no_program(interpreter.python, error.strerror or str(error))
        return None


def _fault(python: str, answer: _Answer) -> str | None:
    if answer.version < (3, 11):
        return too_old(python, answer.version)
    if answer.wire is None or (answer.missing and answer.wire == WIRE):
        return missing(python, answer.missing)
    return None if answer.wire == WIRE else other_wire(python, answer.wire)


def _stamp(files: Iterable[str]) -> list[int]:
    """Return the time of the last change of each file; 0 for a missing one."""
    return [_mtime(path) for path in files]


def _mtime(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
