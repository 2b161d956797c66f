"""The supervisor's end of the slots: it makes them once, hands them on, and can let go."""

from __future__ import annotations

import os
import resource
import socket

import pytest

from tests.support.young_slots import slots_rig


def files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_each_process_gets_the_same_slots_until_they_are_closed() -> None:
    with slots_rig() as rig, socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        with client, server:
            assert rig.inherit().reserve(server.fileno()) is not None
        ((_, sock),) = rig.inherit().filled()
        sock.close()
        rig.holders.close()
        assert rig.inherit().filled() == []  # these are new


def test_it_takes_sixty_five_files_and_gives_them_back() -> None:
    before = files()
    with slots_rig() as rig:
        with rig.holders.carrier() as fd:
            assert fd is not None
        assert files() == before + 65
        rig.holders.close()
        assert files() == before


def test_no_process_can_make_the_memory_smaller() -> None:
    with slots_rig() as rig, rig.holders.carrier() as fd:
        assert fd is not None
        with socket.socket(fileno=os.dup(fd)) as carrier:
            _, fds, _, _ = socket.recv_fds(carrier, 1, 65)
        try:
            with pytest.raises(PermissionError):
                os.ftruncate(fds[0], 0)
        finally:
            for each in fds:
                os.close(each)


def test_a_process_that_may_open_few_files_keeps_none(monkeypatch: pytest.MonkeyPatch) -> None:
    before = files()
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (1000, 1000))
    with slots_rig() as rig, rig.holders.carrier() as fd:
        assert fd is None
    assert files() == before


def test_where_no_more_files_are_to_be_had_nothing_is_left_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[socket.socket] = []
    real = socket.socket

    class Scarce(real):  # type: ignore[misc,valid-type]
        def bind(self, address: object) -> None:
            made.append(self)
            if len(made) > 10:
                raise OSError(24, "Too many open files")
            super().bind(address)

    before = files()
    monkeypatch.setattr(socket, "socket", Scarce)
    with slots_rig() as rig, rig.holders.carrier() as fd:
        assert fd is None
    assert files() == before
