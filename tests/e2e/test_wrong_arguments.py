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
from ops.exits import ExitCode
from ops.output.next_steps import names_step
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
    "agents describe",
    "agents start",
    "agents stop",
    "agents restart",
    "agents logs",
    "agents add",
    "agents remove",
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
    "agents start main",
    "message send --account local:one -t x -m y",
    "agent -m x --agent echo",
    "gateway call health",
    "gateway health",
    "gateway probe",
    "gateway start",
    "gateway stop",
    "gateway restart",
    "config patch {}",
]
JOBS = ("run", "runs", "rm")
LETTERS = ("show", "retry", "discard")
SESSIONS = ("show", "export", "reset", "delete")
NO_EXTRAS = [  # take no further argument
    "doctor",
    "service install",
    "service uninstall",
    "service status",
    "service start",
    "service stop",
    "service restart",
    "service logs",
    "gateway install",
    "gateway uninstall",
    "up",
    "down",
    "metrics",
    "version",
    "open",
    "channels list",
    "channels login local:one",
    "channels logout local:one",
    "channels describe local:one",
    "channels events local:one",
    "channels remove local:one",
    "agent -m x --agent echo",
    "agents list",
    "agents describe main",
    "agents logs main",
    "agents remove main",
    "gateway call health",
    "gateway health",
    "gateway status",
    "gateway probe",
    "gateway start",
    "gateway stop",
    "gateway restart",
    "backup",
    "restore none.db",
    "sessions list",
    "sessions show x",
    "sessions export x",
    "sessions reset x",
    "sessions delete x",
    "pairing list",
    "pairing approve local x",
    "pairing dismiss local:one x",
    "pairing block local:one x",
    "pairing unblock local:one x",
    "channels why local:one x",
    "messages forget --sender x",
    "deadletters list",
    "deadletters show x",
    "deadletters retry x",
    "deadletters discard x",
    "cron list",
    "cron run x",
    "cron runs x",
    "cron rm x",
    "import openclaw x",
    "setup",
    "top",
    "upgrade --check",
    "completion bash",
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

Row = tuple[list[str], ExitCode, str]  # what is typed, how it ends, words of the complaint


def rows(url: str) -> list[Row]:
    """Return what is wrong in a way of its own."""
    add = ["channels", "add", "local:three"]
    cron = ["cron", "add", "--name", "x", "--message", "y"]
    send = ["message", "send", "--account", "local:one"]
    call = ["gateway", "call"]
    ask = ["agent", "-m", "x", "--session", "s"]
    return [
        (["up"], ExitCode.ERROR, "already"),
        (["up", "--port", "0"], ExitCode.USAGE, "port"),
        (["up", "--port", "65536"], ExitCode.USAGE, "port"),
        (["up", "--port", "1.5"], ExitCode.USAGE, "port"),
        (["channels", "login", "local:one"], ExitCode.ERROR, "channels.local.accounts.one"),
        (["channels", "login", "local:nobody"], ExitCode.ERROR, "local:nobody"),
        (["channels", "logout"], ExitCode.USAGE, "KEY"),
        (["channels", "logout", "local"], ExitCode.USAGE, "is not an account"),
        (["channels", "logout", "local:one"], ExitCode.ERROR, "does not support logout"),
        (["channels", "logout", "local:nobody"], ExitCode.ERROR, "local:nobody"),
        (["channels", "why", "local", "x"], ExitCode.USAGE, "is not an account"),
        (["channels", "why", "local:nobody", "x"], ExitCode.ERROR, "local:nobody"),
        (["channels", "why", "local:one", ""], ExitCode.USAGE, "it is empty"),
        (["channels", "why", "local:one", "x", "--chat", ""], ExitCode.USAGE, "it is empty"),
        (["pairing", "list", "--channel", "none"], ExitCode.ERROR, "none"),
        (["pairing", "approve", "AAAA2222"], ExitCode.ERROR, "valid for an hour"),
        (["pairing", "approve"], ExitCode.USAGE, "CODE"),
        (["pairing", "approve", ""], ExitCode.USAGE, "it is empty"),
        (["pairing", "approve", "AAAA2222", "--owner", "--unverified"], ExitCode.USAGE, "vouches"),
        (["pairing", "approve", "none", "AAAA2222"], ExitCode.ERROR, "unknown account or channel"),
        (["pairing", "dismiss", "local:one", "x"], ExitCode.ERROR, "does not wait"),
        *(
            (["pairing", verb, "local:one", "x"], ExitCode.ERROR, "no journal")
            for verb in ("block", "unblock")
        ),
        (["messages", "forget"], ExitCode.USAGE, "--sender"),
        (["messages", "forget", "--sender", "x"], ExitCode.ERROR, "no account has a journal"),
        (
            ["messages", "forget", "--sender", "x", "--account", "local:nobody"],
            ExitCode.ERROR,
            "local:nobody",
        ),
        *((["cron", verb, "none"], ExitCode.ERROR, "unknown job 'none'") for verb in JOBS),
        (["cron", "add", "--name", "x"], ExitCode.USAGE, "--message"),
        ([*cron, "--every", "soon"], ExitCode.USAGE, "not a duration"),
        ([*cron, "--at", "soon"], ExitCode.USAGE, "not a time"),
        ([*cron, "--every", "5m", "--catch-up", "all"], ExitCode.USAGE, "one, none"),
        (["devices", "rotate", "x", "--role", "boss"], ExitCode.USAGE, "operator, node"),
        (["chat", "local:one", "--nick", "a b", "-m", "x"], ExitCode.USAGE, "cannot be a name"),
        ([*cron, "--every", "5m", "--at", "5m"], ExitCode.USAGE, "one of --at"),
        ([*cron, "--cron", "nonsense"], ExitCode.ERROR, "five, six, or seven"),
        (
            [*cron, "--every", "5m", "--agent", "none"],
            ExitCode.ERROR,
            "unknown agent 'none'; known: echo",
        ),
        ([*cron, "--at", "2001-01-01T00:00:00Z"], ExitCode.ERROR, "in the past"),
        (["hooks", "test", "none", "--body", "/dev/null"], ExitCode.ERROR, "no mapping"),
        (["hooks", "test", "wake", "--body", "/none"], ExitCode.ERROR, "No such file"),
        (["hooks", "test", "wake"], ExitCode.USAGE, "--body"),
        (["completion", "tcsh"], ExitCode.USAGE, "bash, zsh, fish"),
        (["help", ODD], ExitCode.USAGE, "unknown command or topic"),
        (["help", LONG], ExitCode.USAGE, "unknown command or topic"),
        (["channels", "events", "local:one", "--since", "soon"], ExitCode.USAGE, "--since"),
        (["history", "--since", "soon"], ExitCode.USAGE, "--since"),
        (["upgrade"], ExitCode.USAGE, "--check"),
        (["top"], ExitCode.USAGE, "needs a whole terminal"),
        (["setup"], ExitCode.USAGE, "no terminal"),
        (["import", "openclaw", "/none.json"], ExitCode.CONFIGURATION, "No such file"),
        (["import", "openclaw", "/dev/null", "--write"], ExitCode.CONFIGURATION, "not a file"),
        (["import", "openclaw", "--force"], ExitCode.USAGE, "--write"),
        (["import", "openclaw", LONG], ExitCode.CONFIGURATION, "too long"),
        *(
            (
                ["deadletters", "list", "--account", each],
                ExitCode.ERROR,
                f"unknown account '{each}'",
            )
            for each in ("local", "local:nobody", "agent:nobody")
        ),
        (["sessions", "list", "--agent", "nobody"], ExitCode.ERROR, "'nobody'; known: echo"),
        *(
            ([*verb, "--filter", f"{field}=nobody"], ExitCode.ERROR, f"unknown {field} 'nobody'")
            for verb in (["status"], ["channels", "status"])
            for field in ("account", "channel", "agent")
        ),
        (["status", "--filter", "phase=up"], ExitCode.USAGE, "running"),
        (["deadletters", "list", "--limit", "0"], ExitCode.USAGE, "limit"),
        (["sessions", "list", "--limit", "0"], ExitCode.USAGE, "limit"),
        (["sessions", "list", "--active", "0"], ExitCode.USAGE, "active"),
        (["sessions", "show", "x", "-n", "0"], ExitCode.USAGE, "entries"),
        (["sessions", "export", "x", "--format", "pdf"], ExitCode.USAGE, "format"),
        *((["sessions", verb, "nobody"], ExitCode.ERROR, "nobody") for verb in SESSIONS),
        *((["sessions", verb, ""], ExitCode.USAGE, "it is empty") for verb in SESSIONS),
        *((["deadletters", verb, "none"], ExitCode.ERROR, "none") for verb in LETTERS),
        (["restore"], ExitCode.USAGE, "FILE"),
        (["restore", "/dev/null"], ExitCode.ERROR, "down"),
        (["backup", "--to", "/dev/null"], ExitCode.USAGE, "exists already"),
        (["logs", "-n", "many"], ExitCode.USAGE, "many"),
        (["logs", "-n", "-1"], ExitCode.USAGE, "-1"),
        (["channels", "logs", "-n", "1.5"], ExitCode.USAGE, "1.5"),
        (["wait", "local:one", "--for", "lunch"], ExitCode.USAGE, "lunch"),
        (["wait"], ExitCode.USAGE, "--all"),
        (["channels", "start"], ExitCode.USAGE, "--all"),
        (["channels", "stop", "--all", "local:one"], ExitCode.USAGE, "--all"),
        (["channels", "stop", "local:one", "--reason", "x" * 501], ExitCode.ERROR, "reason"),
        (["channels", "drain", "local:one", "--reason", "x" * 501], ExitCode.ERROR, "reason"),
        (["channels", "drain", "local:one", "--timeout", "601"], ExitCode.USAGE, "above 600"),
        (["channels", "stop", "local:one", "local:nobody"], ExitCode.ERROR, "local:nobody"),
        ([*add, "colour=red"], ExitCode.CONFIGURATION, "colour"),
        ([*add, "rate=fast"], ExitCode.CONFIGURATION, "rate"),
        ([*add, "payloadBytes=0"], ExitCode.CONFIGURATION, "payloadBytes"),
        ([*add, "payloadBytes=" + "9" * 400], ExitCode.CONFIGURATION, "payloadBytes"),
        ([*add, "payloadBytes=1.5"], ExitCode.CONFIGURATION, "payloadBytes"),
        ([*add, "greeting=" + LONG], ExitCode.CONFIGURATION, "greeting"),
        ([*add, "enabled=maybe"], ExitCode.CONFIGURATION, "enabled"),
        ([*add, "name=" + "x" * 201], ExitCode.CONFIGURATION, "name"),
        ([*add, "restart={"], ExitCode.CONFIGURATION, "restart"),
        ([*add, "restart=[1]"], ExitCode.CONFIGURATION, "restart"),
        ([*add, "restart={initialSeconds: -1}"], ExitCode.CONFIGURATION, "initialSeconds"),
        ([*add, "launcher=rocket"], ExitCode.CONFIGURATION, "launcher"),
        ([*add, "greeting"], ExitCode.USAGE, "FIELD=VALUE"),
        ([*add, "=x"], ExitCode.USAGE, "FIELD=VALUE"),
        ([*add, "greeting=a", "greeting=b"], ExitCode.USAGE, "twice"),
        ([*add, f"greeting={BYTES}"], ExitCode.USAGE, "not valid text"),
        ([*add, f"{ODD}=x"], ExitCode.CONFIGURATION, "unknown"),
        (["channels", "add", "local:" + "x" * 65], ExitCode.CONFIGURATION, "x" * 65),
        (["channels", "add", "local:one"], ExitCode.CONFIGURATION, "exists"),
        (["channels", "add", "nowhere:one"], ExitCode.CONFIGURATION, "nowhere"),
        (["channels", "remove", "local:nobody"], ExitCode.CONFIGURATION, "nobody"),
        (["agents", "stop"], ExitCode.USAGE, "--all"),
        (["agents", "stop", "--all", "main"], ExitCode.USAGE, "--all"),
        (["agents", "start", "nobody"], ExitCode.ERROR, "unknown agent 'agent:nobody'"),
        (["agents", "describe", "nobody"], ExitCode.ERROR, "unknown agent 'agent:nobody'"),
        (["channels", "stop", "agent"], ExitCode.ERROR, "agents are not a channel"),
        (["agents", "add", "main"], ExitCode.CONFIGURATION, "kind: is missing"),
        (["agents", "add", "main", "kind=ehco"], ExitCode.CONFIGURATION, "did you mean echo?"),
        (["agents", "add", "main", "kind=echo", "x=1"], ExitCode.CONFIGURATION, "unknown field"),
        (["agents", "add", "none", "kind=echo"], ExitCode.CONFIGURATION, "is not a valid name"),
        (["agents", "remove", "echo"], ExitCode.CONFIGURATION, "there are: none"),
        (["agent"], ExitCode.USAGE, "--message"),
        (["agent", "-m", "x"], ExitCode.USAGE, "--agent, --session or --to"),
        (["agent", "-m", "", "--agent", "echo"], ExitCode.USAGE, "it is empty"),
        (["agent", "-m", "x", "--session", ""], ExitCode.USAGE, "it is empty"),
        (["agent", "-m", "x", "--agent", "echo", "--channel", "local"], ExitCode.USAGE, "--to"),
        (["agent", "-m", "x", "--agent", "nobody"], ExitCode.ERROR, "'nobody'; known: echo"),
        (["agent", "-m", "x", "--agent", "echo", "--deliver"], ExitCode.USAGE, "--reply-to"),
        (["agent", "-m", "x", "--session", "s", "--reply-to", "y"], ExitCode.USAGE, "--deliver"),
        (
            ["agent", "-m", "x", "--session", "s", "--stream", "--no-wait"],
            ExitCode.USAGE,
            "--no-wait",
        ),
        (["agent", "-m", "x", "--session", "agent:nobody:x"], ExitCode.ERROR, "no longer exists"),
        (
            [*ask, "--deliver", "--reply-to", "y", "--reply-channel", "none"],
            ExitCode.ERROR,
            "unknown account or channel 'none'",
        ),
        ([*send, "-m", "x"], ExitCode.USAGE, "--target"),
        ([*send, "-t", "x"], ExitCode.USAGE, "--message or --media"),
        ([*send, "-t", "", "-m", "x"], ExitCode.USAGE, "it is empty"),
        ([*send, "-t", LONG, "-m", "x"], ExitCode.ERROR, "to"),
        ([*send, "-t", "x", "-m", "x" * 300_000], ExitCode.ERROR, "262144"),
        ([*send, "-t", "x", "-m", BYTES], ExitCode.USAGE, "not valid text"),
        ([*send, "-t", "nobody", "-m", "x"], ExitCode.ERROR, "nobody"),
        (
            [*send, "-t", "x", "-m", "y", "--idempotency-key", LONG],
            ExitCode.ERROR,
            "idempotencyKey",
        ),
        (["chat", "irc:one"], ExitCode.ERROR, "known"),
        ([*call, "no.such.method"], ExitCode.ERROR, "unknown method"),
        ([*call, LONG], ExitCode.ERROR, "method"),
        ([*call, ODD], ExitCode.ERROR, "unknown method"),
        ([*call, "health", "--params", "[1]"], ExitCode.USAGE, "JSON object"),
        ([*call, "health", "--params", "{"], ExitCode.USAGE, "JSON object"),
        ([*call, "health", "--params", "[" * 50_000], ExitCode.USAGE, "JSON object"),
        ([*call, "send", "--params", '{"to": 5}'], ExitCode.ERROR, "send params"),
        ([*call, "channels.stop", "--params", '{"channel": "nowhere"}'], ExitCode.ERROR, "channel"),
        (["gateway", "clients", "--url", "http://x"], ExitCode.USAGE, "ws://"),
        (["gateway", "health", "--url", "http://x"], ExitCode.USAGE, "ws://"),
        (["gateway", "health", "--url", "ws://"], ExitCode.USAGE, "--url"),
        (["gateway", "health", "--url", "ws://127.0.0.1:1"], ExitCode.NOT_RUNNING, "127.0.0.1:1"),
        (["gateway", "health", "--url", "ws://127.0.0.1:99999"], ExitCode.USAGE, "99999"),
        (["gateway", "health", "--url", "ws://[::1"], ExitCode.USAGE, "[::1"),
        (["gateway", "health", "--url", f"ws://{ODD}"], ExitCode.USAGE, "--url"),
        (["gateway", "health", "--url", url, "--token", "wrong"], ExitCode.ERROR, "token"),
        (["gateway", "health", "--url", url, "--token", ODD], ExitCode.ERROR, "token"),
        (["gateway", "health", "--url", url, "--token", LONG], ExitCode.ERROR, "1009"),
        (["config", "example", "nowhere"], ExitCode.ERROR, "nowhere"),
        (["config", "patch", "{"], ExitCode.USAGE, "JSON5"),
        (["config", "patch", "[]"], ExitCode.USAGE, "object"),
        (["config", "patch", "{gateway: {prot: 1}}"], ExitCode.CONFIGURATION, "gateway.prot"),
        (["config", "patch", "{gateway: 5}"], ExitCode.CONFIGURATION, "gateway"),
        (["config", "patch", ODD], ExitCode.USAGE, "JSON5"),
        (
            ["--config", "/no/such/file.json5", "config", "validate"],
            ExitCode.CONFIGURATION,
            "no/such",
        ),
        (
            ["--config", "/proc/self/mem", "config", "show"],
            ExitCode.CONFIGURATION,
            "/proc/self/mem",
        ),
        (["--config", "/", "config", "validate"], ExitCode.CONFIGURATION, "/"),
        (["--profile", "../x", "status"], ExitCode.CONFIGURATION, "profile"),
        (["--profile", LONG, "status"], ExitCode.CONFIGURATION, "profile"),
        (["--state-dir", "/dev/null", "status"], ExitCode.NOT_RUNNING, "/dev/null"),
        *(
            ([group, verb, who], ExitCode.ERROR, "unknown")
            for who in ("nobody", ODD, LONG[:200])
            for group, verb in (("devices", "remove"), ("nodes", "describe"), ("nodes", "remove"))
        ),
        *(
            ([group, verb, "nobody"], ExitCode.ERROR, "unknown requestId")
            for group in ("devices", "nodes")
            for verb in ("approve", "reject")
        ),
        (["devices", "rename", "nobody", "x"], ExitCode.ERROR, "unknown"),
        (["devices", "rotate", "nobody"], ExitCode.ERROR, "denied"),
        (["devices", "revoke", "nobody"], ExitCode.ERROR, "denied"),
        (["nodes", "rename", "nobody", "x"], ExitCode.ERROR, "unknown"),
        (["nodes", "invoke", "nobody", "camera.snap"], ExitCode.ERROR, "node pairing"),
        (["nodes", "invoke", "nobody", "x", "--params", "{"], ExitCode.USAGE, "JSON"),
        (["status", "-o", "xml"], ExitCode.USAGE, "wide, json, yaml, name"),
        (["channels", "status", "-o", "name", "--json"], ExitCode.USAGE, "exclude"),
        (["status", "--sort", ODD], ExitCode.USAGE, "worst, account"),
        (["status", "--filter", "phase"], ExitCode.USAGE, "FIELD=VALUE"),
        (["status", "--watch", "--json"], ExitCode.USAGE, "--watch shows a table"),
        (["service", "status", "--user", "--system"], ExitCode.USAGE, "exclude"),
        (["service", "install", "--user", "--run-as", "x"], ExitCode.USAGE, "--system"),
        (["service", "install", "--credential", "x"], ExitCode.USAGE, "NAME=/path"),
        (["logs", "--since", ODD], ExitCode.USAGE, "--since takes an age"),
        (["channels", "logs", "--grep", "("], ExitCode.USAGE, "not a regular expression"),
        (["statsu"], ExitCode.USAGE, "status"),
        ([LONG], ExitCode.USAGE, "xxx"),
        ([ODD], ExitCode.USAGE, "No such command"),
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
    """Return everything that is typed wrongly; ``ExitCode.OK`` stands for any kind of refusal."""
    named = [([*verb.split(), key], ExitCode.OK, "") for verb in TAKE_KEYS for key in NO_KEYS]
    timed = [
        ([*verb.split(), "--timeout", value], ExitCode.USAGE, "")
        for verb in TAKE_SECONDS
        for value in SECONDS
    ]
    surplus = [([*verb.split(), "surplus"], ExitCode.USAGE, "surplus") for verb in NO_EXTRAS]
    return [*rows(url), *named, *timed, *surplus]


def test_every_command_has_rows_of_wrong_arguments() -> None:
    root: Any = typer.main.get_command(app)
    verbs = []
    for name in Commands.table:
        below = getattr(root.get_command(None, name), "commands", {})
        verbs += [[name, each] for each in below] or [[name]]
    wrong = [args for args, _, _ in complaints("ws://x")]
    assert [verb for verb in verbs if not any(args[: len(verb)] == verb for args in wrong)] == []


async def test_wrong_arguments_are_reported_and_change_nothing(tmp_path: Path) -> None:
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


def fault(result: Result, code: ExitCode, words: str) -> str | None:
    """Return what is wrong with a complaint."""
    refusals = (
        {ExitCode.ERROR, ExitCode.USAGE, ExitCode.CONFIGURATION} if code is ExitCode.OK else {code}
    )
    if result.code not in refusals:
        return f"exit is not {code.name}"
    if not result.err.startswith("trunkline: ") or words not in result.err:
        return f"does not say {words!r}"
    usage = result.code == ExitCode.USAGE
    if result.code != ExitCode.CONFIGURATION and not names_step(result.err, usage=usage):
        return "does not say what to do next"
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


SEND = "message send -t x -m y --account"
PLACE = "gateway.auth.token in the configuration of its host, where `trunkline"
# What is refused, in which environment, and how the sentence ends.
REFUSED: list[tuple[str, dict[str, str], str]] = [
    (f"{SEND} local:one", {}, "describe local:one` shows why, and what happens next\n"),
    (f"{SEND} local:two", {}, "describe local:two` shows why, and what happens next\n"),
    (f"{SEND} local:one --url URL --token TOKEN", {}, "local:one --url URL` shows its state\n"),
    ("gateway health --token wrong", {}, "leave --token out: this host's daemon provides the"),
    ("gateway health", {"TRUNKLINE_GATEWAY_TOKEN": "wrong"}, "; unset TRUNKLINE_GATEWAY_TOKEN: "),
    (
        "gateway health --url URL --token wrong",
        {},
        f"--token must be that gateway's token: {PLACE}",
    ),
    (
        "gateway health --url URL",
        {},
        "(or TRUNKLINE_GATEWAY_TOKEN) must be that gateway's token: ",
    ),
    (
        "gateway health --url URL",
        {"TRUNKLINE_GATEWAY_TOKEN": "wrong"},
        f"; TRUNKLINE_GATEWAY_TOKEN must be that gateway's token: {PLACE}",
    ),
    ("gateway health --url ws://127.0.0.1:1", {}, "check the address: `trunkline"),
    ("gateway call channels.statu", {}, "did you mean channels.status?"),
]


async def test_a_refusal_of_the_real_gateway_names_what_to_do_next(tmp_path: Path) -> None:
    accounts = {"one": {}, "two": {"enabled": False}}
    async with Daemon(tmp_path, {"channels": {"local": {"accounts": accounts}}}) as daemon:
        await daemon.wait_phase("local:one", "running")
        assert (await daemon.command("channels", "stop", "local:one"))[0] == ExitCode.OK
        url = f"ws://127.0.0.1:{daemon.port}"
        environment = dict(daemon.env)
        try:
            for command, more, end in REFUSED:
                daemon.env = environment | more
                typed = command.replace("URL", url).replace("TOKEN", TOKEN)
                result = Result(*await daemon.command(*typed.split()))
                assert result.code != ExitCode.OK
                assert end.replace("URL", url) in result.err, (command, result.err)
        finally:
            daemon.env = environment
