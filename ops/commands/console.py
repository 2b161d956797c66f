"""Defines the command ``trunkline open``: opens the console in a browser that is signed in."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from ops.commands.option_groups import LocalOptions, command
from ops.commands.options import command_app
from ops.output.show import show_json

app = command_app()
Print = Annotated[bool, typer.Option("--print", help="Print the address instead of opening it.")]


@command(app, "open")
def open_(*, print_: Print = False, options: LocalOptions) -> None:
    """Open the console in a browser, signed in; without a browser print its address."""
    from ops.actions.open_console import make_address, open_in_browser, opener

    found = make_address(options.target)
    if options.json:
        show_json({"url": found.address, "expiresAtMs": found.expires_at})
        return
    program = None if print_ else opener(os.environ)
    if program is not None:
        open_in_browser(options.target, program, found.address)
        print(f"the console opens in your browser: {found.url}")
        return
    print(found.address)
    print("This address signs one browser in, once, within 60 s; do not pass it on.")
    print("From another computer: run `ssh -L PORT:127.0.0.1:PORT HOST` there first, same PORT.")
