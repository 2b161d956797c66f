"""Brings a new configuration to the gateway: nothing, another process, or another source.

Compared is what the running process was started with, not what was read last: a process that
has been spawned since a change has it already, and one that is spawned while the next change
comes has not.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from ipc.frames.words import ALIVE, Phase
from runtime.config.load import Loaded
from runtime.config.model import GatewayConfig
from runtime.supervisor.gateways.factory import Kit, policy_of, source_of
from runtime.supervisor.gateways.foreign import ForeignGateway
from runtime.supervisor.gateways.managed import Front
from runtime.supervisor.gateways.port import PortUnusable, address
from runtime.supervisor.gateways.reload_rules import Need, decide, need, waiting
from runtime.supervisor.lifecycle import Stop

MOVE_WITHIN = 30.0  # for the old gateway to end

log = structlog.get_logger("gateway")


class Takeover:
    """``loaded()`` is the configuration as it is now."""

    def __init__(self, front: Front, kit: Kit, loaded: Callable[[], Loaded]) -> None:
        self._front = front
        self._kit = kit
        self._loaded = loaded
        self._place = _place(loaded().config.gateway)
        self._moving = False
        self._obstacle: str | None = None  # why the last move was not made

    def apply(self, *, asked: bool, changed: bool) -> str:
        """Do what the configuration takes; return what is done, in one word.

        ``changed``: the file is another than before, ``asked``: somebody wants a reload.
        """
        config = self._loaded().config.gateway
        source = self._front.source
        self._obstacle = None
        self._front.child.policy = policy_of(config, attached=source.kind == "attached")
        mode = config.reload.mode
        done = decide(mode, self._need(), asked=asked, changed=changed)
        if done is Need.MOVE:
            self._start_moving()
            return "moved"
        if asked and isinstance(source, ForeignGateway) and source.reload():
            return "signalled"
        phase = self._front.child.state.phase
        if done is Need.RESTART and phase is Phase.FAILED:  # a person was needed, and was there
            return self._started()
        if done is Need.RESTART and phase in ALIVE:
            return str(self._front.restart().outcome)
        return "unchanged" if self._need() is Need.NOTHING else "waits"

    def _started(self) -> str:
        try:
            self._front.start()
        except PortUnusable as error:
            self._obstacle = f"the gateway is not started: {error}"
            return "waits"
        return "started"

    def waiting(self) -> list[str]:
        """Return the warnings for what is not in force, and not about to be."""
        runs = self._front.child.state.phase in ALIVE
        said = waiting(self._need()) if runs and not self._front.renewing else None
        return [each for each in (self._obstacle, None if self._moving else said) if each]

    def _need(self) -> Need:
        config = self._loaded().config.gateway
        if _place(config) != self._place:
            return Need.MOVE
        started = self._front.spawned_with
        return Need.NOTHING if started is None else need(started, config)

    def _start_moving(self) -> None:
        if not self._moving:
            self._moving = True
            self._front.background(self._move())

    async def _move(self) -> None:
        """Let the old gateway end, and start another one where it is wanted now."""
        front = self._front
        try:
            while self._place != (place := _place(config := self._loaded().config.gateway)):
                source = source_of(config, address(config.bind), config.port, self._kit)
                try:
                    source.open()
                except PortUnusable as error:
                    self._obstacle = f"the gateway stays where it is: {error}"
                    log.error("gateway not moved", error=str(error))
                    return
                wanted = front.child.state.wanted
                front.child.post(Stop("moved"))
                if not await front.until(_is_stopped(front), MOVE_WITHIN):
                    source.close()
                    self._obstacle = "the gateway stays where it is: it does not end"
                    return
                front.source, self._place = source, place
                front.child.policy = source.policy
                log.info("gateway moved", url=source.url, kind=source.kind)
                if wanted:
                    front.start()
        finally:
            self._moving = False


def _place(config: GatewayConfig) -> tuple[object, ...]:
    return config.port, config.bind, tuple(config.command or ()), config.url


def _is_stopped(front: Front) -> Callable[[], bool]:
    return lambda: front.child.state.phase is Phase.STOPPED
