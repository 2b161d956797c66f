"""Imports structlog without what it would import to paint tracebacks.

Where rich is installed, as typer has it, structlog imports it with pygments and attrs for a
renderer that nothing here uses: 60 ms of every start, and 4 MiB that each fork has to map. So
this module is imported before anything else imports structlog: in the zygote and the supervisor.
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
