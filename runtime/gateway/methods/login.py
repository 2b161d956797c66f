"""Logs in accounts whose channels need a person: ``channels.login``, ``web.login``.

What is shown, and may open the account to whoever sees it, goes to administrators alone and is
kept nowhere here.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ipc.errors import RemoteError
from ipc.frames.requests import LoginAnswerParams, LoginParams, Params
from ipc.frames.words import INVALID_REQUEST, Phase
from ipc.hidden_fields import hide_fields
from runtime.gateway.access.scopes import ADMIN
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import Repeat, method
from runtime.gateway.methods.asking import ask_for, person_behind
from runtime.gateway.methods.channels import LOGOUT_SECONDS, Name
from runtime.gateway.parts import GatewayParts
from runtime.gateway.supervisor_link import ASK_SECONDS

STEP_SECONDS = 30.0  # of one question to the supervisor; longer waits are several
WIDE = 2000  # characters from which on the modules of a QR code are drawn smaller
Timeout = Annotated[int, Meta(ge=0, le=600_000)]


class WebLoginStartParams(Params):
    """OpenClaw's params; ``channel`` and ``account_id`` choose where several could be meant.

    ``force`` logs out first. ``verbose`` is accepted and ignored.
    """

    force: bool = False
    timeout_ms: Timeout = 30_000
    verbose: bool = False
    channel: Name | None = None
    account_id: Name | None = None


@hide_fields("current_qr_data_url")
class WebLoginWaitParams(Params):
    """OpenClaw's params: with another QR code than ``current_qr_data_url`` it is answered."""

    timeout_ms: Timeout = 120_000
    current_qr_data_url: Annotated[str, Meta(max_length=16_384)] | None = None
    channel: Name | None = None
    account_id: Name | None = None


@method("channels.login", ADMIN, LoginParams, ours=True, repeat=Repeat.ALWAYS)
async def channels_login(parts: GatewayParts, client: ConnectedClient, params: LoginParams) -> Any:
    """Follow the login of an account: its question (`prompt`), whether it is `linked`. Answers when
    that differs from `seen`, the last `mark`, after `timeoutMs` at the latest.
    """
    seconds = params.timeout_ms / 1000 + ASK_SECONDS
    given, by = msgspec.to_builtins(params), person_behind(parts, client)  # asked again and again
    return await parts.supervisor.ask_raw("channels.login", given, seconds, by=by)


@method("channels.login.answer", ADMIN, LoginAnswerParams, ours=True)
async def channels_login_answer(
    parts: GatewayParts, client: ConnectedClient, params: LoginAnswerParams
) -> Any:
    """Answer a question of an account's login, by the prompt's id. The answer is not logged."""
    return await ask_for(parts, client, "channels.login.answer", msgspec.to_builtins(params))


@method("web.login.start", ADMIN, WebLoginStartParams)
async def web_login_start(
    parts: GatewayParts, client: ConnectedClient, params: WebLoginStartParams
) -> Any:
    """Begin the login of an account, and answer with its QR code once it exists."""
    key = _account(parts, "web.login.start", params.channel, params.account_id)
    row = parts.accounts.rows[key]
    if row.phase == Phase.RUNNING:
        if not params.force:
            return {"message": f"{key} is logged in already", "connected": True}
        await parts.calls.call(key, "logout", b"{}", LOGOUT_SECONDS)
        await ask_for(parts, client, "channels.restart", {"accounts": [key]})
    by = person_behind(parts, client)
    login = await _follow(parts, key, params.timeout_ms, _Goal(start=True, by=by))
    return login.answer


@method("web.login.wait", ADMIN, WebLoginWaitParams)
async def web_login_wait(
    parts: GatewayParts, client: ConnectedClient, params: WebLoginWaitParams
) -> Any:
    """Wait until the login is done, or another QR code is to be shown."""
    key = _account(parts, "web.login.wait", params.channel, params.account_id)
    goal = _Goal(shown=params.current_qr_data_url, until_linked=True)
    login = await _follow(parts, key, params.timeout_ms, goal)
    return {"connected": False} | login.answer


class _Goal(msgspec.Struct, frozen=True):
    """The goal of a wait: any prompt, or another QR code than the one ``shown``."""

    start: bool = False
    by: str | None = None  # the person who starts it
    shown: str | None = None
    until_linked: bool = False


class _WebLogin(msgspec.Struct, frozen=True):
    """The state of a login in OpenClaw's form, and whether it changes no more by itself."""

    answer: dict[str, Any]
    over: bool


def _account(parts: GatewayParts, verb: str, channel: str | None, account: str | None) -> str:
    """Return the named account, else the default one of the only channel with a login."""
    able = [
        info.id for info in parts.accounts.channels.values() if "login" in info.can.get("can", ())
    ]
    if channel is None and not able:
        raise RemoteError(INVALID_REQUEST, "web login provider is not available")
    if channel is not None and channel not in able:
        text = f"web login is not supported by provider {channel}"
        raise RemoteError(INVALID_REQUEST, text)
    return parts.accounts.resolve(verb, channel or able[0], account)


async def _follow(parts: GatewayParts, key: str, timeout_ms: int, goal: _Goal) -> _WebLogin:
    loop = asyncio.get_running_loop()
    end, seen, start = loop.time() + timeout_ms / 1000, "", goal.start
    while True:
        wait = min(max(end - loop.time(), 0.0), STEP_SECONDS) if seen else 0.0
        asked = LoginParams(account=key, seen=seen, timeout_ms=int(wait * 1000), start=start)
        request = msgspec.to_builtins(asked)
        view = await parts.supervisor.ask("channels.login", request, wait + ASK_SECONDS, goal.by)
        login = await asyncio.to_thread(_login_of, key, view)
        url = login.answer.get("qrDataUrl")
        news = url != goal.shown if goal.until_linked else view["state"] == "asked"
        if login.over or (url is not None and news) or (news and not goal.until_linked):
            return login
        if seen and loop.time() >= end:
            return login
        seen, start = view["mark"], False


def _login_of(key: str, view: dict[str, Any]) -> _WebLogin:
    if view["state"] == "linked":
        return _WebLogin({"connected": True, "message": f"{key} is logged in"}, over=True)
    if view["state"] == "ended":
        why = view.get("reason") or view.get("cause") or view["phase"]
        return _WebLogin(
            {"connected": False, "message": f"{key} is not logged in: {why}"}, over=True
        )
    prompt = view.get("prompt")
    if prompt is None:
        return _WebLogin({"message": f"{key} is starting"}, over=False)
    hint = f" {prompt['hint']}" if prompt["hint"] else ""
    match prompt["kind"]:
        case "qr":
            text = f"Scan this QR code with the phone.{hint}"
            return _WebLogin({"message": text, "qrDataUrl": _png_url(prompt["text"])}, over=False)
        case "code":
            return _WebLogin({"message": f"Enter this code: {prompt['text']}.{hint}"}, over=False)
        case "open":
            return _WebLogin({"message": f"Open {prompt['text']} and log in.{hint}"}, over=False)
    text = f"{prompt['text']} Answer with `trunkline channels login {key}`."
    return _WebLogin({"message": text}, over=False)


def _png_url(text: str) -> str:
    """Return a QR code as a ``data:`` URL. Takes milliseconds: in a thread."""
    import segno  # late: few gateways ever show one

    code = segno.make(text, error="l", micro=False)
    return str(code.png_data_uri(scale=2 if len(text) > WIDE else 4, border=4))
