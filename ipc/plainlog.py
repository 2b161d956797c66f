"""Imports structlog without its optional traceback renderers.

If rich is installed, as a dependency of typer, structlog imports it with pygments and attrs for an
unused renderer: that takes 60 ms of every start, and 4 MiB that each fork maps. So the zygote and
the supervisor import this module before anything imports structlog.
"""

from __future__ import annotations

from ipc.lean_import import lean_import

with lean_import(absent=("rich", "better_exceptions")):
    import structlog.dev  # noqa: F401
