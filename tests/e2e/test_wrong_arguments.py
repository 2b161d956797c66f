"""Wrong arguments of every verb of the command line, against a running daemon: one
clear sentence, the right exit code, and nothing changed.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

from ops.cli.main import Commands, app
from ops.exits import Exit
from tests.support.commandline import Result
from tests.support.daemon import TOKEN, Daemon

pytestmark = pytest.mark.e2e

ACCOUNTS: dict[str, Any] = {"one": {}, "two": {}}
LONG = "x" * 100_000
ODD = "\u202e\x1b[31mred\nline\t\u0301"  # turns the line around, colours it, ends it
BYTES = "caf\udce9"  # what Python makes of bytes that are no UTF-8
# What no account can be called, for every verb that takes one or several.
NO_KEYS = [
    ":",
    "local:",
    ":one",
    "local:one:two",
    "../../etc/passwd",
    "local:one#1",
    LONG,
    ODD,
    BYTES,
    "",
]
TAKE_KEYS = [
    "status",
    "watch",
    "wait",
    "chat",
    "channels status",
    "channels describe",
    "channels start",
    "channels stop",
    "channels restart",
    "channels reset",
    "channels drain",
    "channels events",
    "channels holds",
    "channels logs",
    "channels add",
    "channels remove",
    "logs",
    "message send -t x -m y --account",
]
SECONDS = ["", "soon", "0", "-1", "nan", "inf", "1e999", "1e999x", "٣x"]
TAKE_SECONDS = [
    "wait local:one",
    "down",
    "chat local:one -m x",
    "channels start local:one",
    "channels stop local:one",
    "channels restart local:one",
    "channels drain local:one",
    "message send --account local:one -t x -m y",
    "gateway call health",
    "gateway health",
    "gateway probe",
    "gateway start",
    "gateway stop",
    "gateway restart",
    "config patch {}",
]
NO_EXTRAS = [  # take no further argument
    "up",
    "down",
    "metrics",
    "version",
    "channels list",
    "channels describe local:one",
    "channels events local:one",
    "channels remove local:one",
    "gateway call health",
    "gateway health",
    "gateway status",
    "gateway probe",
    "gateway start",
    "gateway stop",
    "gateway restart",
    "config path",
    "config validate",
    "config show",
    "config reload",
    "config patch {}",
    "config example local",
    "chat local:one",
    "devices list",
    "devices approve x",
    "nodes list",
    "nodes status",
    "nodes remove x",
]

Row = tuple[list[str], Exit, str]  # what is typed, how it ends, words of the complaint


def rows(url: str) -> list[Row]:
    """Return what is wrong in a way of its own."""
    add = ["channels", "add", "local:three"]
    send = ["message", "send", "--account", "local:one"]
    call = ["gateway", "call"]
    return [
        (["up"], Exit.ERROR, "already"),
        (["up", "--port", "0"], Exit.USAGE, "port"),
        (["up", "--port", "65536"], Exit.CONFIGURATION, "port"),
        (["up", "--port", "1.5"], Exit.USAGE, "port"),
        (["logs", "-n", "many"], Exit.USAGE, "many"),
        (["logs", "-n", "-1"], Exit.USAGE, "-1"),
        (["channels", "logs", "-n", "1.5"], Exit.USAGE, "1.5"),
        (["wait", "local:one", "--for", "lunch"], Exit.USAGE, "lunch"),
        (["wait"], Exit.USAGE, "--all"),
        (["channels", "start"], Exit.USAGE, "--all"),
        (["channels", "stop", "--all", "local:one"], Exit.USAGE, "--all"),
        (["channels", "stop", "local:one", "--reason", "x" * 501], Exit.ERROR, "reason"),
        (["channels", "drain", "local:one", "--reason", "x" * 501], Exit.ERROR, "reason"),
        (["channels", "drain", "local:one", "--timeout", "601"], Exit.ERROR, "timeoutMs"),
        (["channels", "stop", "local:one", "local:nobody"], Exit.ERROR, "local:nobody"),
        ([*add, "colour=red"], Exit.CONFIGURATION, "colour"),
        ([*add, "rate=fast"], Exit.CONFIGURATION, "rate"),
        ([*add, "payloadBytes=0"], Exit.CONFIGURATION, "payloadBytes"),
        ([*add, "payloadBytes=" + "9" * 400], Exit.CONFIGURATION, "payloadBytes"),
        ([*add, "payloadBytes=1.5"], Exit.CONFIGURATION, "payloadBytes"),
        ([*add, "greeting=" + LONG], Exit.CONFIGURATION, "greeting"),
        ([*add, "enabled=maybe"], Exit.CONFIGURATION, "enabled"),
        ([*add, "name=" + "x" * 201], Exit.CONFIGURATION, "name"),
        ([*add, "restart={"], Exit.CONFIGURATION, "restart"),
        ([*add, "restart=[1]"], Exit.CONFIGURATION, "restart"),
        ([*add, "restart={initialSeconds: -1}"], Exit.CONFIGURATION, "initialSeconds"),
        ([*add, "launcher=rocket"], Exit.CONFIGURATION, "launcher"),
        ([*add, "greeting"], Exit.USAGE, "FIELD=VALUE"),
        ([*add, "=x"], Exit.USAGE, "FIELD=VALUE"),
        ([*add, "greeting=a", "greeting=b"], Exit.USAGE, "twice"),
        ([*add, f"greeting={BYTES}"], Exit.USAGE, "no Unicode"),
        ([*add, f"{ODD}=x"], Exit.CONFIGURATION, "unknown"),
        (["channels", "add", "local:" + "x" * 65], Exit.CONFIGURATION, "x" * 65),
        (["channels", "add", "local:one"], Exit.CONFIGURATION, "exists"),
        (["channels", "add", "nowhere:one"], Exit.CONFIGURATION, "nowhere"),
        (["channels", "remove", "local:nobody"], Exit.CONFIGURATION, "nobody"),
        ([*send, "-m", "x"], Exit.USAGE, "--target"),
        ([*send, "-t", "x"], Exit.USAGE, "--message or --media"),
        ([*send, "-t", "", "-m", "x"], Exit.ERROR, "to"),
        ([*send, "-t", LONG, "-m", "x"], Exit.ERROR, "to"),
        ([*send, "-t", "x", "-m", "x" * 300_000], Exit.ERROR, "262144"),
        ([*send, "-t", "x", "-m", BYTES], Exit.USAGE, "no Unicode"),
        ([*send, "-t", "nobody", "-m", "x"], Exit.ERROR, "nobody"),
        ([*send, "-t", "x", "-m", "y", "--idempotency-key", LONG], Exit.ERROR, "idempotencyKey"),
        (["chat", "irc:one"], Exit.ERROR, "known"),
        ([*call, "no.such.method"], Exit.ERROR, "unknown method"),
        ([*call, LONG], Exit.ERROR, "method"),
        ([*call, ODD], Exit.ERROR, "unknown method"),
        ([*call, "health", "--params", "[1]"], Exit.USAGE, "JSON object"),
        ([*call, "health", "--params", "{"], Exit.USAGE, "JSON object"),
        ([*call, "health", "--params", "[" * 50_000], Exit.USAGE, "JSON object"),
        ([*call, "send", "--params", '{"to": 5}'], Exit.ERROR, "send params"),
        ([*call, "channels.stop", "--params", '{"channel": "nowhere"}'], Exit.ERROR, "channel"),
        (["gateway", "health", "--url", "http://x"], Exit.USAGE, "ws://"),
        (["gateway", "health", "--url", "ws://"], Exit.USAGE, "--url"),
        (["gateway", "health", "--url", "ws://127.0.0.1:1"], Exit.NOT_RUNNING, "127.0.0.1:1"),
        (["gateway", "health", "--url", "ws://127.0.0.1:99999"], Exit.USAGE, "99999"),
        (["gateway", "health", "--url", "ws://[::1"], Exit.USAGE, "[::1"),
        (["gateway", "health", "--url", f"ws://{ODD}"], Exit.USAGE, "--url"),
        (["gateway", "health", "--url", url, "--token", "wrong"], Exit.ERROR, "token"),
        (["gateway", "health", "--url", url, "--token", ODD], Exit.ERROR, "token"),
        (["gateway", "health", "--url", url, "--token", LONG], Exit.ERROR, "1009"),
        (["config", "example", "nowhere"], Exit.ERROR, "nowhere"),
        (["config", "patch", "{"], Exit.USAGE, "JSON5"),
        (["config", "patch", "[]"], Exit.USAGE, "object"),
        (["config", "patch", "{gateway: {prot: 1}}"], Exit.CONFIGURATION, "gateway.prot"),
        (["config", "patch", "{gateway: 5}"], Exit.CONFIGURATION, "gateway"),
        (["config", "patch", ODD], Exit.USAGE, "JSON5"),
        (["--config", "/no/such/file.json5", "config", "validate"], Exit.CONFIGURATION, "no/such"),
        (["--config", "/proc/self/mem", "config", "show"], Exit.CONFIGURATION, "/proc/self/mem"),
        (["--config", "/", "config", "validate"], Exit.CONFIGURATION, "/"),
        (["--profile", "../x", "status"], Exit.CONFIGURATION, "profile"),
        (["--profile", LONG, "status"], Exit.CONFIGURATION, "profile"),
        (["--state-dir", "/dev/null", "status"], Exit.NOT_RUNNING, "/dev/null"),
        *(
            ([group, verb, who], Exit.ERROR, "unknown")
            for who in ("nobody", ODD, LONG[:200])
            for group, verb in (("devices", "remove"), ("nodes", "describe"), ("nodes", "remove"))
        ),
        *(
            ([group, verb, "nobody"], Exit.ERROR, "unknown requestId")
            for group in ("devices", "nodes")
            for verb in ("approve", "reject")
        ),
        (["devices", "rename", "nobody", "x"], Exit.ERROR, "unknown"),
        (["devices", "rotate", "nobody"], Exit.ERROR, "denied"),
        (["devices", "revoke", "nobody"], Exit.ERROR, "denied"),
        (["nodes", "rename", "nobody", "x"], Exit.ERROR, "unknown"),
        (["nodes", "invoke", "nobody", "camera.snap"], Exit.ERROR, "node pairing"),
        (["nodes", "invoke", "nobody", "x", "--params", "{"], Exit.USAGE, "JSON"),
        (["statsu"], Exit.USAGE, "status"),
        ([LONG], Exit.USAGE, "xxx"),
        ([ODD], Exit.USAGE, "No such command"),
    ]


# The command line itself, but one program for all commands: to start each takes ten times longer.
ALL = """
import contextlib, io, json, sys
from ops.cli.main import run
commands, sys.stdin = json.load(sys.stdin), io.StringIO("")
results = []
for command in commands:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = int(run(command))
    results.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(results))
