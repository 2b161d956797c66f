"""How a child by exec is started: what it gets, and what ends it before it begins."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from ipc.frames.words import EXIT_CONFIG
from runtime.supervisor.processes import exec_call as room
from runtime.supervisor.processes.exec_call import ExecCall, exec_call
from runtime.supervisor.processes.process import Spec
from tests.support.virtualenvs import make_virtualenv

NAME = "local:a#1"


def call_of(python: str | None, words: int = 5) -> ExecCall:
    spec = Spec(NAME, "workers.process.worker:main", b"payload", launcher="exec", python=python)
    return exec_call(spec, {"A": "b"}, {"boot": 4, "words": words}, "run-1", {"A_SECRET"})


def test_an_interpreter_of_its_own_gets_no_path_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "x")
    monkeypatch.setenv("PYTHONHOME", "/x")
    ours, other = call_of(None), call_of("/venv/bin/python")
    assert other.argv[:3] == ["/venv/bin/python", "-I", "-c"]
    assert "PYTHONPATH" in ours.env
    assert not {"PYTHONPATH", "PYTHONHOME", "A_SECRET"} & set(other.env)
    assert other.argv[-1] == ours.argv[-1] == "TRUNKLINE_RUN_ID=run-1"
    assert other.payload == b"payload"


@pytest.mark.parametrize("wire", [None, "9.9"])
def test_one_that_cannot_be_understood_ends_with_the_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wire: str | None
) -> None:
    directory = tmp_path / "100%s venv"
    python, _ = make_virtualenv(directory, trunkline=wire is not None)
    if wire is not None:
        monkeypatch.setattr(room, "WIRE", wire)
    reader, writer = os.pipe()
    with open(reader, "rb") as said:
        call = call_of(str(python), writer)
        done = subprocess.run(call.argv, env=call.env, pass_fds=[writer], capture_output=True)
        os.close(writer)
        words = json.loads(said.read())
    assert (done.returncode, words["cause"]) == (EXIT_CONFIG, "misconfigured")
    expected = (
        f"Trunkline is not installed for {python} (No module named 'runtime')"
        if wire is None
        else f"the Trunkline of {python} speaks version "
    )
    assert words["text"].startswith(expected)
    assert done.stderr.decode().startswith(expected)
