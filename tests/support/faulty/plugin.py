"""One account that fails on request."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from typing import Any, cast, get_args

from workers.errors import Finished, LoggedOut, Misconfigured, NeedsLogin, Transient
from workers.messages import MAX_TEXT, Chat, Inbound, Outbound, Sender, Sent
from workers.plugin import Context

from . import Config, Fault

ERRORS: dict[str, Exception] = {
    "raise": ValueError("the plugin is broken"),
    "finished": Finished("all is said"),
    "logged-out": LoggedOut("the session was ended elsewhere"),
    "needs-login": NeedsLogin("the token was revoked", final=True),
    "misconfigured": Misconfigured("there is no such server", final=True),
    "transient": Transient("the platform is down"),
}


class Faulty:
    """Fails in the configured way."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.config: Config = ctx.config
        self._told: asyncio.Queue[str] = asyncio.Queue()
        self._ids = itertools.count(1)
        self._born = time.time_ns()  # ids are unique over incarnations
        self._kept: list[Any] = []
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Be ready, then fail as configured, then whenever a message says so."""
        if self.config.fault == "never-ready":
            await asyncio.Event().wait()
        self.ctx.ready()
        self.ctx.status(connected=True)
        if self.config.fault != "none":
            await asyncio.sleep(self.config.after)
            if await self._fail(self.config.fault):
                return
        while not await self._fail(cast("Fault", await self._told.get())):
            pass

    async def send(self, message: Outbound) -> Sent:
        """Accept the message; one that names a fault triggers it."""
        if message.text in get_args(Fault):
            self._told.put_nowait(message.text)
        if message.text.startswith("write "):
            data, _, count = message.text.removeprefix("write ").partition(" ")
            await asyncio.to_thread(self._write, base64.b64decode(data), int(count or 1))
            self.ctx.status(detail=f"wrote {data[:20]}")
        if message.text.startswith("bomb "):
            rate, length = map(int, message.text.removeprefix("bomb ").split())
            threading.Thread(
                target=self._bomb, args=(rate * 1_000_000, length), daemon=True
            ).start()
        if message.text.startswith("probe "):
            await asyncio.to_thread(self._probe, base64.b64decode(message.text[6:]).decode())
        if message.text.startswith("hold "):
            self.ctx.status(detail="holding")
            while not os.path.exists(message.text[5:]):  # noqa: ASYNC110, ASYNC240 - a test's gate
                await asyncio.sleep(0.01)
        return Sent(id=f"f-{next(self._ids)}", chat=message.to, ts=int(time.time() * 1000))

    def _probe(self, code: str) -> None:
        """Run code as an SDK would, and report its findings."""
        found: dict[str, Any] = {"ctx": self.ctx}
        try:
            exec(code, found)
            result = found["result"]
        except BaseException as error:  # noqa: BLE001 - told to the test
            result = f"{type(error).__name__}: {error}"
        told = f"{found.get('TOLD', '')}{result}"
        self._loop.call_soon_threadsafe(lambda: self.ctx.status(detail=told))

    async def _fail(self, fault: Fault) -> bool:
        """Fail; return true if ``run`` is to return."""
        if fault in ERRORS:
            raise ERRORS[fault]
        match fault:
            case "return":
                return True
            case "list":
                await self.ctx.emit(cast("Inbound", ["not", "a", "message"]))
            case "huge":
                await self.ctx.emit(self._message("x" * (MAX_TEXT + 1)))
            case "flood":
                while True:
                    await self.ctx.emit(self._message("flood"))
            case "leak-memory" | "leak-slowly":
                while True:
                    self._kept.append(bytearray(os.urandom(1024)) * 1024)
                    await asyncio.sleep(0.01 if fault == "leak-memory" else 0.1)
            case "uncancellable":
                await self._refuse_to_stop()
            case "callback":
                asyncio.get_running_loop().call_soon(self._raise)
            case _:
                self._hurt_the_process(fault)
        return False

    def _hurt_the_process(self, fault: Fault) -> None:
        match fault:
            case "exit":
                os._exit(3)
            case "segfault":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "block":
                time.sleep(self.config.seconds)
            case "hold-gil":
                re.match(r"(a+)+$", "a" * 100 + "b")  # 2^100 ways to try
            case "print":
                while True:
                    sys.stdout.write("bomb " * 200 + "\n")
            case "fork":
                if os.fork() == 0:
                    time.sleep(self.config.seconds)
                    os._exit(0)
                self._raise()
            case "daemon":
                subprocess.Popen(
                    [sys.executable, "-c", f"import time; time.sleep({self.config.seconds})"],
                    start_new_session=True,
                )
                self._raise()
            case "leak-files":
                while True:
                    self._kept.append(os.open("/dev/null", os.O_RDONLY))
            case "ignore-term":
                asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def _write(self, data: bytes, count: int) -> None:
        for _ in range(count):
            left = memoryview(data)
            while left:
                left = left[os.write(1, left) :]

    def _bomb(self, rate: int, length: int) -> None:
        """Print without end, at ``rate`` bytes a second at most."""
        two = b"x" * (length - 1) + b"\n" + b"y" * (length - 1) + b"\n"  # never the same again
        block = two * max(1, rate // 100 // len(two))
        began, written = time.monotonic(), 0
        while True:
            self._write(block, 1)
            written += len(block)
            time.sleep(max(0.0, began + written / rate - time.monotonic()))

    async def _refuse_to_stop(self) -> None:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.ctx.log.info("not stopping")

    def _raise(self) -> None:
        raise ValueError("the plugin is broken")

    def _message(self, text: str) -> Inbound:
        return Inbound(
            id=f"{self._born:x}-{next(self._ids)}",
            chat=Chat(id="room", kind="group"),
            sender=Sender(id="somebody"),
            text=text,
            ts=int(time.time() * 1000),
        )
