"""Loads a plugin from the boot object: manifest, secrets, configuration, directories, import.

Each error ends the account with a text that names the fault, as ``Misconfigured`` if retrying
cannot help.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from ipc.frames.bootstrap import WorkerBoot
from workers.errors import Misconfigured, Transient
from workers.media.abilities import METHODS, PARTS, SERVED
from workers.plugin import Manifest
from workers.process.logging import Redaction
from workers.secrets import field_at, is_reference, resolve, secret_part

M = TypeVar("M")


def import_object(reference: str) -> Any:
    """Import and return the object ``package.module:name``. Raises what the import raises."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def manifest_of(boot: WorkerBoot, kind: type[M]) -> M:
    """Return the manifest that the boot object names, which must be of this kind."""
    manifest = import_object(boot.manifest)
    if not isinstance(manifest, kind):
        text = f"{boot.manifest} is {type(manifest).__name__}, not {kind.__name__}"
        raise Misconfigured(text, final=True)
    return manifest


class Configurable(Protocol):
    """The common part of the manifests of channels and agents."""

    @property
    def config(self) -> type[msgspec.Struct]:
        """The struct of the configuration."""

    @property
    def secrets(self) -> frozenset[str]:
        """The fields that contain secrets."""

    @property
    def secret_parts(self) -> Mapping[str, Callable[[str], str | None]]:
        """The fields of which a part is secret."""


async def config_of(boot: WorkerBoot, manifest: Configurable, redact: Redaction) -> Any:
    """Return the account's configuration as the manifest's struct, with secrets resolved.

    ``redact`` learns every secret before it can be part of an error. Raises ``Misconfigured``.
    """
    outside = any(is_reference(boot.config, name) for name in manifest.secrets)
    if outside:
        # A thread: a password store may take seconds, and SIGTERM must be handled meanwhile.
        config = await asyncio.to_thread(resolve, boot.config, manifest.secrets)
    else:
        config = dict(boot.config)
    for name in manifest.secrets:
        redact.add(field_at(config, name))
    for name, split in manifest.secret_parts.items():
        found = field_at(config, name)
        texts = found if isinstance(found, list) else [found]
        redact.add([secret_part(split, text) for text in texts if isinstance(text, str)])
    try:
        return msgspec.convert(config, manifest.config)
    except msgspec.ValidationError as error:
        text = redact(f"configuration of {boot.key}: {error}")
        raise Misconfigured(text, final=not outside) from None


def make_directory(path: Path) -> None:
    """Create a directory with mode 0700. Raises ``Transient`` when that fails."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        from ipc.permissions import describe  # late: a worker that can create it has no need of it

        raise Transient(describe(error)) from None


def plugin_class(manifest: Manifest) -> Any:
    """Import the plugin's class, with its SDK.

    Raises ``Misconfigured`` if its extra is not installed (for a built-in channel, an extra of
    Trunkline), or if a method is missing that the manifest declares.
    """
    found = import_class(f"channel {manifest.id}", manifest.plugin, manifest.extra)
    if missing := without_method(found, manifest.can):
        raise Misconfigured(
            f"{manifest.plugin} has no method for {', '.join(missing)}: write it, or leave the"
            f" word out of `can` in the manifest of {manifest.id}",
            final=True,
        )
    return found


def import_class(name: str, reference: str, extra: Sequence[str]) -> Any:
    """Import the class of a channel or a kind of agent, called ``name`` in errors.

    Raises ``Misconfigured`` if a package is missing that ``extra`` names.
    """
    try:
        return import_object(reference)
    except ModuleNotFoundError as error:
        if (lacking := _not_installed(name, reference, extra, error)) is None:
            raise
        raise lacking from None


def _not_installed(
    name: str, reference: str, extra: Sequence[str], error: ModuleNotFoundError
) -> Misconfigured | None:
    """Return the error for a failed import if a package of ``extra`` is missing.

    Built-in channels need extras of Trunkline. ``None`` for a third-party package that does not
    name its requirements.
    """
    packages = extra or (["trunkline"] if reference.startswith("workers.") else [])
    if not packages:
        return None
    again = "" if extra else "--force-reinstall "
    return Misconfigured(
        f"{name} needs {', '.join(packages)} ({error.msg});"
        f" install: {sys.executable} -m pip install {again}{' '.join(packages)}",
        final=bool(extra),
    )


def without_method(plugin: type, can: frozenset[str]) -> list[str]:
    """Return the words of ``can`` for which ``plugin`` has no method, sorted.

    A method ``act`` covers all actions that clients call.
    """
    acts = callable(getattr(plugin, "act", None))
    wanted = can & SERVED if acts else can - PARTS
    return sorted(
        word
        for word in wanted
        if word not in METHODS | SERVED or not callable(getattr(plugin, word, None))
    )
