"""Builds the command line, environment and bootstrap of a child that is started by exec.

Every such child starts as a Python process of ours, which first makes it die with the supervisor.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Mapping

import msgspec

from ipc.frames.words import EXIT_CONFIG, WIRE
from ipc.hidden_fields import hide_fields
from runtime.config.interpreter_wording import missing, other_wire
from runtime.supervisor.processes.process import Spec
from runtime.zygote.client import environment, mark

LEADING = ("PYTHONPATH", "PYTHONHOME")  # they lead to our packages, or to another Python's

# With an interpreter of its own: Trunkline may have gone from there since the file was read, or be
# another one, whose frames would not be understood.
_CHECKED = """\
import os, sys
def end(text):
    import json
    words = json.dumps({{"cause": "misconfigured", "text": text}})
    os.write({words}, words.encode() + b"\\n")
    sys.stderr.write(text + "\\n")
    sys.stderr.flush()
    os._exit({code})
try:
    from runtime.zygote.child import exec_main
    from ipc.frames.words import WIRE
except ImportError as error:
    end({missing!r} % error)
if WIRE != {wire!r}:
    end({other!r} % WIRE)
{call}
"""


@hide_fields("env", "payload")
class ExecCall(msgspec.Struct, frozen=True):
    """The arguments and environment of a child; ``payload`` is written to its pipe ``boot``."""

    argv: list[str]
    env: dict[str, str]
    payload: bytes


def exec_call(
    spec: Spec,
    env: Mapping[str, str],
    fds: Mapping[str, int],
    run_id: str,
    withheld: Collection[str],
) -> ExecCall:
    """Return the exec call for ``spec``, with descriptors by name, without the ``withheld``."""
    names = ",".join(f"{name}={fd}" for name, fd in fds.items())
    python, options, given = sys.executable, "-P", environment(run_id, withheld)
    if spec.command:  # its environment has secrets, and an argument list is for all to see
        path = os.environ.get("PYTHONPATH")  # the user's, not the one that leads to us
        payload = json.dumps({"command": spec.command, "env": env, "path": path}).encode()
        context = (os.getpid(), names)
        call = f"from runtime.zygote.child import exec_command; exec_command(*{context!r})"
    else:
        payload = spec.payload
        arguments = (os.getpid(), names, json.dumps(env), spec.name, spec.target)
        call = f"exec_main(*{arguments!r})"
        if spec.python is None:
            call = f"from runtime.zygote.child import exec_main; {call}"
        else:
            python, options = spec.python, "-I"
            given = {name: value for name, value in given.items() if name not in LEADING}
            call = _checked(call, spec.python, fds["words"])
    # -P and -I: nothing is imported from the current directory, with -I from no user's either
    return ExecCall([python, options, "-c", call, mark(run_id)], given, payload)


def _checked(call: str, python: str, words: int) -> str:
    """Return Python code that makes the call, or ends with a sentence about what is missing."""
    return _CHECKED.format(
        words=words,
        code=EXIT_CONFIG,
        missing=missing(python.replace("%", "%%"), "%s"),
        wire=WIRE,
        other=other_wire(python.replace("%", "%%"), "%s"),
        call=call,
    )
