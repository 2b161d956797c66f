"""Fills the table of requests of operators: importing this package imports every family of them."""

from runtime.supervisor.api import accounts, config, gateway, logs, system

__all__ = ["accounts", "config", "gateway", "logs", "system"]
