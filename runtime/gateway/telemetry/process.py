"""Keeps the exporter of traces running, on a thread of its own in the gateway.

The event loop has no part in it but to take a report now and then. An exporter that ends is started
again, one that says nothing for long is ended first.
"""

from __future__ import annotations

import os
import re
import select
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import structlog

from ipc.epoch import now_ms
from ipc.frames.words import EXIT_CONFIG
from ipc.helpers import PIPE, Helper, end_helper, start_helper
from ipc.nesting import MALFORMED, decode_json
from runtime.config.gateway_model import TelemetryConfig
from runtime.gateway.journal.interface import FILE
from runtime.gateway.telemetry.exchange import Counts, ExporterOrder, ExportSettings
from workers.errors import Misconfigured
from workers.secrets import reveal

STATE = "traces.json"  # beside the journal: how far it has been exported
BEGIN_SECONDS = 1.0  # after the gateway, whose accounts start then
SILENT_SECONDS = 150.0  # without a report: it hangs
FIRST_SECONDS, LAST_SECONDS = 1.0, 60.0  # between two starts, when they fail
CALL = "from runtime.gateway.telemetry.exporter import main; main()"
# What the exporter gets of our environment: no secret of the gateway is among it.
PASSED = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONHOME"}
PASSED |= {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
_HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
PREFIXES = ("OTEL_", "TRUNKLINE_RUN_ID")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

log = structlog.get_logger("gateway.telemetry")


class ExporterProcess(threading.Thread):
    """The exporter of the journal in ``state_dir``, from its first start until ``stop``.

    ``report`` is called on this thread.
    """

    def __init__(
        self,
        config: TelemetryConfig,
        state_dir: Path,
        version: str,
        report: Callable[[Counts], None],
    ) -> None:
        super().__init__(name="telemetry", daemon=True)
        self._config = config
        self._state_dir = state_dir
        self._version = version
        self._report = report
        self._since = now_ms()
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # held so that ``stop`` finds what is being started
        self._process: Helper | None = None

    def stop(self) -> None:
        """End the exporter at once; the next one continues from its progress."""
        self._stopping.set()
        with self._lock:
            if self._process is not None:
                end_helper(self._process)

    def run(self) -> None:
        """Run the exporter, restart it whenever it ends, and hand on its reports."""
        wait = BEGIN_SECONDS
        while not self._stopping.wait(wait):
            began = time.monotonic()
            try:
                code = self._run_exporter(self._order())
            except Misconfigured as error:
                self._report(Counts(problem=str(error)))
                code = EXIT_CONFIG
            except OSError as error:
                self._report(Counts(problem=f"the exporter cannot be started: {error}"))
                code = None
            if self._stopping.is_set():
                return
            lived = time.monotonic() - began > LAST_SECONDS
            if code != EXIT_CONFIG:
                log.warning("the exporter of traces has ended", code=code)
                if code is not None and not lived:
                    text = f"the exporter has ended with {code}, and is started again"
                    self._report(Counts(problem=text))
            wait = FIRST_SECONDS if lived else min(max(wait, FIRST_SECONDS) * 2, LAST_SECONDS)

    def _order(self) -> bytes:
        """Return the order for an exporter, with secrets. Raises ``Misconfigured``; blocks."""
        config = self._config
        settings = ExportSettings(
            endpoint=config.endpoint,
            headers={name: _header(name, reveal(value)) for name, value in config.headers.items()},
            service_name=config.service_name,
            sample_ratio=config.sample_ratio,
            version=self._version,
        )
        state = self._state_dir
        order = ExporterOrder(str(state / FILE), str(state / STATE), self._since, settings)
        return msgspec.json.encode(order) + b"\n"

    def _run_exporter(self, order: bytes) -> int | None:
        """Run one exporter to its end; return its exit code, ``None`` if it was killed."""
        answered = True
        with self._lock:
            if self._stopping.is_set():
                return None
            command = [sys.executable, "-P", "-c", CALL]
            env = environment(os.environ)
            process = self._process = start_helper(command, stdin=PIPE, stdout=PIPE, env=env)
        try:
            assert process.stdin is not None
            process.stdin.write(order)
            process.stdin.flush()
            answered = self._read(process)
        except OSError:  # it has ended before it took its order
            pass
        finally:
            with self._lock:
                end_helper(process)
                self._process = None
            code = process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
        return code if answered else None

    def _read(self, process: Helper) -> bool:
        """Handle the reports of an exporter until it ends; return false if it falls silent."""
        assert process.stdout is not None
        out = process.stdout.fileno()
        data = b""
        while _readable(out, SILENT_SECONDS):
            chunk = os.read(out, 65536)
            if not chunk:
                return True
            *lines, data = (data + chunk).split(b"\n")
            for line in lines:
                try:
                    self._report(decode_json(line, Counts))
                except MALFORMED:
                    log.warning("invalid report of the exporter of traces")
        self._report(Counts(problem="the exporter did not answer, and is started anew"))
        return False


def _header(name: str, value: str) -> str:
    """Return the value of a header. Raises ``Misconfigured``, which does not show it, for one that
    no request can carry (RFC 9110 section 5.5): what refuses it there would print it.
    """
    if _HEADER_VALUE.fullmatch(value) is None:
        raise Misconfigured(
            f"headers.{name} is no value of an HTTP header: it must have no blanks at its ends, no"
            " line ends and nothing but ASCII"
        )
    return value


def _readable(fd: int, seconds: float) -> bool:
    """Wait until something can be read, and return whether; select(2) knows no fd above 1023."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables for an exporter."""
    kept = {
        name: value
        for name, value in ours.items()
        if name in PASSED or name.startswith(PREFIXES) or name.lower() in PROXIES
    }
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
