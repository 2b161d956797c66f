"""Loads a plugin from the boot object: manifest, secrets, configuration, directories, import.

Each fault ends the account with a text that names it, and with ``Misconfigured`` where a
retry cannot help.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from ipc.frames.bootstrap import WorkerBoot
from workers.errors import Misconfigured, Transient
from workers.media.abilities import METHODS, PARTS, SERVED
from workers.plugin import Manifest
from workers.process.logging import Redaction
from workers.secrets import field_at, is_reference, resolve, secret_part


def import_object(reference: str) -> Any:
    """Import and return the object ``package.module:name``. Raises what the import raises."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def manifest_of(boot: WorkerBoot) -> Manifest:
    """Return the manifest that the boot object names."""
    manifest = import_object(boot.manifest)
    if not isinstance(manifest, Manifest):
        raise Misconfigured(
            f"{boot.manifest} is {type(manifest).__name__}, not a Manifest", final=True
        )
    return manifest


class Configurable(Protocol):
    """What the manifests of channels and agents have in common."""

    @property
    def config(self) -> type[msgspec.Struct]:
        """The struct of the configuration."""

    @property
    def secrets(self) -> frozenset[str]:
        """Its fields that hold secrets."""

    @property
    def secret_parts(self) -> Mapping[str, Callable[[str], str | None]]:
        """Its fields of which a part is secret."""


async def config_of(boot: WorkerBoot, manifest: Configurable, redact: Redaction) -> Any:
    """Return the account's configuration as the manifest's struct, secrets resolved.

    ``redact`` learns every secret before it can be part of an error. Raises ``Misconfigured``.
    """
    outside = any(is_reference(boot.config, name) for name in manifest.secrets)
    if outside:
        # A thread: a password store may take seconds, and SIGTERM must be handled meanwhile.
        config = await asyncio.to_thread(resolve, boot.config, manifest.secrets)
    else:
        config = dict(boot.config)
    for name in manifest.secrets:
        redact.learn(field_at(config, name))
    for name, split in manifest.secret_parts.items():
        found = field_at(config, name)
        texts = found if isinstance(found, list) else [found]
        redact.learn([secret_part(split, text) for text in texts if isinstance(text, str)])
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
        raise Transient(f"{path}: {error.strerror}") from None


def plugin_class(manifest: Manifest) -> Any:
    """Import the plugin, SDK and all.

    Raises ``Misconfigured`` when its extra is not installed (of a channel of Trunkline's own, what
    Trunkline is installed with), or when it has no method for what the manifest promises.
    """
    try:
        found = import_object(manifest.plugin)
    except ModuleNotFoundError as error:
        name = f"channel {manifest.id}"
        if (lacking := not_installed(name, manifest.plugin, manifest.extra, error)) is None:
            raise
        raise lacking from None
    if missing := without_method(found, manifest.can):
        raise Misconfigured(
            f"{manifest.plugin} has no method for {', '.join(missing)}: write it, or leave the"
            f" word out of `can` in the manifest of {manifest.id}",
            final=True,
        )
    return found


def not_installed(
    name: str, reference: str, extra: Sequence[str], error: ModuleNotFoundError
) -> Misconfigured | None:
    """Return the error for an import that lacks a package of ``extra``.

    What Trunkline brings itself needs what Trunkline is installed with. ``None`` for the package of
    other people that has not named what it needs.
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
    """Return the words of ``can`` that ``plugin`` has no method for, sorted.

    ``act`` is a method for all that clients call.
    """
    acts = callable(getattr(plugin, "act", None))
    wanted = can & SERVED if acts else can - PARTS
    return sorted(
        word
        for word in wanted
        if word not in METHODS | SERVED or not callable(getattr(plugin, word, None))
    )
