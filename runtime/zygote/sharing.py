"""Arranges the zygote's memory so that its children copy few of the pages that they share.

A page that a child writes to is copied. Three properties of CPython make children write more than
they need. The collector marks every object that it looks at. The cache of attribute lookups holds
the name of each, so a new entry writes to the name of the old one. And a small object goes into the
first hole that imports have left: every one into another page. Together they cost each worker
0.7 MiB.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

SIZES = range(16, 513, 16)  # of CPython's small objects
AT_MOST_BYTES = 128 * 1024  # of each size: where holes cannot be told from fresh memory
POOL_BYTES = 16 * 1024  # objects of one size lie in pools of this
POOL_HEADER_BYTES = 48
FRESH = 8  # objects in a row from the beginning of a pool: nothing is left to fill
BYTES_OVERHEAD = sys.getsizeof(b"")

_fillers: list[object] = []


def share() -> None:
    """Prepare all objects of this process to be shared with children that are forked later.

    Garbage is not looked for: what Trunkline imports leaves 0.1 MiB, and finding it takes longer
    than all this. Where the collector was off for the imports, it is on again afterwards.
    """
    clear = getattr(sys, "_clear_type_cache", None)  # of CPython alone
    if clear is not None:
        clear()
    _fill_holes()  # after that: what it frees are holes
    gc.freeze()
    gc.enable()


def _fill_holes() -> None:
    """Fill the holes between small objects, so that a child's new objects lie together."""
    for size in SIZES:
        make = _maker(size)
        fresh = last = 0
        for _ in range(AT_MOST_BYTES // size):
            filler = make()
            _fillers.append(filler)
            place = id(filler)
            if place % POOL_BYTES == POOL_HEADER_BYTES:
                fresh = 1
            elif fresh and place == last + size:
                fresh += 1
            else:
                fresh = 0
            if fresh == FRESH:
                break
            last = place


def _maker(size: int) -> Callable[[], object]:
    """Return a function that creates an object of this size that the collector does not track."""
    if size == 16:
        return object
    if size == 32:
        return complex
    length = size - BYTES_OVERHEAD
    return lambda: bytes(length)
