"""The configuration from afar: ``config.get``, ``set``, ``patch``, ``apply``, ``schema*``.

The file is read, checked and written in a thread; then the supervisor takes it over as after
any change. Refusals have the words of OpenClaw's gateway, which its clients look for.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec
import pyjson5
from msgspec import UNSET

from ipc.errors import RemoteError
from ipc.frames.requests import NoParams, PlaceParams, WriteParams
from ipc.frames.words import INVALID_REQUEST
from runtime.config.errors import ConfigError, Problem
from runtime.config.load import Loaded
from runtime.config.schema import hints, look_up, schema
from runtime.supervisor.api.table import method

if TYPE_CHECKING:
    from runtime.supervisor.supervisor import Supervisor

SHOWN_PROBLEMS = 3
REQUIRED = "config base hash required; re-run config.get and retry"
CHANGED = "config changed since last load; re-run config.get and retry"


@method("config.get", NoParams)
async def _get(supervisor: Supervisor, params: NoParams) -> Any:
    return await supervisor.remote.aside(_shown, supervisor)


@method("config.set", WriteParams)
async def _set(supervisor: Supervisor, params: WriteParams) -> Any:
    return await _write(supervisor, params, _writing().set_text, params.raw)


@method("config.apply", WriteParams)
async def _apply(supervisor: Supervisor, params: WriteParams) -> Any:
    return await _write(supervisor, params, _writing().set_text, params.raw)


@method("config.patch", WriteParams)
async def _patch(supervisor: Supervisor, params: WriteParams) -> Any:
    try:
        patch = pyjson5.decode(params.raw)
    except pyjson5.Json5Exception as error:
        raise RemoteError(
            INVALID_REQUEST, f"config.patch raw is not JSON5: {error.args[0]}"[:500]
        ) from None
    if not isinstance(patch, dict):
        raise RemoteError(INVALID_REQUEST, "config.patch raw must be an object")
    return await _write(supervisor, params, _writing().patch_text, patch)


@method("config.schema", NoParams)
async def _schema(supervisor: Supervisor, params: NoParams) -> Any:
    manifests = supervisor.loaded.manifests

    def make() -> msgspec.Raw:
        answer = {
            "schema": schema(manifests),
            "uiHints": hints(manifests),
            "version": supervisor.version,
            "generatedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        return msgspec.Raw(msgspec.json.encode(answer))

    return await supervisor.remote.aside(make)


@method("config.schema.lookup", PlaceParams)
async def _lookup(supervisor: Supervisor, params: PlaceParams) -> Any:
    manifests = supervisor.loaded.manifests

    def find() -> msgspec.Raw | None:
        found = look_up(schema(manifests), hints(manifests), params.path)
        return None if found is None else msgspec.Raw(msgspec.json.encode(found))

    answer = await supervisor.remote.aside(find)
    if answer is None:
        raise RemoteError(INVALID_REQUEST, "config schema path not found")
    return answer


def _writing() -> ModuleType:
    """Return what reads and writes the file as text: 15 ms of imports that no start waits for."""
    return importlib.import_module("runtime.config.edit.whole")


def _shown(supervisor: Supervisor) -> msgspec.Raw:
    """Return the file as JSON text: made here, for encoding a large one takes its time too."""
    loaded, seal = supervisor.loaded, supervisor.remote.seal
    found = _writing().snapshot(loaded.path, loaded.manifests, supervisor.remote.load)
    answer: dict[str, Any] = {
        "path": str(loaded.path),
        "exists": found.exists,
        "raw": found.raw,
        "config": found.values,
        "valid": not found.problems,
        "issues": [_issue(problem) for problem in found.problems],
        "warnings": [{"path": "", "message": text} for text in supervisor.warnings],
        "legacyIssues": [],
        "includedPaths": [],
        "appliedConfigHash": seal(loaded.revision),
    }
    if found.revision:
        answer["hash"] = answer["configRevisionHash"] = seal(found.revision)
    return msgspec.Raw(msgspec.json.encode(answer))


async def _write(
    supervisor: Supervisor, params: WriteParams, write: Callable[..., Loaded], change: Any
) -> Any:
    before, seal = supervisor.loaded, supervisor.remote.seal

    def check(revision: str) -> None:
        if params.base_hash is UNSET:
            raise RemoteError(INVALID_REQUEST, REQUIRED)
        if params.base_hash.strip() != seal(revision):
            raise RemoteError(INVALID_REQUEST, CHANGED)

    def do() -> tuple[Loaded, msgspec.Raw]:
        loaded = write(before.path, change, check, before.manifests, supervisor.remote.load)
        found = _writing().snapshot(before.path, before.manifests)
        return loaded, msgspec.Raw(msgspec.json.encode(found.values))

    try:
        loaded, values = await supervisor.remote.aside(do)
    except ConfigError as error:
        raise refusal(error) from None
    taken = supervisor.reload(loaded)
    answer = {"ok": True, "path": str(before.path), "hash": seal(loaded.revision)}
    answer |= {"config": values, "restart": _restart(taken["gateway"])}
    return answer | {name: taken[name] for name in ("added", "removed", "changed") if name in taken}


def _restart(done: str) -> dict[str, Any] | None:
    """Say whether the gateway is replaced; it answers this call first."""
    if done in ("unchanged", "waits"):
        return None
    return {"ok": True, "delayMs": 0, "reason": f"gateway settings changed: {done}"}


def refusal(error: ConfigError) -> RemoteError:
    """Return what is wrong with a configuration as the protocol says it."""
    said = [str(problem) for problem in error.problems[:SHOWN_PROBLEMS]]
    more = len(error.problems) - len(said)
    text = "; ".join(said) + (f" (+{more} more issue{'s' if more > 1 else ''})" if more else "")
    if len(error.problems) != 1 or error.problems[0].path:
        text = f"invalid config: {text}"
    issues = [_issue(problem) for problem in error.problems]
    return RemoteError(INVALID_REQUEST, text[:2000], details={"issues": issues})


def _issue(problem: Problem) -> dict[str, Any]:
    return {"path": problem.path, "message": problem.text}
