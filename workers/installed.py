"""Finds channels and kinds of agents of installed packages, by entry point.

Only manifests are imported, never an SDK. A package that cannot be imported spoils what it provides
and nothing else: it becomes a warning, and whatever uses it shows why it cannot run.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import (
    Callable,
    Collection,
    ItemsView,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    ValuesView,
)
from functools import partial
from importlib import import_module
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from ipc.frames.words import ID as ID

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ID_RULE = "1 to 64 letters, digits, '.', '_' or '-', the first one a letter or digit"
_REFERENCE = re.compile(r"[\w.]+:\w+")

M = TypeVar("M")
FlawOf = Callable[[str, object], str | None]


class UnusableManifest(Exception):
    """The error of a manifest that cannot be used; the text is the reason."""


class InstalledManifest(msgspec.Struct, Generic[M], frozen=True):
    """A usable manifest. ``ref`` is its import string.

    ``python`` is the interpreter for which it is installed, where that is not this one.
    """

    manifest: M
    ref: str
    package: str
    python: str | None = None


class InstalledManifests(MutableMapping[str, InstalledManifest[M]]):
    """The usable manifests by id. ``broken`` holds the reason for each id that is unusable.

    Trunkline's own are imported when they are asked for: a configuration names few of them.
    """

    def __init__(self) -> None:
        self.broken: dict[str, str] = {}
        self.warnings: list[str] = []
        self._known: dict[str, InstalledManifest[M]] = {}
        self._unread: dict[str, Callable[[], None]] = {}

    def __getitem__(self, id: str) -> InstalledManifest[M]:
        self._read([id])
        return self._known[id]

    def __setitem__(self, id: str, manifest: InstalledManifest[M]) -> None:
        self._unread.pop(id, None)
        self._known[id] = manifest

    def __delitem__(self, id: str) -> None:
        if self._unread.pop(id, None) is None:
            del self._known[id]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._known, *self._unread])

    def __len__(self) -> int:
        return len(self._known) + len(self._unread)

    def values(self) -> ValuesView[InstalledManifest[M]]:
        """Return all manifests, importing each."""
        self._read(list(self._unread))
        return super().values()

    def items(self) -> ItemsView[str, InstalledManifest[M]]:
        """Return all manifests with their ids, importing each."""
        self._read(list(self._unread))
        return super().items()

    def find(self, what: str, group: str, built_in: Mapping[str, str], flaw_of: FlawOf) -> None:
        """Return all installed ones. Never raises: faults are in ``warnings`` and ``broken``.

        ``what`` is the word for one of them, ``group`` that of its entry points, ``built_in`` has
        the import strings of Trunkline's own. Nothing is cached: the next call finds a package
        that was installed meanwhile.
        """

        def load(name: str, ref: str, package: str) -> None:
            try:
                self[name] = InstalledManifest(load_manifest(name, ref, flaw_of), ref, package)
            except UnusableManifest as error:
                self.broken.setdefault(name, f"{package}: {error}")
                self.warnings.append(f"{what} {name} of {package} cannot be used: {error}")

        for name, ref in built_in.items():
            self._unread[name] = partial(load, name, ref, "trunkline")
        for name, ref, package in _others(group, built_in):
            if name in built_in or name in self._known:
                holder = "built in" if name in built_in else f"provided by {self[name].package}"
                self.warnings.append(f"{what} {name} of {package} is ignored: {name} is {holder}")
            else:
                load(name, ref, package)

    def _read(self, ids: Iterable[str]) -> None:
        for each in ids:
            if (load := self._unread.pop(each, None)) is not None:
                load()


def load_manifest(id: str, ref: str, flaw_of: FlawOf) -> Any:
    """Import the manifest ``ref`` (``package.module:name``) of ``id``.

    ``flaw_of(id, manifest)`` returns what makes one unusable. Raises ``UnusableManifest``;
    ``KeyboardInterrupt`` passes, it is the operator's.
    """
    module, _, name = ref.partition(":")
    try:
        manifest = getattr(import_module(module), name or "manifest")
    except KeyboardInterrupt:
        raise  # from the operator, not from the package
    except BaseException as error:  # noqa: BLE001 - another package's import may raise anything
        raise UnusableManifest(f"{ref}: {type(error).__name__}: {error}") from None
    if problem := flaw_of(id, manifest):
        raise UnusableManifest(f"{ref} {problem}")
    return manifest


def flaw_of_identity(id: str, named: object) -> str | None:
    """Return what is wrong with the id in a manifest, ``None`` if nothing."""
    if named != id:
        return f"calls itself {named!r}, but its entry point is named {id!r}"
    return None if ID.match(id) else f"has the id {id!r}; allowed: {ID_RULE}"


def flaw_of_code(word: str, reference: str) -> str | None:
    """Return what is wrong with the import string of a class, ``None`` if nothing."""
    if _REFERENCE.fullmatch(reference):
        return None
    return f"has the {word} {reference!r}; allowed: package.module:Class"


def flaw_of_config(config: object) -> str | None:
    """Return what is wrong with the type of a configuration, ``None`` if nothing."""
    if isinstance(config, type) and issubclass(config, msgspec.Struct):
        return None
    return "has a config that is not a msgspec.Struct"


def flaw_of_fields(
    fields: Collection[str], secrets: Iterable[str], taken: Collection[str], whose: str
) -> str | None:
    """Return what is wrong with the names of a configuration's fields, ``None`` if nothing.

    ``taken`` are names of fields that every account has, or whatever ``whose`` names; ``secrets``
    name fields, or with dots what is inside them.
    """
    if both := sorted(set(fields) & set(taken)):
        return f"has config fields that every {whose} has already: {', '.join(both)}"
    named = {name.split(".")[0] for name in secrets}
    if strange := sorted(named - set(fields)):
        return f"lists secrets that are no config fields: {', '.join(strange)}"
    return None


def _others(group: str, built_in: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield id, import string and package of manifests of other packages, in order."""
    if not _may_be_installed(group):
        return
    # Late: it takes 7 ms and 1 MiB, and most installations have no channel but ours.
    from importlib.metadata import entry_points

    def order(point: EntryPoint) -> tuple[str, str, str]:
        return point.name, _package(point), point.value

    for point in sorted(set(entry_points(group=group)), key=order):
        if point.value != built_in.get(point.name):
            yield point.name, point.value, _package(point)


def _may_be_installed(group: str) -> bool:
    """Return whether a distribution may have entry points of ``group``; ``False`` is certain.

    Looks where ``importlib.metadata`` would, for files of entry points that name the group. Where
    distributions lie in archives, or are found by another finder, only that module can tell.
    """
    finders = [each for each in sys.meta_path if hasattr(each, "find_distributions")]
    if finders != [PathFinder]:
        return True
    return any(_names_group(folder or ".", group.encode()) for folder in sys.path)


def _names_group(folder: str, group: bytes) -> bool:
    if folder.endswith(".egg"):
        return True
    try:
        names = os.listdir(folder)
    except NotADirectoryError:
        return True  # an archive
    except OSError:
        return False
    for name in names:
        if name.lower().endswith((".dist-info", ".egg-info")):
            try:
                with open(f"{folder}/{name}/entry_points.txt", "rb") as points:
                    if group in points.read():
                        return True
            except OSError:
                continue
    return False


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "an unknown package"
