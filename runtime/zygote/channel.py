"""Runs the zygote of one channel: a fork of the base zygote that has imported the plugin, too.

Whatever that import does (it may hang, raise, end the process, start threads or use much memory)
affects this process only: other channels and the gateway are forked from other zygotes. It is a
child of the supervisor and ends with it; if it ends by itself, the workers that it forked live on.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import socket
import sys
import time
import traceback
from typing import Any

from ipc.procfs import rss_bytes
from runtime.zygote.child import run_pickled
from runtime.zygote.environment import forget
from runtime.zygote.forking import answer_fork, forks_survive, receive
from runtime.zygote.imported_files import ImportedFiles
from runtime.zygote.sharing import share

ERROR_CHARACTERS = 300  # of what an import raised


def serve_channel(request: dict[str, Any], fds: dict[str, int], supervisor: int) -> int:
    """Import the ``modules`` of the request, report, and serve requests on ``fds["requests"]``.

    The report is one message of JSON: ``seconds`` that the imports took, ``bytes`` of memory that
    they added, how many ``threads`` they have started, whether forks of this process survive
    (``sound``), and the ``error`` that one has raised; with an error the process ends. After that
    a request is ``spawn`` or ``forget``, as for the base zygote, or ``check``, which is answered
    with ``fresh`` or, when a file of what was imported has changed, ``stale``. Returns the exit
    code.
    """
    for each in ("boot", "words"):  # it gets no further input, and has no last report
        os.close(fds.pop(each))
    requests = socket.socket(fileno=fds["requests"])
    modules: list[str] = request["modules"]
    before = set(sys.modules)
    report = _import(modules)
    files = ImportedFiles(before, modules)
    if "error" not in report:
        gc.collect()  # of other people's imports, it may be much
        share()
        report |= {"threads": _threads(), "sound": forks_survive()}
    requests.send(json.dumps(report).encode())
    if "error" in report:
        return 1
    while True:
        message, passed = receive(requests)
        if not message:
            return 0
        asked = json.loads(message)
        if asked["kind"] == "forget":
            forget(asked["names"])
        elif asked["kind"] == "check":
            requests.send(b"stale" if files.has_changed() else b"fresh")
        else:
            answer_fork(requests, asked, passed, supervisor, run_pickled)


def _import(modules: list[str]) -> dict[str, Any]:
    """Import modules; return the fields of the report."""
    began, had = time.monotonic(), rss_bytes() or 0
    report: dict[str, Any] = {}
    importlib.invalidate_caches()  # the base zygote may have looked there long ago
    gc.disable()  # imports make hardly any garbage, and to look for it takes a tenth of the time
    try:
        for module in modules:
            importlib.import_module(module)
    except BaseException as error:  # noqa: BLE001 - an SDK may raise anything, SystemExit too
        traceback.print_exc()
        report["error"] = _words(error)
    gc.enable()
    report["seconds"] = time.monotonic() - began
    report["bytes"] = max(0, (rss_bytes() or 0) - had)
    return report


def _words(error: BaseException) -> str:
    """Describe an exception in one line, even if its own ``str`` fails."""
    try:
        text = " ".join(f"{type(error).__name__}: {error}".split())
    except Exception:  # noqa: BLE001 - another package's exception
        text = type(error).__name__
    return text[:ERROR_CHARACTERS]


def _threads() -> int:
    """Return the number of threads of this process besides the main one."""
    return len(os.listdir("/proc/self/task")) - 1
