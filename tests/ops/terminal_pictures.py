"""Write what commands show on terminals of several widths, for fleets of several sizes.

    python -m tests.ops.terminal_pictures --to pictures [--columns 80,110,200] [--accounts 3,42,500]

The commands are the real ones; the supervisor and the gateway behind them are those of the tests,
so that 500 accounts cost nothing. Each picture is what tmux(1) holds once the command has ended, or
shows while it goes on. What is wider than the terminal, and so stands on two lines, is reported.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.commandline import PROGRAM, environment
from tests.support.fakeserver import (
    BACKOFF,
    HELD,
    Refusal,
    account,
    fake_gateway,
    fake_supervisor,
    status,
)
from tests.support.short_directory import ShortDirectory

ROWS = 40
_servers = itertools.count()
CHANNELS = ("telegram", "discord", "irc", "slack", "local")
WHY = (
    "Connection refused by irc.example.org:6697",
    "\u63a5\u7d9a\u3067\u304d\u307e\u305b\u3093: " * 4,
    "the certificate of irc.example.org:6697 is not valid: certificate has expired",
    "Telegram refuses the token: Unauthorized",
)
# Names that people give: long ones, from right to left, of wide letters, and of joined pictures.
NAMES = (
    "Friends of the house, number {}",
    "\u05d7\u05d1\u05e8\u05d9\u05dd \u05e9\u05dc \u05d4\u05d1\u05d9\u05ea {}",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 family \U0001f1e9\U0001f1ea {} \U0001f44d\U0001f3fd"
    * 3,
    "\u9577\u3044\u540d\u524d\u306e\u4f1a\u8a71 {}" * 4,
    "A name as long as a careless person makes it, and a little longer, number {}",
)
FAILED = {**BACKOFF, "phase": "failed", "cause": "needs_login", "failures": 3}
SLOW = {"health": "degraded: journal full"}
# The commands; those that go on are looked at while they do.
COMMANDS = {
    "status": "status",
    "status-all": "status --all",
    "status-watch": "status --watch",
    "top": "top",
    "channels-status": "channels status",
    "channels-list": "channels list",
    "channels-describe": "channels describe irc:account-2",
    "channels-events": "channels events irc:account-2",
    "channels-holds": "channels holds",
    "agents-list": "agents list",
    "sessions-list": "sessions list",
    "sessions-show": "sessions show agent:main:irc:libera:direct:ann",
    "deadletters-list": "deadletters list",
    "cron-list": "cron list --all",
    "cron-runs": "cron runs standup",
    "pairing-list": "pairing list",
    "refused": "message send --account irc:account-2 --target '#room' --message hello",
    "mistyped": "message send --account irc --target x",
    "devices-list": "devices list",
    "nodes-status": "nodes status",
    "gateway-clients": "gateway clients",
    "history": "history",
    "logs": "logs",
    "watch": "watch",
    "doctor": "doctor",
    "help": "--help",
}
GOES_ON = ("status-watch", "top", "watch")


def fleet(size: int) -> list[dict[str, Any]]:
    """Return the rows of so many accounts, of which some are not well."""
    rows = []
    for number in range(size):
        end = "-with-a-name-of-the-greatest-length-that-there-may-be" if number == 77 else ""
        key = f"{CHANNELS[number % len(CHANNELS)]}:account-{number}{end}"
        row = account(key, incarnation=2_097_153 + number, messagesIn=number * 37)
        if number % 9 == 2:
            row |= BACKOFF | {"lastError": WHY[number % 3], "nextTryAt": time.time() * 1000 + 9e4}
        elif number % 21 == 4:
            row |= FAILED | {"lastError": WHY[3]}
        elif number % 17 == 1:
            row |= HELD
        elif number % 13 == 6:
            row |= SLOW
        rows.append(row)
    return rows


def name(number: int) -> str:
    """Return one of the names, with a number in it."""
    return NAMES[number % len(NAMES)].format(*[number] * 4)


def configuration(size: int) -> str:
    """Return a file with so many accounts, for the commands that need no daemon."""
    named: dict[str, Any] = {f"account-{number}": {"name": name(number)} for number in range(size)}
    entries = {f"agent-{number}": {"kind": "echo"} for number in range(min(size, 20))}
    return json.dumps(
        {
            "channels": {"local": {"accounts": named}},
            "agents": {"default": "agent-0", "entries": entries},
        }
    )


def answers(size: int) -> dict[str, Any]:
    """Return what the gateway answers, by method."""
    now = round(time.time() * 1000)
    some = range(min(size, 60))
    return {
        "sessions__list": {
            "sessions": [
                {
                    "key": f"agent:main:telegram:group:-100{n:010}:topic:{n}",
                    "classification": "group",
                    "label": name(n),
                    "messageCount": n * 3,
                    "totalTokens": n * 1117,
                    "status": "idle",
                    "updatedAt": now - n * 600_000,
                }
                for n in some
            ],
            "hasMore": False,
            "totalCount": len(some),
        },
        "deadletters__list": {
            "letters": [
                {
                    "id": f"{n:08x}",
                    "account": f"irc:account-{n}",
                    "chat": f"#a-channel-with-a-long-name-{n}",
                    "state": "unknown",
                    "at": now - n * 3_600_000,
                    "error": WHY[n % 4],
                    "attempts": n + 1,
                    "text": f"{name(n)}: the order was sent, and arrives the day after tomorrow.",
                }
                for n in some
            ],
            "count": size,
        },
        "cron__list": {
            "jobs": [
                {
                    "id": f"a6a92994-1008-4a0c-93af-{n:012}",
                    "name": name(n),
                    "enabled": bool(n % 5),
                    "schedule": {"kind": "cron", "expr": "0 9 * * 1-5", "tz": "Europe/Berlin"},
                    "state": {"nextRunAtMs": now + n * 60_000, "lastRunStatus": "ok"},
                    "effectiveAgentId": "main",
                }
                for n in some
            ],
            "deliveryPreviews": {
                f"a6a92994-1008-4a0c-93af-{n:012}": {"label": "announce -> telegram:-1001234567"}
                for n in some
            },
        },
        "cron__runs": {
            "entries": [
                {
                    "runAtMs": now - n * 86_400_000,
                    "status": "error" if n % 4 == 1 else "ok",
                    "durationMs": 1500 + n,
                    "deliveryStatus": "not-delivered" if n % 4 == 1 else "delivered",
                    "summary": "Nothing is planned today; tomorrow there are two meetings.",
                    "error": WHY[3] if n % 4 == 1 else None,
                }
                for n in some
            ],
            "total": size,
        },
        "sessions__resolve": {"ok": True, "key": "agent:main:irc:libera:direct:ann"},
        "chat__history": {"messages": list(transcript(now, len(some)))},
        "gateway__clients": {
            "clients": [
                {
                    "id": f"client-{n}",
                    "name": "openclaw-control-ui" if n % 2 else "cli",
                    "role": "operator",
                    "address": f"192.168.17.{n}",
                    "provedBy": "device",
                    "ageMs": n * 700_000,
                    "requests": n * 13,
                    "errors": n % 3,
                    "unread": n * 1024,
                }
                for n in some
            ]
        },
        "channels__pairing__list": {
            "requests": [
                {
                    "channel": "telegram",
                    "accountId": f"account-{n}",
                    "senderId": str(100_000_000 + n),
                    "metadata": {"name": name(n)},
                    "verified": True,
                    "createdAt": "2026-11-29T18:00:00Z",
                    "expiresAt": "2026-11-29T19:00:00Z",
                }
                for n in some
            ],
            "people": [],
        },
        "device__pair__list": {
            "pending": [],
            "paired": [
                {"deviceId": f"{n:064x}", "displayName": name(n), "roles": ["operator"]}
                for n in some
            ],
        },
        "node__list": {"nodes": []},
        "send": Refusal("UNAVAILABLE", f"irc:account-2 is not running (backoff: {WHY[0]})"),
    }


def transcript(now: int, size: int) -> Iterator[dict[str, Any]]:
    """Yield the entries of a conversation."""
    for n in range(size):
        role = "assistant" if n % 2 else "user"
        words = "A sentence of a conversation that is longer than some terminals are wide. " * 2
        yield {
            "role": role,
            "content": words + "\nAnd a second line.",
            "timestamp": now - (size - n) * 60_000,
            "__openclaw": {"id": str(n), "sender": {"id": "ann"} if role == "user" else None},
        }


def changes(size: int) -> list[dict[str, Any]]:
    """Return what operators have changed."""
    by = "the console on laptop (192.168.17.20)"
    return [
        {
            "at": (time.time() - (size - n) * 600) * 1000,
            "by": by if n % 3 else None,
            "text": f"irc:account-{n} was stopped: it moves to another host on Monday",
        }
        for n in range(min(size, 60))
    ]


def history(size: int) -> Iterator[dict[str, Any]]:
    """Yield some events of one account."""
    for n in range(min(size, 12)):
        yield {
            "at": (time.time() - n * 60) * 1000,
            "incarnation": 2_097_153 + n,
            "phase": "backoff",
            "cause": "transient",
            "text": WHY[n % 4],
        }


def described(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the supervisor says of one account."""
    named = (row for row in rows if row["account"] == "irc:account-2")
    row = next(named, account("irc:account-2"))
    return {
        "account": row["account"],
        "label": "IRC",
        "status": row,
        "why": row.get("lastError") or "running",
        "next": "it is started again by itself",
        "events": list(history(12)),
        "lines": [],
        "access": [],
    }


