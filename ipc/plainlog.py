"""Imports structlog without its optional traceback renderers.

If rich is installed, as a dependency of typer, structlog imports it with pygments and attrs for an
unused renderer: that takes 60 ms of every start, and 4 MiB that each fork maps. So the zygote and
the supervisor import this module before anything imports structlog.
"""

from __future__ import annotations

import sys

_UNUSED = [name for name in ("rich", "better_exceptions") if name not in sys.modules]

sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]  # None: not to be had
try:
    import structlog.dev  # noqa: F401
finally:
    for _name in _UNUSED:
        del sys.modules[_name]
