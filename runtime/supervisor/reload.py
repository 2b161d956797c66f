"""Applies a new configuration to the running supervisor, changing only what differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from msgspec.structs import asdict, replace

from ipc.epoch import now_ms
from ipc.errors import RemoteError
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE
from runtime.config.errors import ConfigError
from runtime.config.load import Loaded, doubtful_secrets
from runtime.config.model import Config
from runtime.config.variables import referenced
from runtime.supervisor.accounts.heartbeat import Silence
from runtime.supervisor.accounts.history import CHANGES, change_of
from runtime.supervisor.accounts.roster import Difference
from runtime.supervisor.parts import Parts
from runtime.supervisor.processes.preloading import plan
from runtime.supervisor.reactions import on_account_changed
from runtime.supervisor.status import pending, summary

log = structlog.get_logger("supervisor")


def reread_soon(
    parts: Parts, *, asked: bool = True, refused: Callable[[str], None] = lambda text: None
) -> None:
    """Run ``reread`` in a task; log an error, keep it for the status, pass it to ``refused``."""

    async def work() -> None:
        try:
            await reread(parts, asked=asked)
        except RemoteError as error:
            refused(error.message)

    parts.background.start("reading the configuration", work())


async def reread(parts: Parts, *, asked: bool = True) -> dict[str, Any]:
    """Read the file in a thread (a large one takes a second) and apply it."""
    try:
        loaded = await parts.offload.run(parts.configuration.read)
    except (ConfigError, OSError) as error:
        parts.configuration.refuse(error)
        raise RemoteError(INVALID_REQUEST, str(error)) from None
    return apply_config(parts, loaded, asked=asked)


def apply_config(
    parts: Parts, loaded: Loaded, *, asked: bool = True, by: str | None = None
) -> dict[str, Any]:
    """Apply ``loaded``; return what it changed, as JSON data.

    ``asked``: a person (``by``) requested it, even if the file has not changed. Raises
    ``RemoteError`` if the supervisor is ending.
    """
    if parts.shutdown.begun:
        raise RemoteError(UNAVAILABLE, "the supervisor is stopping")
    configuration = parts.configuration
    configuration.accept()
    if not asked and loaded.revision == configuration.revision:
        return {"revision": loaded.revision}
    parts.notifier.send_reloading()
    old = configuration.loaded
    configuration.apply(loaded)
    parts.launcher.withhold(referenced(loaded.raw))  # before anything is started
    parts.channel_zygotes.forget(parts.launcher.withheld)
    configuration.log_warnings()
    difference = _change_accounts(parts, old, loaded, by)
    parts.reports.mark_common()
    changed = loaded.revision != old.revision
    gateway = parts.reconfiguration.apply(asked=asked, changed=changed)
    done = {"revision": loaded.revision, "gateway": gateway, **asdict(difference)}
    log.info("configuration", **done, **({"by": by} if by else {}))
    if changed and not asked:
        edited = change_of("the configuration file was edited", at=now_ms(), by=None)
        parts.history.add(CHANGES, edited)
    parts.notifier.send_ready(summary(parts))
    return {**done, "warnings": [*configuration.warnings, *pending(parts)]}


def preview_config(parts: Parts, loaded: Loaded) -> dict[str, Any]:
    """Return what ``apply_config`` would change, as JSON data, without changing anything."""
    old = parts.configuration.loaded
    difference = parts.roster.difference(loaded.workers)
    if _thresholds(loaded.config) != _thresholds(old.config):
        difference = _with_all_changed(difference, loaded)
    need = parts.reconfiguration.preview(loaded, changed=loaded.revision != old.revision)
    found = doubtful_secrets(loaded, [*difference.added, *difference.changed])
    doubts = [{"path": each.path, "message": each.text} for each in found]
    return {**asdict(difference), "gateway": need.name.lower(), "doubts": doubts}


def _change_accounts(parts: Parts, old: Loaded, new: Loaded, by: str | None) -> Difference:
    preloading = plan(new.workers.values())
    if preloading.base != plan(old.workers.values()).base:  # before what needs it is started
        parts.background.start("replacing the zygote", parts.zygote.replace(preloading.base))
    parts.channel_zygotes.apply(preloading)
    _change_thresholds(parts, new.config)
    difference = parts.roster.apply_specs(new.workers, by)
    if _thresholds(new.config) != _thresholds(old.config):  # which are every worker's
        difference = _with_all_changed(difference, new)
    parts.roster.apply_limits(parts.launcher.limit)
    for key in difference.changed:
        on_account_changed(parts, parts.roster.workers[key])
    return difference


def _with_all_changed(difference: Difference, new: Loaded) -> Difference:
    others = [key for key in new.workers if key not in difference.added]
    return replace(difference, changed=others)


def _change_thresholds(parts: Parts, config: Config) -> None:
    """Apply the supervisor's own thresholds and limits, which no other process has."""
    own = config.supervisor
    parts.starts.set_limit(own.start_concurrency)
    parts.logs.reconfigure(config.logging)
    for account in parts.roster.workers.values():
        account.set_silence(Silence(own.suspect_after_seconds, own.silent_after_seconds))


def _thresholds(config: Config) -> tuple[float, ...]:
    """Return the intervals and bounds by which every worker is watched."""
    own = config.supervisor
    return own.beat_seconds, own.suspect_after_seconds, own.silent_after_seconds
