"""Reads, checks and writes the configuration for operators, and returns its schema.

The file is read, checked and written in a thread, then applied like any change of it. Refusals use
the texts of OpenClaw's gateway, which its clients match.
"""

from __future__ import annotations

import importlib
import shlex
import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import msgspec
import pyjson5
from msgspec import UNSET

from ipc.errors import RemoteError
from ipc.frames.requests import NoParams, PlaceParams, ValidateParams, WriteParams
from ipc.frames.words import INVALID_REQUEST
from runtime.config.check import not_finite
from runtime.config.errors import ConfigError, ConfigUnwritten, Problem
from runtime.config.load import Loaded, doubts
from runtime.config.schema import find_at, hints, schema
from runtime.config.text.parse_errors import json5_problem
from runtime.supervisor.api.table import Caller, method
from runtime.supervisor.parts import Parts
from runtime.supervisor.reload import apply_config, preview_config

SHOWN_PROBLEMS = 3
REQUIRED = "config base hash required; re-run config.get and retry"
CHANGED = "config changed since last load; re-run config.get and retry"


@method("config.get", NoParams)
async def get(parts: Parts, params: NoParams) -> Any:
    """Return the file as text and as values, with secrets redacted, and its hash."""
    return await parts.offload.run(_shown, parts)


@method("config.set", WriteParams, asks_caller=True, changes=True)
async def set_text(parts: Parts, params: WriteParams, *, caller: Caller) -> Any:
    """Write the whole text and apply it."""
    return await _write(parts, params, _writing().set_text, params.raw, caller=caller)


@method("config.apply", WriteParams, asks_caller=True, changes=True)
async def apply(parts: Parts, params: WriteParams, *, caller: Caller) -> Any:
    """Write the whole text and apply it, as ``config.set``: every write is applied at once."""
    return await _write(parts, params, _writing().set_text, params.raw, caller=caller)


@method("config.patch", WriteParams, asks_caller=True, changes=True)
async def patch(parts: Parts, params: WriteParams, *, caller: Caller) -> Any:
    """Apply a merge patch to the file, and apply the result."""
    return await _write(parts, params, _writing().patch_text, _patch_in(params), caller=caller)


@method("config.validate", ValidateParams, asks_caller=True)
async def validate(parts: Parts, params: ValidateParams, *, caller: Caller) -> Any:
    """Return what a text would change, and refuse what a write would refuse."""
    change = _patch_in(params) if params.patch else params.raw
    check = _writing().check_patch if params.patch else _writing().check_text
    guard = _guard(parts, params, caller=caller, base_needed=False)
    path, manifests = parts.configuration.loaded.path, parts.configuration.loaded.manifests
    try:
        loaded = await parts.offload.run(lambda: check(path, change, guard, manifests))
    except ConfigError as error:
        raise refusal(error) from None
    return {"ok": True, **preview_config(parts, loaded)}


