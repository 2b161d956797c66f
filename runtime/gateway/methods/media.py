"""Issues the addresses from which clients fetch the files of messages: ``media.ticket``."""

from __future__ import annotations

import time
from typing import Annotated, Any

from msgspec import Meta

from ipc.errors import RemoteError
from ipc.frames.requests import Params
from ipc.frames.words import INVALID_REQUEST
from ipc.media import SCHEME, media_id
from runtime.gateway.access.scopes import READ
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.http.tickets import TICKET_SECONDS
from runtime.gateway.parts import GatewayParts

MOST = 100


class MediaTicketParams(Params):
    """Which files: their addresses ``media:<id>``, as messages of the account have them."""

    channel: Annotated[str, Meta(min_length=1, max_length=64)]
    urls: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(min_length=1, max_length=MOST)]
    account_id: str | None = None


@method("media.ticket", READ, MediaTicketParams, ours=True)
def media_ticket(parts: GatewayParts, client: ConnectedClient, params: MediaTicketParams) -> Any:
    """Answer with paths (`/media/…?t=…`) of files of an account's messages, which can be requested
    from the gateway's port for five minutes without a secret.
    """
    if not parts.config.http.enabled:
        raise RemoteError(INVALID_REQUEST, "gateway.http.enabled is false: no file is served")
    key = parts.accounts.resolve("media.ticket", params.channel, params.account_id)
    paths, now = {}, time.time()
    for url in params.urls:
        found = media_id(url)
        if found is None:
            text = f"invalid media.ticket params: {url} is none of {SCHEME}<id>"
            raise RemoteError(INVALID_REQUEST, text)
        paths[url] = parts.tickets.address(key, found, now)
    return {"paths": paths, "expiresAtMs": (int(now) + TICKET_SECONDS) * 1000}