"""


def all_of(daemon: Daemon, commands: Sequence[list[str]]) -> list[Result]:
    """Run commands, one after the other."""
    done = subprocess.run(
        [sys.executable, "-c", ALL],
        env=daemon.env,
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return [Result(*result) for result in json.loads(done.stdout)]


def complaints(url: str) -> list[Row]:
    """Return everything that is typed wrongly; ``Exit.OK`` stands for any kind of refusal."""
    named = [([*verb.split(), key], Exit.OK, "") for verb in TAKE_KEYS for key in NO_KEYS]
    timed = [
        ([*verb.split(), "--timeout", value], Exit.USAGE, "")
        for verb in TAKE_SECONDS
        for value in SECONDS
    ]
    surplus = [([*verb.split(), "surplus"], Exit.USAGE, "surplus") for verb in NO_EXTRAS]
    return [*rows(url), *named, *timed, *surplus]


def test_no_verb_is_forgotten() -> None:
    root: Any = typer.main.get_command(app)
    verbs = []
    for name in Commands.table:
        below = getattr(root.get_command(None, name), "commands", {})
        verbs += [[name, each] for each in below] or [[name]]
    wrong = [args for args, _, _ in complaints("ws://x")]
    assert [verb for verb in verbs if not any(args[: len(verb)] == verb for args in wrong)] == []


async def test_whatever_is_typed_wrongly_is_told_and_changes_nothing(tmp_path: Path) -> None:
    async with Daemon(tmp_path, {"channels": {"local": {"accounts": ACCOUNTS}}}) as daemon:
        for name in ACCOUNTS:
            await daemon.wait_phase(f"local:{name}", "running")
        before, text = await daemon.status(), daemon.config_path.read_text()
        table = complaints(f"ws://127.0.0.1:{daemon.port}")
        results = await asyncio.to_thread(all_of, daemon, [args for args, _, _ in table])
        wrong = [
            (typed(args), why, result.code, ascii(result.err)[:300])
            for (args, code, words), result in zip(table, results, strict=True)
            if (why := fault(result, code, words))
        ]
        assert wrong == []
        after = await daemon.status()
        assert still(after) == still(before)
        assert daemon.config_path.read_text() == text
        assert TOKEN not in "".join(result.out + result.err for result in results)


def fault(result: Result, code: Exit, words: str) -> str | None:
    """Return what is wrong with a complaint."""
    refusals = {Exit.ERROR, Exit.USAGE, Exit.CONFIGURATION} if code is Exit.OK else {code}
    if result.code not in refusals:
        return f"exit is not {code.name}"
    if not result.err.startswith("trunkline: ") or words not in result.err:
        return f"does not say {words!r}"
    if "a bug in" in result.err or "Traceback" in result.err:
        return "is a bug"
    if len(result.err) > 2000 or result.err.count("\n") > 5:
        return "is too long"
    if set(result.err) & {"\x1b", "\u202e"}:
        return "steers the terminal"
    return None


def typed(args: list[str]) -> list[str]:
    return [arg[:40] for arg in args]


def still(status: dict[str, Any]) -> dict[str, Any]:
    """Return what must be as it was."""
    found = {
        key: (row["phase"], row["pid"], row["wanted"], row["hold"])
        for key, row in status["accounts"].items()
    }
    gateway, own = status["gateway"], status["supervisor"]
    return found | {"gateway": gateway["pid"], "configuration": own["configRevision"]}
