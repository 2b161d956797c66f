"""How one frame of the grammar becomes fifty: new ones from parts of two, or small damage. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import orjson

TOKENS = (
    *(b"{", b"}", b"[", b"]", b'"', b",", b":", b"null", b"true", b"-", b"1e999", b"0" * 40),
    *(b"\\u0000", b"\\ud800", b"\x00", b"\xff", b"\xc3\x28", b"\xf0\x9f\x92\xa9", b"[" * 70),
)


def recombined(families: Sequence[Sequence[dict[str, Any]]], random: Random) -> bytes:
    """Return a frame that obeys the grammar: one with something of another.

    A family is the requests of one method; most often the other is of the same.
    """
    family = random.choice(families)
    one = random.choice(family)
    other = random.choice(family if random.random() < 0.8 else random.choice(families))
    frame = dict(one)
    mine, theirs = one.get("params"), other.get("params")
    match random.randrange(6):
        case 0:
            frame["params"] = theirs
        case 1 if isinstance(mine, dict) and isinstance(theirs, dict) and theirs:
            key = random.choice(list(theirs))
            frame["params"] = {**mine, key: theirs[key]}
        case 2 if isinstance(mine, dict) and isinstance(theirs, dict):
            frame["params"] = mine | theirs
        case 3 if isinstance(mine, dict) and mine:
            left_out = random.choice(list(mine))
            frame["params"] = {key: value for key, value in mine.items() if key != left_out}
        case 4:
            frame["id"] = other.get("id", 1)
        case _:
            frame["method"] = other.get("method", "health")
    return orjson.dumps(frame)


def mutated(data: bytes, random: Random) -> bytes:
    """Return ``data`` with one to three changes."""
    for _ in range(random.randint(1, 3)):
        at = random.randint(0, len(data))
        match random.randrange(6):
            case 0:  # flip a bit
                if at < len(data):
                    flipped = data[at] ^ 1 << random.randrange(8)
                    data = data[:at] + bytes([flipped]) + data[at + 1 :]
            case 1:  # cut the end off
                data = data[:at]
            case 2:  # leave something out
                data = data[:at] + data[at + random.randint(1, 8) :]
            case 3:  # put something in
                data = data[:at] + random.choice(TOKENS) + data[at:]
            case 4:  # say something twice
                data = data[:at] + data[at : at + random.randint(1, 20)] + data[at:]
            case _:  # put something in the place of something
                token = random.choice(TOKENS)
                data = data[:at] + token + data[at + len(token) :]
    return data
