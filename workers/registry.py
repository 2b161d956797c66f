"""Find the installed channels: the built-in ones and those of other packages.

Only manifests are imported, never an SDK. A package that cannot be imported spoils its own
channel alone: it becomes a warning, and its accounts show why they cannot run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

import msgspec

from workers.plugin import Manifest

GROUP = "trunkline.channels"
# The only list of Trunkline's own channels. They have no entry points: a checkout may lack those,
# or have some of an older release. What Trunkline brings is there, and nothing takes its name.
BUILT_IN = {
    name: f"workers.channels.{name}:manifest"
    for name in ("local", "irc", "discord", "telegram", "slack", "webhook")
}
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")  # of a channel, and of an account
ID_RULE = "1 to 64 letters, digits, '.', '_' or '-', the first one a letter or digit"

# Fields that every account has: a channel cannot use these names for its own.
COMMON_FIELDS = frozenset(
    {
        "enabled",
        "name",
        "restart",
        "healthMonitor",
        "limits",
        "launcher",
        "python",
        "confine",
        "agent",
        "journal",
        "outbox",
        "ambiguous",
        "login",
        "proxy",
        "ingress",
        "dmPolicy",
        "allowFrom",
        "groupPolicy",
        "groupAllowFrom",
        "groups",
        "mentionPatterns",
        "accounts",
        "defaultAccount",
    }
)


@dataclass(frozen=True, slots=True)
class InstalledChannel:
    """A usable channel. ``ref`` is the import string of its manifest.

    ``python`` is the interpreter for which it is installed, where that is not this one.
    """

    manifest: Manifest
    ref: str
    package: str
    python: str | None = None


class Manifests(dict[str, InstalledChannel]):
    """The usable channels by id. ``broken`` holds the reason for each id that is unusable.

    Where a configuration names interpreters (``python``), ``unusable`` holds by interpreter why
    a channel cannot run there, by id; the empty interpreter is this one. ``base`` are then the
    channels without any configuration.
    """

    def __init__(self) -> None:
        super().__init__()
        self.broken: dict[str, str] = {}
        self.warnings: list[str] = []
        self.unusable: dict[str, dict[str, str]] = {}
        self.base: Manifests | None = None


class UnusableManifest(Exception):
    """A manifest cannot be used; the text is the reason."""


def manifests() -> Manifests:
    """Return all channels. Never raises: faults are listed in ``warnings`` and ``broken``.

    Nothing is cached: the next call finds a package that was installed meanwhile.
    """
    found = Manifests()
    for name, ref, package in _candidates():
        if name in found or (name in BUILT_IN and ref != BUILT_IN[name]):
            holder = "built in" if name in BUILT_IN else f"provided by {found[name].package}"
            found.warnings.append(f"channel {name} of {package} is ignored: {name} is {holder}")
            continue
        try:
            found[name] = InstalledChannel(load(name, ref), ref, package)
        except UnusableManifest as error:
            found.broken.setdefault(name, f"{package}: {error}")
            found.warnings.append(f"channel {name} of {package} cannot be used: {error}")
    return found


def load(id: str, ref: str) -> Manifest:
    """Import the manifest ``ref`` (``package.module:name``) of the channel ``id``.

    Raises ``UnusableManifest``; ``KeyboardInterrupt`` passes, it is the operator's.
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
    assert isinstance(manifest, Manifest)
    return manifest


def _candidates() -> Iterator[tuple[str, str, str]]:
    """Yield id, import string and package: the built-in ones first, then the others in order."""
    for name, ref in BUILT_IN.items():
        yield name, ref, "trunkline"

    def order(point: EntryPoint) -> tuple[str, str, str]:
        return point.name, _package(point), point.value

    for point in sorted(set(entry_points(group=GROUP)), key=order):
        if point.value != BUILT_IN.get(point.name):
            yield point.name, point.value, _package(point)


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "an unknown package"


def flaw_of(id: str, manifest: object) -> str | None:
    """Return what makes ``manifest`` unusable, ``None`` when nothing does."""
    if not isinstance(manifest, Manifest):
        return f"is {type(manifest).__name__}, not a workers.plugin.Manifest"
    if manifest.id != id:
        return f"calls itself {manifest.id!r}, but its entry point is named {id!r}"
    if not ID.match(id):
        return f"has the id {id!r}; allowed: {ID_RULE}"
    if not (isinstance(manifest.config, type) and issubclass(manifest.config, msgspec.Struct)):
        return "has a config that is not a msgspec.Struct"
    if not re.fullmatch(r"[\w.]+:\w+", manifest.plugin):
        return f"has the plugin {manifest.plugin!r}; allowed: package.module:Class"
    words = (
        manifest.label,
        manifest.detail_label,
        manifest.system_image,
        *manifest.actions,
        *manifest.can,
    )
    if not all(isinstance(word, str) for word in words):
        return "has a label, system_image or action that is not a string"
    try:
        msgspec.json.encode(manifest.status)
    except Exception as error:  # noqa: BLE001 - another package's objects may raise anything
        return f"has a status that is not JSON: {error}"
    fields = {each.encode_name for each in msgspec.structs.fields(manifest.config)}
    if taken := sorted(fields & COMMON_FIELDS):
        return f"has config fields that every account has already: {', '.join(taken)}"
    if manifest.groups != "groups" and manifest.groups not in fields:
        return f"lists groups in {manifest.groups}, which is no config field"
    named = {name.split(".")[0] for name in (*manifest.secrets, *manifest.secret_parts)}
    if strange := sorted(named - fields):
        return f"lists secrets that are no config fields: {', '.join(strange)}"
    return None
