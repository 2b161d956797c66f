"""Shows operators the login of an account, and passes on their answers to its prompts."""

from __future__ import annotations

import asyncio
from typing import Any

from ipc.errors import RemoteError
from ipc.frames.control import LoginAnswer
from ipc.frames.requests import LoginAnswerParams, LoginParams
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE, Phase
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.api.accounts import TargetParams, start
from runtime.supervisor.api.table import Caller, add_change, find, method
from runtime.supervisor.parts import Parts

TAKE_SECONDS = 5.0  # in which a worker takes an answer: it only notes it


@method("channels.login", LoginParams, asks_caller=True)
async def login(parts: Parts, params: LoginParams, *, caller: Caller) -> Any:
    """Return the progress of an account's login, at once or when it has changed."""
    account = _require_login(parts, params.account)
    if params.start and account.phase not in (Phase.STARTING, Phase.RUNNING):
        started = await start(parts, TargetParams(accounts=[account.key]), caller=caller)
        row = started["results"][0]
        if not row["ok"]:
            raise RemoteError(UNAVAILABLE, row.get("error") or row.get("reason") or "not started")
        # Only this is a change: a login is followed by the same request, again and again.
        add_change(parts.history, f"channels.login {account.key}", caller.by)
    seconds = params.timeout_ms / 1000
    await account.wait_until(lambda state: _view(account)["mark"] != params.seen, seconds)
    return _view(account)


@method("channels.login.answer", LoginAnswerParams, asks_caller=True, changes=True)
async def answer(parts: Parts, params: LoginAnswerParams, *, caller: Caller) -> Any:
    """Send a person's answer to the account; it is neither stored nor logged."""
    account = _require_login(parts, params.account)
    shown = account.login.prompt(account.child.state)
    if shown is None or shown.name != params.prompt:
        raise RemoteError(INVALID_REQUEST, f"{account.key} no longer asks this")
    if account.login.answering:
        raise RemoteError(UNAVAILABLE, "another answer is being processed", retryable=True)
    account.login.answering = True
    try:
        given = LoginAnswer(shown.asked.id, params.text)
        taken = await parts.link.send_login_answer(account, given, TAKE_SECONDS)
    finally:
        account.login.answering = False
    if taken is None:
        raise RemoteError(UNAVAILABLE, f"{account.key} has not accepted the answer", retryable=True)
    if taken.problem:
        raise RemoteError(INVALID_REQUEST, taken.problem)
    account.add_note("its login prompt was answered", caller.by)
    return {"account": account.key, "ok": True}


def _require_login(parts: Parts, key: str) -> Account:
    account = find(parts.accounts, key)
    if not account.spec.can_login:
        path = "channels.{}.accounts.{}".format(*key.split(":", 1))
        raise RemoteError(
            INVALID_REQUEST,
            f"the channel {account.spec.channel} has no login of its own: what it logs in with"
            f" stands in the configuration ({path})",
        )
    return account


def _view(account: Account) -> dict[str, Any]:
    now = asyncio.get_running_loop().time()
    view = account.login.view(account.child.state, now, account.child.deadline)
    return {"account": account.key} | view
