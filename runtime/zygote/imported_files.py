"""Remembers the files of imported modules, and finds out whether any has changed since.

By this a zygote notices that its children would run code that is no longer on the disk: after an
upgrade of a package, or an edit of one that is installed editable.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable

CODE = (".py", ".pyc", ".so")
MOST_FILES = 10_000  # of the packages that are looked through

# Modification time in ns, size and inode: a file that was put in place of another has another one.
FileStamp = tuple[int, int, int]


class ImportedFiles:
    """The files of all modules imported since ``before``, and of the whole packages of ``modules``.

    Whole packages, because modules that a plugin imports later, in a worker, must match those that
    it imported before.
    """

    def __init__(self, before: Collection[str], modules: Iterable[str]) -> None:
        self._files = _files_of(name for name in list(sys.modules) if name not in before)
        self._directories = _directories_of(modules)
        self._stamps = self._read_stamps()

    def has_changed(self) -> bool:
        """Return whether a file has changed, disappeared or appeared since."""
        return self._read_stamps() != self._stamps

    def _read_stamps(self) -> dict[str, FileStamp | None]:
        found = set(self._files)
        for directory in self._directories:
            found |= _code_below(directory)
        return {path: _stamp(path) for path in found}


def _files_of(names: Iterable[str]) -> set[str]:
    """Return the files of imported modules; built-in modules and odd objects have none."""
    found = set()
    for name in names:
        try:
            file = vars(sys.modules[name]).get("__file__")
        except (KeyError, TypeError):  # something else may stand there
            continue
        if isinstance(file, str):
            found.add(file)
    return found


def _directories_of(modules: Iterable[str]) -> list[str]:
    """Return the directories of packages among these modules, and of those that contain one."""
    found = set()
    for name in modules:
        module = sys.modules.get(name)
        package = name if hasattr(module, "__path__") else name.rpartition(".")[0]
        file = getattr(sys.modules.get(package), "__file__", None)
        if isinstance(file, str):
            found.add(os.path.dirname(file))
    inner = {each for each in found if any(_below(each, other) for other in found)}
    return sorted(found - inner)


def _below(directory: str, other: str) -> bool:
    return directory.startswith(other + os.sep)


def _code_below(directory: str) -> set[str]:
    """Return the code files in a directory tree."""
    found: set[str] = set()
    for place, directories, files in os.walk(directory):
        directories[:] = [each for each in directories if each != "__pycache__" and each[0] != "."]
        found |= {os.path.join(place, each) for each in files if each.endswith(CODE)}
        if len(found) > MOST_FILES:
            break
    return found


def _stamp(path: str) -> FileStamp | None:
    """Return what identifies this version of a file; ``None`` if there is no file."""
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino
