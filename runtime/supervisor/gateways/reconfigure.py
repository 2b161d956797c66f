"""Applies a new configuration to the gateway: no change, another process, or another kind.

It is compared with the configuration that the running process was started with, not with the one
read last: a process spawned after a change already has it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from ipc.frames.words import ALIVE, Phase
from runtime.config.gateway_model import GatewayConfig
from runtime.config.load import Loaded
from runtime.config.model import Config
from runtime.supervisor.gateways.factory import GatewayFactory, policy_of
from runtime.supervisor.gateways.foreign import ForeignGateway
from runtime.supervisor.gateways.managed import ManagedGateway
from runtime.supervisor.gateways.port import PortUnusable, address
from runtime.supervisor.gateways.reload_rules import Need, decide, need_of_part, part_of, waiting
from runtime.supervisor.lifecycle import Stop

MOVE_WITHIN = 30.0  # for the old gateway to end

log = structlog.get_logger("gateway")


class Reconfiguration:
    """Applies the configuration that ``loaded()`` returns to the gateway.

    ``start(name, work)`` runs work beside it.
    """

    def __init__(
        self,
        gateway: ManagedGateway,
        factory: GatewayFactory,
        loaded: Callable[[], Loaded],
        start: Callable[[str, Coroutine[Any, Any, None]], None],
    ) -> None:
        self._gateway = gateway
        self._factory = factory
        self._start = start
        self._loaded = loaded
        self._place = _place(loaded().config.gateway)
        self._moving = False
        self._obstacle: str | None = None  # why the last move was not made

    def attach(self, url: str) -> None:
        """Attach to the gateway that already runs at ``url``; only before the first start."""
        self._gateway.set_kind(self._factory.attach(self._loaded().config.gateway, url))

    def apply(self, *, asked: bool, changed: bool) -> str:
        """Apply the configuration; return in one word what is done.

        ``changed``: the file has changed, ``asked``: an operator requested the reload.
        """
        config = self._loaded().config.gateway
        kind = self._gateway.kind
        self._obstacle = None
        self._gateway.child.policy = policy_of(config, attached=kind.name == "attached")
        mode = config.reload.mode
        done = decide(mode, self._need(), asked=asked, changed=changed)
        if done is Need.MOVE:
            self._start_moving()
            return "moved"
        if asked and isinstance(kind, ForeignGateway) and kind.reload():
            return "signalled"
        phase = self._gateway.child.state.phase
        if done is Need.RESTART and phase is Phase.FAILED:  # a person was needed, and was there
            return self._try_start()
        if done is Need.RESTART and phase in ALIVE:
            return str(self._gateway.restart().outcome)
        return "unchanged" if self._need() is Need.NOTHING else "waits"

    def preview(self, loaded: Loaded, *, changed: bool) -> Need:
        """Return what ``apply`` would do for this configuration."""
        mode = loaded.config.gateway.reload.mode
        return decide(mode, self._need_of(loaded.config), asked=True, changed=changed)

    def _try_start(self) -> str:
        try:
            self._gateway.start()
        except PortUnusable as error:
            self._obstacle = f"the gateway is not started: {error}"
            return "waits"
        return "started"

    def waiting(self) -> list[str]:
        """Return warnings for settings that wait for a manual restart of the gateway."""
        runs = self._gateway.child.state.phase in ALIVE
        said = waiting(self._need()) if runs and not self._gateway.renewing else None
        return [each for each in (self._obstacle, None if self._moving else said) if each]

    def _need(self) -> Need:
        return self._need_of(self._loaded().config)

    def _need_of(self, config: Config) -> Need:
        if _place(config.gateway) != self._place:
            return Need.MOVE
        started = self._gateway.spawned_with
        return Need.NOTHING if started is None else need_of_part(started, part_of(config))

    def _start_moving(self) -> None:
        if not self._moving:
            self._moving = True
            self._start("moving the gateway", self._move())

    async def _move(self) -> None:
        """End the old gateway, then start one of the configured kind if it should run."""
        gateway = self._gateway
        try:
            while self._place != (place := _place(config := self._loaded().config.gateway)):
                kind = self._factory.make(config, address(config.bind), config.port)
                try:
                    if kind.listener is not None:
                        kind.listener.open()
                except PortUnusable as error:
                    self._obstacle = f"the gateway stays where it is: {error}"
                    log.error("gateway not moved", error=str(error))
                    return
                wanted = gateway.child.state.wanted
                gateway.child.post(Stop("moved"))
                if not await gateway.until(_is_stopped(gateway), MOVE_WITHIN):
                    if kind.listener is not None:
                        kind.listener.close()
                    self._obstacle = "the gateway stays where it is: it does not end"
                    return
                gateway.set_kind(kind)
                self._place = place
                log.info("gateway moved", url=kind.url, kind=kind.name)
                if wanted:
                    gateway.start()
        finally:
            self._moving = False


def _place(config: GatewayConfig) -> tuple[object, ...]:
    return config.port, config.bind, tuple(config.command or ()), config.url


def _is_stopped(gateway: ManagedGateway) -> Callable[[], bool]:
    return lambda: gateway.child.state.phase is Phase.STOPPED
