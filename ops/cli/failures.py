"""Which sentence and which exit code an unexpected-looking error deserves.

Imported only when something failed: it knows the error trees of all packages.
"""

from __future__ import annotations

import os

from ipc.errors import CallTimeout, ConnectionFailed, PeerGone, RemoteError
from ops.exits import Exit

_TIMEOUT_CODES = frozenset({"TIMEOUT", "AGENT_TIMEOUT"})


def sentence(error: BaseException) -> tuple[str, Exit]:
    """Return what to print on stderr and how to exit."""
    match error:
        case CallTimeout() | TimeoutError():
            return str(error) or "no answer in time", Exit.TIMEOUT
        case RemoteError(code=code):
            return str(error), Exit.TIMEOUT if code in _TIMEOUT_CODES else Exit.ERROR
        case ConnectionFailed(retryable=True):
            return str(error), Exit.NOT_RUNNING
        case ConnectionFailed() | PeerGone():
            return str(error), Exit.ERROR
        case OSError(strerror=str(reason), filename=name):
            return f"{os.fspath(name)}: {reason}" if name else reason, Exit.ERROR
    if type(error).__name__ == "ConfigError":
        return str(error), Exit.CONFIGURATION
    return f"{type(error).__name__}: {error} (this is a bug in trunkline)", Exit.ERROR
