"""Ends the sentence about a failure with what to do next, where it names nothing itself. Pure.

Most refusals come from a gateway in the words of its protocol, which has no commands. A sentence
names a step if it has a command, an option, or the names that exist. All others end with one from
here: by the error's code and words, by the account that it is about, and by the failed command.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ipc.frames.words import (
    AGENT,
    FORBIDDEN,
    INVALID_REQUEST,
    NOT_PAIRED,
    agent_key,
    command_for,
)
from ops.exits import ExitCode

# Nothing is left to do after Ctrl-C, and a mistake in a configuration is named with its place.
_COMPLETE = (ExitCode.INTERRUPTED, ExitCode.CONFIGURATION)
_COMMAND = re.compile(r"`[a-z]+ [^`|]+`")  # not `str | null`, as a decoder quotes types
_OPTION = re.compile(r"(?<![\w-])--[a-z]")
# The words that lists of names begin with, in our own refusals and in those of the gateway.
_NAMES = re.compile(r"\b(?:known|allowed|accounts|configured|paths|sections): (?!none\b)")
_NO_NAMES = re.compile(r"\b(?:no|unknown|unknown \S+) (account|agent|job)\b.*; known: none\b")
_KEY = re.compile(r"(?:[A-Z_]+: )?([A-Za-z][\w.-]*:(?!\d+\b)[A-Za-z0-9][\w.-]*)(?=[ :;,]|$)")
_TOKEN = "TRUNKLINE_GATEWAY_TOKEN"  # noqa: S105 - the name of a variable
_PASSWORD = "OPENCLAW_GATEWAY_PASSWORD"  # noqa: S105 - likewise
_FROM_ENVIRONMENT = (_TOKEN, "OPENCLAW_GATEWAY_TOKEN", _PASSWORD)
# A client without a secret could prove itself by its device; the command line has no device.
_NO_SECRET = re.compile(r"unauthorized: |device identity required")
_LOCKED_OUT = "AUTH_RATE_LIMITED"
# How to add the first of what does not exist yet.
_ADDED_BY = {
    "account": "`trunkline channels add CHANNEL:NAME FIELD=VALUE…` adds one",
    "agent": "`trunkline agents add ID kind=KIND FIELD=VALUE…` adds one",
    "job": "`trunkline cron add` adds one",
}
# Words of refusals that have one cure, whichever command meets them.
_BY_WORDS = (
    (
        re.compile(r"nothing can be stored|journal is not open"),
        "`trunkline doctor` says what to do",
    ),
    (
        re.compile(r"certificate is not valid"),
        "add it, or its authority, to the certificates that this host trusts",
    ),
    (re.compile(r"unknown method"), "see `trunkline gateway call --help`"),
    (re.compile(r"internal error"), "`trunkline logs gateway` has the details"),
    (
        re.compile(r"gateway restart|is starting|is ending|retry shortly|supervisor is not conn"),
        "try again in a moment; `trunkline gateway status` shows whether it is up",
    ),
    (re.compile(r"Cannot delete the main"), "`trunkline sessions reset KEY` makes it forget all"),
    (
        re.compile(r"bug in trunkline"),
        "please report it, with what `trunkline version` and `trunkline doctor` print",
    ),
)
_NO_GATEWAY = re.compile(r"answered with HTTP|no gateway there|before hello")
_WITH_ACCOUNTS = ("channels", "chat", "pairing")  # commands whose KEY is that of an account
# What shows what a failed command is about; the commands of these lists also take --url.
_SHOWN_BY = {
    "channels": "channels status",
    "cron": "cron list --all",
    "deadletters": "deadletters list",
    "devices": "devices list",
    "gateway": "gateway status",
    "message": "channels status",
    "nodes": "nodes status",
    "pairing": "pairing list",
    "sessions": "sessions list",
    "wait": "status",
}
_LOCAL = {
    "agent": "`trunkline agents list` shows the agents",
    "agents": "`trunkline agents list` shows the agents",
    "hooks": "`trunkline config example hooks` shows what is allowed",
    "open": "`trunkline gateway status` says more",
    "service": "`trunkline service status` shows how it is",
    "setup": "`trunkline setup` begins again",
}


class CommandFailure(NamedTuple):
    """A failure: its sentence and exit code, and what else is known of it.

    ``path`` are the words of the command, without ``trunkline``, ``params`` its arguments and
    options by their names. ``code``, ``details`` and ``wait_ms`` are those of a gateway's error.
    """

    text: str
    exit: ExitCode
    path: str = ""
    params: Mapping[str, Any] = {}
    code: str = ""
    details: Any = None
    wait_ms: int | None = None
    environment: Mapping[str, str] = {}

    @property
    def url(self) -> str:
        """The URL of the gateway that the command goes through; empty for this host's runtime."""
        return self.params.get("url") or ""

    @property
    def kind(self) -> str:
        """The word by which the details of a gateway's error classify it."""
        return str(self.details.get("code") or "") if isinstance(self.details, dict) else ""


def with_next_step(failure: CommandFailure) -> str:
    """Return the sentence of a failure, which ends with what to do next."""
    text = failure.text
    if failure.exit in _COMPLETE or names_step(text, usage=failure.exit is ExitCode.USAGE):
        return text
    step = next(filter(None, (rule(failure) for rule in _RULES)))
    return f"{text.rstrip('.')}; {step}"


def names_step(text: str, *, usage: bool = False) -> bool:
    """Return whether a sentence names a next step; ``usage``: that of a mistyped command line."""
    if _COMMAND.search(text):
        return True
    return not usage and bool(_OPTION.search(text) or _NAMES.search(text))


