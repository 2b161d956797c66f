"""Registers the methods for operators: importing this package fills their table."""

from runtime.supervisor.api import accounts, config, gateway, login, logs, system

__all__ = ["accounts", "config", "gateway", "login", "logs", "system"]
