"""Imports libraries without those of their modules that hardly ever run here.

Python has no such imports: a library imports at once what any of its functions may need. So while
it is imported, stand-ins take the place of such modules. They are in ``sys.modules`` no longer than
that: whatever imports one of these modules later gets the real one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


class LateModule(ModuleType):
    """A stand-in for a module, which is imported once something of it is called.

    ``whole`` is set when all that a library takes of it at its import has been taken: then any
    attribute is that of the module.
    """

    whole = False

    def __getattr__(self, name: str) -> Any:
        if self.whole:
            return getattr(import_module(self.__name__), name)
        if name.startswith("__"):
            raise AttributeError(name)
        return _late(self.__name__, name)


def _late(module: str, name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(import_module(module), name)(*args, **kwargs)

    return call


@contextmanager
def lean_import(*late: str, absent: Collection[str] = ()) -> Iterator[None]:
    """Replace modules while a library is imported in the block.

    Those in ``late`` come with their first use, those in ``absent`` cannot be imported. A module
    that is there already stays.
    """
    lacking = [name for name in late if name not in sys.modules]
    stand_ins = {name: LateModule(name) for name in lacking}
    hidden = [name for name in absent if name not in sys.modules]
    sys.modules.update(stand_ins)
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: not to be had
    for name, stand_in in stand_ins.items():
        # ``import a.b`` leaves it there, where functions of the library look for it: until
        # something imports the module, which takes this place.
        package, _, last = name.rpartition(".")
        if package:
            setattr(import_module(package), last, stand_in)
    try:
        yield
    finally:
        for name in (*stand_ins, *hidden):
            del sys.modules[name]
        for stand_in in stand_ins.values():
            stand_in.whole = True
