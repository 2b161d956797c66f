"""What a new process does before and around its work; through the launcher: ``test_process``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Ended:
    code: int
    words: list[dict[str, str]]
    out: str
    err: str


def start(function: str, boot: bytes, *more: str, supervisor: int | None = None) -> Ended:
    """Run ``exec_main`` or ``exec_command`` in an interpreter of its own, as the launcher does."""
    boot_reader, boot_writer = os.pipe()
    words_reader, words_writer = os.pipe()
    names = f"boot={boot_reader},words={words_writer}"
    arguments = (supervisor or os.getpid(), names, *more)
    code = f"from runtime.zygote.child import {function}; {function}(*{arguments!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        pass_fds=[boot_reader, words_writer],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    os.close(boot_reader)
    os.close(words_writer)
    os.write(boot_writer, boot)
    os.close(boot_writer)
    out, err = process.communicate(timeout=60)
    with open(words_reader, "rb") as words:
        lines = [json.loads(line) for line in words]
    return Ended(process.returncode, lines, out, err)


def run_target(target: str, payload: bytes = b"", **more: Any) -> Ended:
    return start("exec_main", payload, "{}", "irc:a#1", target, **more)


@pytest.mark.parametrize("code", [0, 75, 78])
def test_the_process_ends_with_the_code_of_its_target(code: int) -> None:
    assert run_target("tests.support.targets:leave", str(code).encode()).code == code


def test_an_exception_is_printed_and_is_the_last_word() -> None:
    ended = run_target("tests.support.targets:fail", b"nick")
    assert (ended.code, ended.words) == (1, [{"cause": "failed", "text": "KeyError: 'nick'"}])
    assert "Traceback" in ended.err


def test_a_target_that_does_not_exist_is_the_last_word() -> None:
    ended = run_target("tests.support.targets:none_such")
    assert ended.code == 1
    assert ended.words[0]["text"].startswith("AttributeError")


def test_the_probe_s_target_returns_zero() -> None:
    assert run_target("runtime.zygote.child:nothing").code == 0


def test_a_supervisor_that_is_gone_ends_the_child_before_its_work() -> None:
    ended = run_target("tests.support.targets:fail", supervisor=1)
    assert (ended.code, ended.words) == (1, [])


def test_a_child_whose_supervisor_died_before_it_was_adopted_ends() -> None:
    code = "from runtime.zygote.child import await_adoption; await_adoption(0, 1 << 22)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 1


SHOW = """
import os
print(os.environ.get("PYTHONPATH"), os.environ["SECRET"], len(os.listdir("/proc/self/fd")))
"""


def foreign(*command: str, path: str | None = None) -> Ended:
    wanted: dict[str, Any] = {"command": command, "env": {"SECRET": "s"}, "path": path}
    return start("exec_command", json.dumps(wanted).encode())


@pytest.mark.parametrize("path", [None, "/their/modules"])
def test_a_foreign_program_gets_its_environment_and_nothing_of_ours(path: str | None) -> None:
    ended = foreign(sys.executable, "-c", SHOW, path=path)
    streams_and_the_listing = 4
    assert ended.out.split() == [str(path), "s", str(streams_and_the_listing)]
    assert (ended.code, ended.words) == (0, [])


def test_a_foreign_program_that_is_not_there_needs_a_person(tmp_path: Path) -> None:
    ended = foreign(str(tmp_path / "none"))
    text = f"{tmp_path}/none: No such file or directory"
    assert (ended.code, ended.words) == (78, [{"cause": "misconfigured", "text": text}])
    assert ended.err == f"{text}\n"