@method("config.schema", NoParams)
async def config_schema(parts: Parts, params: NoParams) -> Any:
    """Return the JSON Schema of the configuration and hints for showing its fields."""
    manifests = parts.configuration.loaded.manifests

    def make() -> msgspec.Raw:
        answer = {
            "schema": schema(manifests),
            "uiHints": hints(manifests),
            "version": parts.about.version,
            "generatedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        return msgspec.Raw(msgspec.json.encode(answer))

    return await parts.offload.run(make)


@method("config.schema.lookup", PlaceParams)
async def lookup(parts: Parts, params: PlaceParams) -> Any:
    """Return one part of that schema."""
    manifests = parts.configuration.loaded.manifests

    def find() -> msgspec.Raw | None:
        found = find_at(schema(manifests), hints(manifests), params.path)
        return None if found is None else msgspec.Raw(msgspec.json.encode(found))

    answer = await parts.offload.run(find)
    if answer is None:
        raise RemoteError(INVALID_REQUEST, "config schema path not found")
    return answer


def _patch_in(params: WriteParams) -> dict[str, Any]:
    """Parse the merge patch in the params; raises ``RemoteError``."""
    try:
        patch = pyjson5.decode(params.raw)
    except pyjson5.Json5DecoderException as error:
        wrong = json5_problem(params.raw, error)
        raise RemoteError(INVALID_REQUEST, f"config.patch raw {wrong}"[:500]) from None
    if not isinstance(patch, dict):
        raise RemoteError(INVALID_REQUEST, "config.patch raw must be an object")
    if problem := next(not_finite(patch), None):
        raise RemoteError(INVALID_REQUEST, f"config.patch raw: {problem}"[:500])
    return patch


def _writing() -> ModuleType:
    """Import the module that edits the file as text: 15 ms that no start waits for."""
    return importlib.import_module("runtime.config.edit.whole")


def _shown(parts: Parts) -> msgspec.Raw:
    """Return the file as JSON text, encoded in this thread: a large one takes its time."""
    from runtime.supervisor.api.remote_changes import patch_command  # late, as for a write

    loaded, seal = parts.configuration.loaded, parts.configuration.seal
    found = _writing().snapshot(loaded.path, loaded.manifests, parts.configuration.read)
    answer: dict[str, Any] = {
        "path": str(loaded.path),
        "exists": found.exists,
        "raw": found.raw,
        "config": found.values,
        "valid": not found.problems,
        "issues": [_issue(problem) for problem in found.problems],
        "warnings": [_issue(each) for each in doubts(loaded)],
        "legacyIssues": [],
        "includedPaths": [],
        "appliedConfigHash": seal(loaded.revision),
        "patchCommand": shlex.join(patch_command(parts.places)),  # ours: for local fields
    }
    if found.revision:
        answer["hash"] = answer["configRevisionHash"] = seal(found.revision)
    return msgspec.Raw(msgspec.json.encode(answer))


def _guard(parts: Parts, params: WriteParams, *, caller: Caller, base_needed: bool = True) -> Any:
    """Return the functions that may refuse a change of the file."""
    before, seal = parts.configuration.loaded, parts.configuration.seal

    def check(revision: str) -> None:
        if params.base_hash is UNSET:
            if not base_needed:
                return
            raise RemoteError(INVALID_REQUEST, REQUIRED)
        if params.base_hash.strip() != seal(revision):
            raise RemoteError(INVALID_REQUEST, CHANGED)

    def permit(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        if caller.remote and not before.config.gateway.remote_exec:
            # Late, with what changes texts: no start waits for it.
            from runtime.supervisor.api.remote_changes import refuse_local_changes

            refuse_local_changes(parts.places, before, old, new)

    return _writing().Guard(check, permit, before.raw, parts.configuration.read)


async def _write(
    parts: Parts, params: WriteParams, write: Callable[..., Loaded], change: Any, *, caller: Caller
) -> Any:
    before, seal = parts.configuration.loaded, parts.configuration.seal
    guard = _guard(parts, params, caller=caller)

    def write_change() -> tuple[Loaded, msgspec.Raw]:
        loaded = write(before.path, change, guard, before.manifests)
        found = _writing().snapshot(before.path, before.manifests)
        return loaded, msgspec.Raw(msgspec.json.encode(found.values))

    try:
        loaded, values = await parts.offload.run(write_change)
    except ConfigError as error:
        raise refusal(error) from None
    taken = apply_config(parts, loaded, by=caller.by)
    answer = {"ok": True, "path": str(before.path), "hash": seal(loaded.revision)}
    answer |= {"config": values, "restart": _restart(taken["gateway"])}
    return answer | {name: taken[name] for name in ("added", "removed", "changed") if name in taken}


def _restart(done: str) -> dict[str, Any] | None:
    """Return the field ``restart`` of an answer; ``None``: the gateway is not replaced."""
    if done in ("unchanged", "waits"):
        return None
    return {"ok": True, "delayMs": 0, "reason": f"gateway settings changed: {done}"}


def refusal(error: ConfigError) -> RemoteError:
    """Return the error of the protocol for a configuration that cannot be used."""
    said = [str(problem) for problem in error.problems[:SHOWN_PROBLEMS]]
    more = len(error.problems) - len(said)
    text = "; ".join(said) + (f" (+{more} more issue{'s' if more > 1 else ''})" if more else "")
    if isinstance(error, ConfigUnwritten):
        text = f"{error.source}: {text}"
    elif len(error.problems) != 1 or error.problems[0].path:
        text = f"invalid config: {text}"
    issues = [_issue(problem) for problem in error.problems]
    return RemoteError(INVALID_REQUEST, text[:2000], details={"issues": issues})


def _issue(problem: Problem) -> dict[str, Any]:
    where = {} if problem.line is None else {"line": problem.line}
    return {"path": problem.path, "message": problem.text} | where
