"""Diagnoses why a gateway ended, from its exit code and its last stderr lines. Pure.

A transient failure passes by itself; a damaged configuration can be repaired, once; a fatal failure
needs a person, and retrying would only hide it. A foreign gateway shows which one it is only in its
output, so that is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from ipc.frames.words import EXIT_CONFIG
from runtime.supervisor.lifecycle import Exit


class Kind(StrEnum):
    """The kinds of failure of a gateway, by what can be done about them."""

    TRANSIENT = "transient"
    CONFIGURATION = "configuration"
    FATAL = "fatal"


_CONFIGURATION = re.compile(
    r"invalid config|config(uration)? (is )?invalid|unrecognized key|doctor --fix"
    r"|fatal configuration error|startup migrations? (blocked|failed|incomplete)",
    re.IGNORECASE,
)
_FATAL = re.compile(
    r"startup migrations? (is |are )?already running|retry after the other gateway finishes"
    r"|(unsupported|requires) node|node(\.js)? v?[\d.]+ is (not supported|unsupported)"
    r"|^(?=.*WAL.?reset).*unsafe",
    re.IGNORECASE,
)


class Diagnosis(msgspec.Struct, frozen=True):
    """Why a gateway ended; ``text`` is the line that shows it, or how the process ended."""

    kind: Kind
    text: str


def diagnose(how: Exit, lines: Sequence[str], *, reads_words: bool = True) -> Diagnosis:
    """Classify an exit by its code and by the last lines of standard error.

    ``reads_words`` is false for our own gateway, whose exit code says what is wrong. The lines are
    only used if the process ended by itself with a failure.
    """
    ended_badly = how.signal is None and how.code not in (0, None)
    if ended_badly and reads_words:
        for kind, words in ((Kind.FATAL, _FATAL), (Kind.CONFIGURATION, _CONFIGURATION)):
            for line in reversed(lines):
                if words.search(line):
                    return Diagnosis(kind, line)
    last = next((line for line in reversed(lines) if line.strip()), None)
    if how.code == EXIT_CONFIG:
        return Diagnosis(Kind.FATAL, how.text or last or str(how))
    text = str(how) if how.text is None else how.text
    return Diagnosis(Kind.TRANSIENT, f"{text}: {last}" if last and ended_badly else text)
