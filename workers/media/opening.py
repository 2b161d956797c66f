"""Opens a file that a message names, without a race between the check and the use.

The file is found first and opened afterwards through what was found, so that a link that is
swapped in between changes nothing. Devices, pipes and sockets are never opened at all: already
that can have an effect.
"""

from __future__ import annotations

import os
import stat

from workers.errors import MediaFailed
from workers.media.policy import MediaPolicy, forbidden


def open_allowed(url: str, policy: MediaPolicy) -> int:
    """Open the regular file of a ``file:`` URL; return its descriptor. Raises ``MediaFailed``."""
    path = policy.candidate(url)
    try:
        found = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise _failed(path, error) from None
    try:
        real = os.readlink(f"/proc/self/fd/{found}")
        directories = [os.path.realpath(each) for each in policy.directories]
        hidden = [os.path.realpath(each) for each in policy.hidden]
        if not policy.permits(real, directories, hidden):
            raise forbidden(path)
        kept = os.fstat(found)
        if not stat.S_ISREG(kept.st_mode) or not kept.st_nlink:
            raise MediaFailed(f"{path} is not a regular file", reason="invalid")
        return os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _failed(path, error) from None
    finally:
        os.close(found)


def _failed(path: str, error: OSError) -> MediaFailed:
    missing = isinstance(error, FileNotFoundError | NotADirectoryError)
    return MediaFailed(
        f"{path}: {os.strerror(error.errno or 0)}", reason="not_found" if missing else "forbidden"
    )
