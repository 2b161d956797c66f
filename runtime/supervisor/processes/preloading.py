"""Decides what is imported before accounts start, and by which zygote. Pure.

The base zygote imports Trunkline's own channels. The plugin of any other channel is imported by a
zygote of that channel only, so that a bad import affects no other. The same holds for kinds of
agents.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ipc.frames.words import AGENT
from runtime.config.worker_spec import WorkerSpec
from workers.agent import AgentManifest
from workers.plugin import Manifest, Media

RENDERER = "workers.text.markdown"  # what reads Markdown, for channels that have markup
FILES = "workers.media.outgoing"  # with the store, as far as it needs no aiohttp
BUILT_IN = ("workers.channels.", "workers.agents.")

IMPORT_SECONDS = 60.0  # then an import counts as hanging, and accounts wait for it no longer
LONG_SECONDS = 5.0  # an import that takes longer is reported to operators
LARGE_BYTES = 256 << 20  # and of one that takes more memory
# A single account shares with nobody: its zygote is kept only where to import again takes longer.
WORTH_KEEPING_SECONDS = 1.0
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 60.0, 3600.0


class ChannelPlan(msgspec.Struct, frozen=True):
    """The modules for the zygote of a channel, the plugin last, and its accounts.

    ``memory`` is the largest memory limit of its accounts in bytes; ``None``: no limit.
    """

    modules: tuple[str, ...]
    keys: frozenset[str]
    memory: int | None = None

    @property
    def plugin(self) -> str:
        """The module of the plugin."""
        return self.modules[-1]


class PreloadPlan(msgspec.Struct, frozen=True):
    """The modules for the base zygote, and the channels with their own zygote, by id."""

    base: list[str] = msgspec.field(default_factory=list)
    channels: dict[str, ChannelPlan] = msgspec.field(default_factory=dict)


class ImportReport(msgspec.Struct, frozen=True):
    """The report of a channel's zygote about its imports.

    ``threads`` counts the threads that they started, ``sound`` is whether forks survive.
    """

    seconds: float
    bytes: int = 0
    threads: int = 0
    sound: bool = True
    error: str | None = None


def plan(workers: Iterable[WorkerSpec]) -> PreloadPlan:
    """Return the imports for accounts and agents that can start and share memory with others."""
    used = [
        spec for spec in workers if spec.enabled and spec.configured and spec.launcher == "zygote"
    ]
    channels_used = [each.manifest for each in used if isinstance(each.manifest, Manifest)]
    base = {RENDERER} if any(each.text.dialect != "plain" for each in channels_used) else set()
    if any(each.media != Media() for each in channels_used):
        base.add(FILES)
    channels: dict[str, list[WorkerSpec]] = {}
    for spec in used:
        if _is_built_in(spec):
            base.update(_modules(spec))
        else:
            channels.setdefault(_sharing(spec), []).append(spec)
    return PreloadPlan(sorted(base), {name: _channel(specs) for name, specs in channels.items()})


def _is_built_in(spec: WorkerSpec) -> bool:
    """Return whether a plugin is Trunkline's own, so that its imports are trusted."""
    built_in = all(module.startswith(BUILT_IN) for module in _modules(spec))
    return built_in and not spec.manifest.extra


def _sharing(spec: WorkerSpec) -> str:
    """Return the name under which it shares imports: its channel, or its kind of agent."""
    return f"{AGENT}:{spec.manifest.id}" if spec.is_agent else spec.channel


def _modules(spec: WorkerSpec) -> list[str]:
    references = (spec.manifest_ref, spec.code)
    return list(dict.fromkeys(each.partition(":")[0] for each in references if each))


def _channel(specs: list[WorkerSpec]) -> ChannelPlan:
    bounds = [spec.limits.memory_hard_bytes for spec in specs]
    known = [each for each in bounds if each is not None]
    *manifest, plugin = _modules(specs[0])
    return ChannelPlan(
        modules=(*manifest, *_late(specs), plugin),
        keys=frozenset(spec.key for spec in specs),
        memory=max(known) if len(known) == len(bounds) else None,
    )


def _late(specs: list[WorkerSpec]) -> Sequence[str]:
    """Return modules that are preloaded only if several agents of a kind share them."""
    kind = specs[0].manifest
    return kind.late if isinstance(kind, AgentManifest) and len(specs) > 1 else ()


def report_of(said: Any) -> ImportReport:
    """Parse a report, which a plugin may have forged; raises ``ValueError``."""
    return msgspec.convert(said, ImportReport)


def obstacle(report: ImportReport) -> str | None:
    """Return why no account may be forked from a process with these imports; ``None`` if it may."""
    if report.error is not None:
        return f"it fails: {report.error}"
    if report.threads:
        threads = "a thread" if report.threads == 1 else f"{report.threads} threads"
        return f"it starts {threads}, which a fork would lack"
    if not report.sound:
        return "it breaks every process that is forked after it"
    return None


def is_worth_keeping(accounts: int, seconds: float) -> bool:
    """Return whether to keep a zygote whose imports took ``seconds`` for the next start."""
    return accounts > 1 or seconds >= WORTH_KEEPING_SECONDS


def retry_after(failures: int) -> float:
    """Return the seconds to wait before retrying an import after so many failures in a row."""
    doublings = min(failures - 1, 30)
    return min(FIRST_RETRY_SECONDS * 2.0**doublings, LAST_RETRY_SECONDS)


def importing_for(plugin: str, seconds: float) -> str | None:
    """Return a sentence about a running import that takes long; ``None`` if it does not."""
    if seconds < LONG_SECONDS:
        return None
    return (
        f"the import of {plugin} has taken {seconds:.0f} s so far: the accounts of its channel wait"
        f" for it, {IMPORT_SECONDS:.0f} s at most; others do not"
    )


def imported_in(plugin: str, report: ImportReport) -> str | None:
    """Return a sentence about an import that took long or much memory; ``None`` if it did not."""
    cost = []
    if report.seconds >= LONG_SECONDS:
        cost.append(f"{report.seconds:.1f} s, for which the first accounts of its channel waited")
    if report.bytes >= LARGE_BYTES:
        cost.append(f"{report.bytes >> 20} MiB of memory, which the accounts of its channel share")
    return f"the import of {plugin} took {' and '.join(cost)}" if cost else None


def imported_alone(plugin: str, why: str, seconds: float) -> str:
    """Return a sentence about a plugin that each of its accounts imports itself, and why."""
    return (
        f"{plugin} is not imported for all accounts of its channel together: {why}"
        f" (seen after {seconds:.1f} s); each imports it alone now, with more time and memory"
    )