def _mend_command_line(failure: CommandFailure) -> str | None:
    if failure.exit is not ExitCode.USAGE:
        return None
    return f"see `{' '.join(['trunkline', *failure.path.split()])} --help`"


def _add_first(failure: CommandFailure) -> str | None:
    found = _NO_NAMES.search(failure.text)
    return _ADDED_BY.get(found[1]) if found else None


def _wait_for_lock(failure: CommandFailure) -> str | None:
    if failure.kind != _LOCKED_OUT:
        return None
    seconds = -(-(failure.wait_ms or 60_000) // 1000)
    return f"wait {seconds} s; {_right_secret(failure)}"


def _use_right_secret(failure: CommandFailure) -> str | None:
    if not (failure.kind.startswith("AUTH_") or _NO_SECRET.search(failure.text)):
        return None
    return _right_secret(failure)


def _right_secret(failure: CommandFailure) -> str:
    """Return which secret to use instead, and where it stands."""
    what = "password" if "password" in f"{failure.kind} {failure.text}".lower() else "token"
    variable = next((each for each in _FROM_ENVIRONMENT if failure.environment.get(each)), "")
    used = "--token" if failure.params.get("token") else variable
    if failure.url:
        used = used or (_PASSWORD if what == "password" else f"--token (or {_TOKEN})")
        return (
            f"{used} must be that gateway's {what}: gateway.auth.{what} in the configuration of its"
            " host, where `trunkline config path` prints the file"
        )
    if used:
        cure = "leave --token out" if used == "--token" else f"unset {used}"
        return f"{cure}: this host's daemon provides the {what} itself"
    return "`trunkline doctor` finds out why"


def _have_approved(failure: CommandFailure) -> str | None:
    if failure.code != NOT_PAIRED and failure.kind != "PAIRING_REQUIRED":
        return None
    request = failure.details.get("requestId") if isinstance(failure.details, dict) else None
    command = f"devices approve {request}" if request else "devices list"
    return f"on the gateway's host: `trunkline {command}`"


def _use_other_rights(failure: CommandFailure) -> str | None:
    if failure.code != FORBIDDEN and "missing scope" not in failure.text:
        return None
    return "`trunkline devices list` on the gateway's host shows what each device may do"


def _follow_words(failure: CommandFailure) -> str | None:
    return next((step for words, step in _BY_WORDS if words.search(failure.text)), None)


def _correct_request(failure: CommandFailure) -> str | None:
    if failure.code != INVALID_REQUEST:
        return None
    return f"see `trunkline {failure.path} --help`" if failure.path else None


def _examine_account(failure: CommandFailure) -> str | None:
    key = _account_of(failure)
    if key is None or failure.exit is ExitCode.NOT_RUNNING:
        return None
    if failure.url:
        return f"{_remote(f'channels status {key}', failure)} shows its state"
    return f"`{command_for(key, 'describe')}` shows why, and what happens next"


def _account_of(failure: CommandFailure) -> str | None:
    """Return the key of the account or agent that a failure is about; ``None`` if unknown."""
    params, group = failure.params, failure.path.partition(" ")[0]
    account, channel, key = (params.get(each) or "" for each in ("account", "channel", "key"))
    if account and (channel or ":" in account):
        return account if ":" in account else f"{channel}:{account}"
    if group in _WITH_ACCOUNTS and ":" in key:
        return str(key)
    if group == AGENT and params.get("agent"):
        return agent_key(params["agent"])
    if group == "agents" and params.get("name"):
        return agent_key(str(params["name"]).removeprefix(f"{AGENT}:"))
    found = None if "\n" in failure.text else _KEY.match(failure.text)
    return found[1] if found else None


def _wait_longer(failure: CommandFailure) -> str | None:
    if failure.exit is not ExitCode.TIMEOUT or "timeout" not in failure.params:
        return None
    return "it may still happen; --timeout waits longer"


def _find_gateway(failure: CommandFailure) -> str | None:
    away = failure.exit in (ExitCode.NOT_RUNNING, ExitCode.TIMEOUT) and "gateway" in failure.text
    if not (away or _NO_GATEWAY.search(failure.text)):
        return None
    if failure.url:
        return "check the address: `trunkline gateway status` on that host prints it"
    if failure.path.startswith(("gateway status", "gateway probe")):
        return "`trunkline logs gateway` has what it wrote"
    return "`trunkline gateway status` says more"


def _inspect(failure: CommandFailure) -> str:
    group = failure.path.partition(" ")[0]
    shown_by = None if failure.exit is ExitCode.NOT_RUNNING else _SHOWN_BY.get(group)
    if shown_by is not None and failure.path != shown_by.removesuffix(" --all"):
        return f"{_remote(shown_by, failure)} shows how it is"
    step = _LOCAL.get(group)
    if step is not None and (group == "setup" or f"`trunkline {failure.path}`" not in step):
        return step
    there = " on the gateway's host" if failure.url else ""
    return f"`trunkline doctor`{there} finds out why"


def _remote(command: str, failure: CommandFailure) -> str:
    """Return a command in quotes, with the URL of the gateway that the failed one goes through."""
    where = f" --url {shlex.quote(failure.url)}" if failure.url else ""
    return f"`trunkline {command}{where}`"


_RULES: tuple[Callable[[CommandFailure], str | None], ...] = (
    _mend_command_line,
    _add_first,
    _wait_for_lock,
    _use_right_secret,
    _have_approved,
    _use_other_rights,
    _follow_words,
    _correct_request,
    _find_gateway,
    _wait_longer,
    _examine_account,
    _inspect,
)