def take(command: str, env: dict[str, str], columns: int, *, goes_on: bool) -> tuple[str, float]:
    """Return the lines of a terminal on which a command was typed, and its seconds."""
    name = f"pictures-{os.getpid()}-{next(_servers)}"  # one that ends may still be there
    words = shlex.join([*PROGRAM, *shlex.split(command)])
    tmux = ["tmux", "-L", name, "-f", "/dev/null"]
    shell = f"{words}; echo '[ended]'; sleep 1000"
    begin = time.monotonic()
    subprocess.run(
        [*tmux, "new-session", "-d", "-x", str(columns), "-y", str(ROWS), shell],
        env=env | {"TERM": "xterm-256color"},
        check=True,
    )
    try:
        shown = ""
        while time.monotonic() - begin < 60:
            shown = subprocess.run(
                [*tmux, "capture-pane", "-p", *([] if goes_on else ["-S", "-"])],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            if "[ended]" in shown or (goes_on and time.monotonic() - begin > 4):
                break
            time.sleep(0.1)
        return shown.replace("[ended]\n", "").rstrip() + "\n", time.monotonic() - begin
    finally:
        subprocess.run([*tmux, "kill-server"], capture_output=True)


async def pictures(to: Path, columns: list[int], size: int, chosen: list[str]) -> None:
    """Write the pictures of one fleet."""
    rows = fleet(size)
    with ShortDirectory() as directory:
        (directory / "trunkline.json5").write_text(configuration(size))
        (directory / "trunkline.json5").chmod(0o600)
        async with fake_gateway(**answers(size)) as gateway:
            access = {"url": gateway.url, "token": "secret", "password": None, "certificate": None}
            async with fake_supervisor(
                directory,
                supervisor__status=status(*rows, url=gateway.url),
                gateway__access=access,
                channels__describe=described(rows),
                channels__events={"events": list(history(12))},
                channels__holds={
                    "holds": {row["account"]: row["hold"] for row in rows if row.get("hold")}
                },
                channels__logs={"lines": []},
                changes__list={"changes": changes(size)},
            ):
                for width in columns:
                    for name in chosen:
                        shown, seconds = await asyncio.to_thread(
                            take,
                            COMMANDS[name],
                            environment(directory),
                            width,
                            goes_on=name in GOES_ON,
                        )
                        path = to / f"{name}-{width}-{size}.txt"
                        path.write_text(shown)
                        print(f"{path}  {len(shown.splitlines())} lines  {seconds:.1f} s")


def main() -> None:
    """Write the pictures that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--to", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--columns", default="80,110,200", help="widths of the terminal")
    parser.add_argument("--accounts", default="3,42,500", help="sizes of the fleet")
    parser.add_argument("--commands", default=",".join(COMMANDS), help="which of the commands")
    given = parser.parse_args()
    if shutil.which("tmux") is None:
        sys.exit("there is no tmux(1)")
    given.to.mkdir(parents=True, exist_ok=True)
    widths = [int(each) for each in given.columns.split(",")]
    for size in given.accounts.split(","):
        asyncio.run(pictures(given.to, widths, int(size), given.commands.split(",")))


if __name__ == "__main__":
    main()
