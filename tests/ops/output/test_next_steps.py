"""Every refusal ends with what to do next: by its code, its words, its account, its command."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ops.cli.tree import commands
from ops.exits import ExitCode
from ops.output.next_steps import CommandFailure, names_step, with_next_step

URL = "ws://10.0.0.5:18789"
HOST_OF_TOKEN = (
    " must be that gateway's token: gateway.auth.token in the configuration of its host, where"
    " `trunkline config path` prints the file"
)
SEND = {"account": "irc:libera", "channel": None, "timeout": 30.0}
ABSENT = "UNAVAILABLE: irc:libera is not running (backoff: Connection refused)"
MISMATCH = "unauthorized: gateway token mismatch (provide gateway auth token)"


def failure(text: str, path: str = "", **more: Any) -> CommandFailure:
    return CommandFailure(text, more.pop("exit", ExitCode.ERROR), path, **more)


def refused(text: str, path: str = "", **params: Any) -> CommandFailure:
    """A request that is wrong, as the gateway words it."""
    return failure(text, path, params=params, code="INVALID_REQUEST")


STEPS = [
    # an account that cannot send, whatever says so
    (
        failure(ABSENT, "message send", params=SEND, code="UNAVAILABLE"),
        "`trunkline channels describe irc:libera` shows why, and what happens next",
    ),
    (
        failure(ABSENT, "message send", params=SEND | {"url": URL}, code="UNAVAILABLE"),
        f"`trunkline channels status irc:libera --url {URL}` shows its state",
    ),
    (
        failure("no such room", "message send", params={"account": "libera", "channel": "irc"}),
        "`trunkline channels describe irc:libera` shows why, and what happens next",
    ),
    (
        failure("irc:a: disabled", "channels start", params={"keys": ["irc:a"]}),
        "`trunkline channels describe irc:a` shows why, and what happens next",
    ),
    (
        failure("UNAVAILABLE: agent:main is not running (failed)", "agent", params={}),
        "`trunkline agents describe main` shows why, and what happens next",
    ),
    (
        failure("the agent failed", "agent", params={"agent": "main"}),
        "`trunkline agents describe main` shows why, and what happens next",
    ),
    (
        failure("it has no journal", "pairing block", params={"key": "irc:a", "sender": "x"}),
        "`trunkline channels describe irc:a` shows why, and what happens next",
    ),
    (
        failure("irc:a: ro\nirc:b: ro", "channels stop"),
        "`trunkline channels status` shows how it is",
    ),
    # a wrong secret: which one, and where the right one stands
    (
        failure(MISMATCH, "status", params={"url": URL, "token": "x"}),
        f"--token{HOST_OF_TOKEN}",
    ),
    (
        failure(
            MISMATCH,
            params={"url": URL},
            environment={"TRUNKLINE_GATEWAY_TOKEN": "x", "OPENCLAW_GATEWAY_TOKEN": "y"},
        ),
        f"TRUNKLINE_GATEWAY_TOKEN{HOST_OF_TOKEN}",
    ),
    (
        failure("unauthorized: gateway token missing (…)", params={"url": URL}),
        f"--token (or TRUNKLINE_GATEWAY_TOKEN){HOST_OF_TOKEN}",
    ),
    (
        failure(
            "refused",
            details={"code": "AUTH_PASSWORD_MISSING"},
            environment={"OPENCLAW_GATEWAY_PASSWORD": "x"},
        ),
        "unset OPENCLAW_GATEWAY_PASSWORD: this host's daemon provides the password itself",
    ),
    (
        failure("unauthorized: gateway password mismatch", params={"url": URL}),
        "OPENCLAW_GATEWAY_PASSWORD must be that gateway's password: gateway.auth.password in the"
        " configuration of its host, where `trunkline config path` prints the file",
    ),
    (
        failure(MISMATCH, "cron list", params={"token": "x"}),
        "leave --token out: this host's daemon provides the token itself",
    ),
    (
        failure(MISMATCH, "cron list", environment={"TRUNKLINE_GATEWAY_TOKEN": "x"}),
        "unset TRUNKLINE_GATEWAY_TOKEN: this host's daemon provides the token itself",
    ),
    (failure(MISMATCH, "cron list"), "`trunkline doctor` finds out why"),
    (
        failure(
            "unauthorized: too many failed authentication attempts (retry later)",
            details={"code": "AUTH_RATE_LIMITED"},
            wait_ms=4001,
            params={"token": "x"},
        ),
        "wait 5 s; leave --token out: this host's daemon provides the token itself",
    ),
    # rights
    (
        failure(
            "NOT_PAIRED: pairing required: device is not approved yet",
            code="NOT_PAIRED",
            details={"code": "PAIRING_REQUIRED", "requestId": "r1"},
        ),
        "on the gateway's host: `trunkline devices approve r1`",
    ),
    (
        failure("device identity required", code="NOT_PAIRED", params={"url": URL}),
        f"--token (or TRUNKLINE_GATEWAY_TOKEN){HOST_OF_TOKEN}",
    ),
    (
        failure("pairing required", code="NOT_PAIRED"),
        "on the gateway's host: `trunkline devices list`",
    ),
    (
        failure("FORBIDDEN: missing scope: operator.admin", code="FORBIDDEN"),
        "`trunkline devices list` on the gateway's host shows what each device may do",
    ),
    # an address where no gateway is
    (
        failure("no gateway answers at ws://x: refused", params={"url": URL}, exit=ExitCode(3)),
        "check the address: `trunkline gateway status` on that host prints it",
    ),
    (
        failure("ws://x: answered with HTTP 404", params={"url": URL}),
        "check the address: `trunkline gateway status` on that host prints it",
    ),
    (
        failure("no gateway answers at ws://x: refused", "cron list", exit=ExitCode.NOT_RUNNING),
        "`trunkline gateway status` says more",
    ),
    (
        failure("no gateway answers at ws://x", "gateway probe", exit=ExitCode.NOT_RUNNING),
        "`trunkline logs gateway` has what it wrote",
    ),
    (
        failure(
            "the gateway at ws://x does not answer within 1 s",
            "gateway health",
            params={"timeout": 1.0},
            exit=ExitCode.TIMEOUT,
        ),
        "`trunkline gateway status` says more",
    ),
    (
        failure("the supervisor ended: it is gone", "channels stop", exit=ExitCode.NOT_RUNNING),
        "`trunkline doctor` finds out why",
    ),
    (
        failure("wss://x: the certificate is not valid: self-signed", params={"url": URL}),
        "add it, or its authority, to the certificates that this host trusts",
    ),
    # requests
    (
        failure("say --message", "message send", exit=ExitCode.USAGE),
        "see `trunkline message send --help`",
    ),
    (failure("not text", exit=ExitCode.USAGE), "see `trunkline --help`"),
    (refused("invalid cron.add params: …", "cron add"), "see `trunkline cron add --help`"),
    (
        refused("invalid send params: Expected `str | null` - at `$.to`", "gateway call"),
        "see `trunkline gateway call --help`",
    ),
    (refused("unknown method: no.such", "gateway call"), "see `trunkline gateway call --help`"),
    (
        refused("Cannot delete the main session (agent:main:main).", "sessions delete"),
        "`trunkline sessions reset KEY` makes it forget all",
    ),
    # names that do not exist yet
    (
        failure("unknown account or channel 'x'; known: none", "wait"),
        "`trunkline channels add CHANNEL:NAME FIELD=VALUE…` adds one",
    ),
    (
        failure("unknown agent 'x'; known: none", "agent", params={"agent": "x"}),
        "`trunkline agents add ID kind=KIND FIELD=VALUE…` adds one",
    ),
    (failure("unknown job 'x'; known: none", "cron rm"), "`trunkline cron add` adds one"),
    # what passes, and what does not
    (
        failure("send unavailable during gateway restart", "message send", params=SEND),
        "try again in a moment; `trunkline gateway status` shows whether it is up",
    ),
    (
        failure("send: no answer within 5 s", "message send", params=SEND, exit=ExitCode.TIMEOUT),
        "it may still happen; --timeout waits longer",
    ),
    (
        failure(
            "UNAVAILABLE: irc:a: nothing can be stored: disk full", "message send", params=SEND
        ),
        "`trunkline doctor` says what to do",
    ),
    (
        failure("health: internal error", "gateway health"),
        "`trunkline logs gateway` has the details",
    ),
    (
        failure("KeyError: 'x' (this is a bug in trunkline)", "status"),
        "please report it, with what `trunkline version` and `trunkline doctor` print",
    ),
    # whatever else a command meets
    (failure("it is odd", "cron rm"), "`trunkline cron list --all` shows how it is"),
    (failure("it is odd", "cron list"), "`trunkline doctor` finds out why"),
    (
        failure("it is odd", "nodes rename", params={"url": URL}),
        f"`trunkline nodes status --url {URL}` shows how it is",
    ),
    (
        failure("it is odd", "pairing list", params={"url": URL}),
        "`trunkline doctor` on the gateway's host finds out why",
    ),
    (failure("it is odd", "agent"), "`trunkline agents list` shows the agents"),
    (failure("it is odd", "agents logs"), "`trunkline agents list` shows the agents"),
    (failure("it is odd", "agents list"), "`trunkline doctor` finds out why"),
    (
        failure("refused with 404", "hooks test"),
        "`trunkline config example hooks` shows what is allowed",
    ),
    (failure("it is odd", "service start"), "`trunkline service status` shows how it is"),
    (failure("the input has ended", "setup"), "`trunkline setup` begins again"),
    (failure("it is odd"), "`trunkline doctor` finds out why"),
]


@pytest.mark.parametrize(("given", "step"), STEPS)
def test_a_refusal_ends_with_what_to_do_next(given: CommandFailure, step: str) -> None:
    assert with_next_step(given) == f"{given.text.rstrip('.')}; {step}"


@pytest.mark.parametrize(
    "text",
    [
        "unknown account 'irc:x'; known: irc:libera",
        "unknown channel 'x'; channels with accounts: irc",
        "channel is required; configured: irc, local",
        "no dead letter a1; `deadletters list` shows them",
        "irc:a failed and needs a person: `trunkline channels login irc:a`",
        "/x exists already; --force replaces it",
    ],
)
def test_a_sentence_that_names_a_step_stays_as_it_is(text: str) -> None:
    assert with_next_step(failure(text, "status")) == text


@pytest.mark.parametrize("exit", [ExitCode.CONFIGURATION, ExitCode.INTERRUPTED])
def test_a_mistake_with_its_place_and_an_interruption_need_no_step(exit: ExitCode) -> None:
    assert with_next_step(failure("/etc/x.json5:3: gateway.port: is 0", exit=exit)).endswith("0")


@pytest.mark.parametrize(
    ("text", "usage", "named"),
    [
        ("--json and -o name exclude each other", False, True),
        ("--json and -o name exclude each other", True, False),
        ("Expected `str | null`", False, False),
        ("Expected `str`, got `int`", False, False),
        ("known: none", False, False),
    ],
)
def test_which_sentences_name_a_step(text: str, usage: bool, named: bool) -> None:
    assert names_step(text, usage=usage) is named


def test_every_step_is_a_command_that_exists_with_its_options() -> None:
    known = {" ".join(each.path): each for each in commands()}
    for given, step in STEPS:
        for typed in re.findall(r"`trunkline ([^`]*)`", step):
            words = [word for word in typed.split() if word not in (URL, "--help")]
            path = next((p for end in (2, 1) if (p := " ".join(words[:end])) in known), "--help")
            assert path in known or not words, (given.text, typed)
            options = {name for name in words if name.startswith("--")}
            there = (
                {name for each in known[path].options for name in each.names} if words else set()
            )
            assert options <= there, (given.text, typed)
