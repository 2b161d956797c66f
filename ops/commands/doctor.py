"""Defines the command ``trunkline doctor``, which finds and fixes problems."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.commands.option_groups import LocalOptions, command
from ops.commands.options import command_app
from ops.exits import ExitCode
from ops.output.show import show_json

app = command_app()
SCHEMA_VERSION = 1


@command(app)
def doctor(
    *,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Repair what cannot do harm: file modes, leftovers."),
    ] = False,
    lint: Annotated[bool, typer.Option("--lint", help="Exit 1 for warnings, too.")] = False,
    options: LocalOptions,
) -> None:
    """Find present and coming problems, with the daemon up, down or broken, and name cures.

    Exits 1 if there is an error that was not repaired.
    """
    from ops.connect.places import places_of
    from ops.doctor.checks import CHECKS, repaired, run
    from ops.doctor.facts import gather
    from ops.doctor.finding import Severity
    from ops.output.doctor import show_findings

    target = options.target
    found = run(gather(target, places_of(target)))
    if fix:
        found = repaired(found)
    found = [each.for_runtime() for each in found]
    bad = (Severity.ERROR, Severity.WARNING) if lint else (Severity.ERROR,)
    well = not any(each.severity in bad and each.fixed is None for each in found)
    if options.json:
        findings = [each.to_json() for each in found]
        answer = {"schemaVersion": SCHEMA_VERSION, "ok": well, "checksRun": len(CHECKS)}
        show_json(answer | {"findings": findings})
    else:
        show_findings(found, len(CHECKS))
    if not well:
        raise typer.Exit(ExitCode.ERROR)
