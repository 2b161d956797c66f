"""Shows a plugin's login prompts to a person, and returns the answers.

Prompts are sent over the control link, because the gateway accepts nothing of an account that does
not run yet. There is one prompt at a time: a new one replaces it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any

from ipc import timeouts
from ipc.frames.control import LoginAnswer, LoginAsked, LoginTaken
from workers.errors import LoginExpired
from workers.links.control import WorkerControlLink
from workers.login import Ask, Code, LoginPrompt, Open, Qr

GONE = "this is no longer asked"


class AccountLogin:
    """The login of one account. ``add_secret`` registers a text as a secret, redacted in logs."""

    def __init__(self, control: WorkerControlLink, add_secret: Callable[[str], None]) -> None:
        self._control = control
        self._add_secret = add_secret
        self._number = 0
        self._prompt: LoginPrompt | None = None
        self._answer: asyncio.Future[Any] | None = None
        self._taken: LoginTaken | None = None  # the last one, should the question come again

    async def ask(self, prompt: LoginPrompt, expires: float | None = None) -> Any:
        """Show ``prompt``; return the answer to an ``Ask`` or ``Open``, or ``None`` at once.

        Raises ``LoginExpired`` after ``expires`` seconds or if another prompt replaces it, and
        ``RuntimeError`` once the account is ready.
        """
        if self._control.ready:
            raise RuntimeError("login() comes before ready(): raise NeedsLogin to begin anew")
        if expires is not None and not (math.isfinite(expires) and expires > 0):
            raise ValueError("a login expires after more than 0 seconds")
        shown = _frame(self._number + 1, prompt, expires)
        self._drop("another prompt has replaced it")
        self._number, self._prompt = shown.id, prompt
        self._add_secret(shown.text)
        self._control.send_login(shown)
        if isinstance(prompt, Qr | Code):
            return None
        answer = asyncio.get_running_loop().create_future()
        self._answer = answer
        try:
            async with timeouts.timeout(expires):
                return await answer
        except TimeoutError:
            raise LoginExpired(f"no login within {expires:g} s") from None
        finally:
            if self._answer is answer:
                self.end()

    def end(self) -> None:
        """Withdraw the prompt."""
        self._drop("the login is over")
        self._control.send_login(None)

    def on_answer(self, frame: LoginAnswer) -> LoginTaken:
        """Handle a person's answer; return that it was accepted, or why not."""
        if self._taken is not None and self._taken.id == frame.id and not self._taken.problem:
            return self._taken
        self._taken = LoginTaken(frame.id, self._apply_answer(frame))
        return self._taken

    def opened(self, state: str, query: Mapping[str, str]) -> bool:
        """Handle the redirect of an ``Open`` page; return whether it was expected."""
        prompt = self._prompt
        if not isinstance(prompt, Open) or not _same(prompt.state, state):
            return False
        return self._settle({str(name): str(value) for name, value in query.items()})

    def _apply_answer(self, frame: LoginAnswer) -> str:
        if frame.id != self._number or self._answer is None or self._answer.done():
            return GONE
        if isinstance(self._prompt, Ask):
            if not frame.text:
                return "the answer is empty"
            self._add_secret(frame.text)
            self._settle(frame.text)
            return ""
        query = _query_of(frame.text)
        if not self.opened(query.get("state", ""), query):
            return "that is not the address to which this login leads back: it has another state"
        return ""

    def _settle(self, value: Any) -> bool:
        if self._answer is None or self._answer.done():
            return False
        if isinstance(value, dict):
            for name in value.keys() - {"state"}:
                self._add_secret(value[name])
        self._answer.set_result(value)
        return True

    def _drop(self, why: str) -> None:
        answer, self._answer, self._prompt = self._answer, None, None
        if answer is not None and not answer.done():
            answer.set_exception(LoginExpired(why))


def _frame(number: int, prompt: LoginPrompt, expires: float | None) -> LoginAsked:
    within = expires or 0.0
    match prompt:
        case Qr(data, hint):
            return LoginAsked(number, "qr", data, hint, expires=within)
        case Code(text, hint):
            return LoginAsked(number, "code", text, hint, expires=within)
        case Ask(text, secret):
            return LoginAsked(number, "ask", text, secret=secret, expires=within)
        case Open(url, _, hint):
            return LoginAsked(number, "open", url, hint, expires=within)
    raise TypeError(f"login takes Qr, Code, Ask and Open, not {type(prompt).__name__}")


def _query_of(address: str) -> dict[str, str]:
    """Parse the query of a URL that a person copied from the browser."""
    from urllib.parse import parse_qsl, urlsplit  # late: few logins need it

    try:
        query = urlsplit(address.strip()).query
    except ValueError:
        return {}
    return dict(parse_qsl(query, keep_blank_values=True))


def _same(one: str, other: str) -> bool:
    import hmac  # late: few logins need it

    return hmac.compare_digest(one.encode(), other.encode())
