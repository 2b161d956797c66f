"""Asks a platform whether a login is right, before anything is written.

What a plugin offers for it is ``check_login(config, http)``; the others are only checked in form.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from ipc import timeouts
from ipc.secret_patterns import without_secrets
from workers.errors import ChannelError, Misconfigured, NeedsLogin
from workers.plugin import Manifest, fields_of
from workers.secrets import resolve

SECONDS = 10.0  # for the platform; a person waits


class LoginVerdict(msgspec.Struct, frozen=True):
    """The platform's verdict about a login.

    ``unknown``: it could not be asked. ``words``: who it is, or why.
    """

    outcome: Literal["right", "refused", "unknown"]
    words: str


def ask_platform(manifest: Manifest, fields: Mapping[str, Any]) -> LoginVerdict | None:
    """Return what the platform says of an account with these fields; ``None``: it is not asked.

    ``fields`` may hold those that every account has; of these only ``proxy`` counts.
    """
    from workers.process.loading import import_object  # late: of all commands this one needs it

    names = {each.encode_name for each in fields_of(manifest.config)}
    try:
        check = getattr(import_object(manifest.plugin), "check_login", None)
        if check is None:
            return None
        given = {name: value for name, value in fields.items() if name in names}
        config = msgspec.convert(resolve(given, manifest.secrets), manifest.config)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - of an SDK that is broken, or missing
        return LoginVerdict("unknown", _words(error))
    return asyncio.run(_ask(check, config, fields.get("proxy")))


async def _ask(check: Any, config: Any, proxy: str | None) -> LoginVerdict:
    import aiohttp  # late, as the plugin

    limits = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with (
            timeouts.timeout(SECONDS),
            aiohttp.ClientSession(timeout=limits, proxy=proxy) as http,
        ):
            return LoginVerdict("right", _one_line(str(await check(config, http))))
    except (NeedsLogin, Misconfigured) as error:
        return LoginVerdict("refused", _words(error))
    except TimeoutError:
        return LoginVerdict("unknown", f"no answer within {SECONDS:g} s")
    except Exception as error:  # noqa: BLE001 - the network, or whatever a plugin raises
        return LoginVerdict("unknown", _words(error))


def _words(error: BaseException) -> str:
    """Return an error in words: those of the platform first, then what to do about it."""
    said = [str(each) for each in (error.__cause__, error) if each is not None and str(each)]
    if not isinstance(error, ChannelError):
        said = said[-1:] or [type(error).__name__]
    return _one_line("; ".join(dict.fromkeys(said)))


def _one_line(text: str) -> str:
    return without_secrets(" ".join(text.split()), "…")[:300]
