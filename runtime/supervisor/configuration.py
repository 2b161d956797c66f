"""Holds the active configuration, and the ids by which clients see its revisions."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from functools import lru_cache

import structlog

from ipc.frames.bootstrap import ChannelInfo
from runtime.config.accounts import channels
from runtime.config.load import Loaded, Reader, closed_accounts, config_warnings, without_journal
from runtime.config.model import Config

log = structlog.get_logger("supervisor")


class Configuration:
    """The active configuration. ``read`` loads the file, or a text.

    ``warnings`` are doubts about the active configuration; ``invalid`` says what is wrong with a
    file that was not applied.
    """

    def __init__(self, loaded: Loaded, read: Reader) -> None:
        self.read = read
        self.invalid: str | None = None
        self._loaded = loaded
        self._warnings = config_warnings(loaded)
        self._key = secrets.token_bytes(32)
        self._sealed = lru_cache(maxsize=64)(self._seal)  # each row of an account has one

    @property
    def loaded(self) -> Loaded:
        """The configuration that was applied last."""
        return self._loaded

    @property
    def config(self) -> Config:
        """The values of the configuration."""
        return self._loaded.config

    @property
    def revision(self) -> str:
        """The hash over all values, including secrets; clients get ``seal`` of it."""
        return self._loaded.revision

    @property
    def warnings(self) -> list[str]:
        """Warnings about the active configuration, one sentence each."""
        return list(self._warnings)

    def log_warnings(self) -> None:
        """Log every warning, the accounts without a journal, and those that answer nobody."""
        for warning in self._warnings:
            log.warning(warning)
        if chosen := without_journal(self._loaded):
            log.warning(chosen)
        for closed in closed_accounts(self._loaded):
            log.info(closed)

    def apply(self, loaded: Loaded) -> None:
        """Activate another configuration."""
        self._loaded = loaded
        self._warnings = config_warnings(loaded)

    def refuse(self, error: Exception) -> None:
        """Log and remember why a configuration was not applied."""
        log.error("configuration not applied", error=str(error))
        problems = "; ".join(str(error).splitlines())  # a warning is one line
        self.invalid = f"the configuration was not taken over: {problems}"

    def accept(self) -> None:
        """Clear the error of the file, which is valid now."""
        self.invalid = None

    def channels(self) -> list[ChannelInfo]:
        """Return the channels that have accounts, for clients."""
        return channels(self._loaded.config, self._loaded.manifests)

    def seal(self, revision: str) -> str:
        """Return a revision id for clients, keyed so that guesses of secrets cannot be checked."""
        return self._sealed(revision)

    def _seal(self, revision: str) -> str:
        mac = hmac.new(self._key, revision.encode(), hashlib.sha256).digest()
        return f"hmac-sha256:v1:{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
