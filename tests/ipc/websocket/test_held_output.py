"""Output that waits: in its order, in pieces of any size, at its cost."""

from __future__ import annotations

import random

import pytest

from ipc.websocket.held_output import PIECE_BYTES, HeldOutput


@pytest.mark.parametrize("most", [1, 2, 3, 7, 10, 11, 1000])
@pytest.mark.parametrize("lengths", [(3,), (10, 1), (1, 1, 1, 1, 1), (0, 5, 0, 7), (30, 2, 30)])
def test_what_is_taken_is_what_was_kept(lengths: tuple[int, ...], most: int) -> None:
    made = HeldOutput()
    pieces = [bytes(random.randbytes(length)) for length in lengths]
    cost = sum(map(made.add, pieces))
    assert made.size_bytes == cost == sum(lengths) + PIECE_BYTES * len(lengths)
    taken = []
    while made:
        taken.append(made.pop(most))
        assert len(taken[-1]) <= most
    assert b"".join(taken) == b"".join(pieces)
    assert all(len(each) == most for each in taken[:-1] if sum(lengths) > most)
    assert made.size_bytes == 0


def test_a_piece_costs_its_size_until_the_last_of_it_is_taken() -> None:
    made = HeldOutput()
    made.add(b"x" * 100)
    made.pop(99)
    assert made.size_bytes == 100 + PIECE_BYTES
    made.clear()
    assert (made.size_bytes, bool(made)) == (0, False)
    made.add(b"new")
    assert made.pop(9) == b"new"
