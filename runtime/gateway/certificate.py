"""Loads the certificate of the gateway's port, and reloads it when its files change.

Renewal tools replace files and send no signal, so each handshake looks at the files' times;
connections that are open keep what they began with. Files that do not fit together (the
renewal is half done) leave the old certificate in use.
"""

from __future__ import annotations

import os
import ssl

import structlog

from workers.errors import Misconfigured

log = structlog.get_logger("gateway.certificate")

Stamp = tuple[tuple[int, int, int], ...]


class Certificate:
    """The certificate and its key; ``context`` is the server's TLS context.

    Raises ``Misconfigured`` when the files cannot be used.
    """

    def __init__(self, certificate: str | None, key: str | None) -> None:
        self._files = (certificate or "", key or "")
        self._stamp: Stamp | None = None
        try:
            self._stamp = self._read_stamp()
            self._current = self._load()
        except OSError as error:  # ssl.SSLError is one
            names = " and ".join(self._files)
            text = f"gateway.tls: {names}: {error.strerror or error}"
            raise Misconfigured(text) from None
        self.context = self._load()
        self.context.sni_callback = self._choose

    def _choose(self, sock: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        self._refresh()
        sock.context = self._current

    def _refresh(self) -> None:
        try:
            stamp = self._read_stamp()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._current = self._load()
        except OSError as error:
            log.error("certificate not reloaded", error=str(error))
        else:
            log.info("certificate reloaded", path=self._files[0])

    def _read_stamp(self) -> Stamp:
        found = [os.stat(path) for path in self._files]
        return tuple((each.st_mtime_ns, each.st_ino, each.st_size) for each in found)

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*self._files)
        return context
