"""The requests of operators: importing this package enters every family into their table."""

from runtime.supervisor.api import accounts, config, gateway, login, logs, system

__all__ = ["accounts", "config", "gateway", "login", "logs", "system"]
