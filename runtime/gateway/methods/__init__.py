"""The methods of the gateway, one small file per family: a new file here is all it takes.

Every module of this package is imported at once, and enters its methods into ``table``.
"""

from __future__ import annotations

import importlib
import pkgutil

from runtime.gateway.clients.method_table import METHODS, allowed, public, refusal, repeatable

__all__ = ["METHODS", "allowed", "public", "refusal", "repeatable"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
