"""A process as it goes to the zygote: pickled, through a pipe, and unknown to multiprocessing."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle

from runtime.zygote.forked import fork, write_bootstrap


def test_what_the_child_is_to_run_goes_through_its_pipe() -> None:
    reader, writer = os.pipe()
    asked: list[bool] = []

    def request_pid() -> int:
        asked.append(True)
        return 12345

    assert fork("tests.support.targets:leave", b"7", writer, request_pid) == 12345
    os.close(writer)
    with open(reader, "rb") as pipe:
        body = io.BytesIO(pipe.read())
    preparation = pickle.load(body)
    process = pickle.load(body)
    assert asked == [True]
    assert not [name for name in preparation if name.startswith("init_main")]
    (unit,) = process._args  # what multiprocessing will call it with
    assert unit.args == ("tests.support.targets:leave", b"7")
    assert body.read() == b""
    assert multiprocessing.active_children() == []


def test_a_child_that_has_died_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    write_bootstrap(writer, b"payload")
    os.close(writer)


def test_a_payload_larger_than_the_pipe_arrives_whole() -> None:
    reader, writer = os.pipe()
    body = bytes(range(256)) * 4096
    with os.fdopen(os.dup(reader), "rb") as pipe:
        os.close(reader)
        pid = os.fork()
        if pid == 0:
            write_bootstrap(writer, body)
            os._exit(0)
        os.close(writer)
        assert pipe.read() == body
        os.waitpid(pid, 0)
