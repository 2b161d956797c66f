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
    from urllib.parse import urlsplit

    from ops.actions.open_console import make_address, open_in_browser, opener

    found = make_address(options.target)
    if options.json:
        public = {} if found.public_address is None else {"publicUrl": found.public_address}
        show_json({"url": found.address, **public, "expiresAtMs": found.expires_at})
        return
    program = None if print_ else opener(os.environ)
    if program is not None:
        open_in_browser(options.target, program, found.address)
        print(f"the console opens in your browser: {found.url}")
        return
    print(found.address)
    print("It signs one browser in, once, within 60 s, as an operator who may do everything.")
    local = urlsplit(found.url)
    print(f"From another computer: run `ssh -L {local.port}:{local.netloc} HOST` there first.")
    if found.public_address is not None:
        print(f"Through gateway.publicUrl: {found.public_address}")
