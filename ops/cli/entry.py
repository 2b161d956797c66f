"""Starts the command line ``trunkline``: prepares the process, then imports the rest.

Inherited descriptors must be valid before the first import that opens a file, and Ctrl-C during
the imports must end the process without a traceback. Imports leave hardly any garbage, so the
collector is off meanwhile: it would take an eighth of the time until the zygote starts.
"""

from __future__ import annotations

import gc
import os
import signal
import sys

KEYS = "__keys"  # what the completion of shells asks, at once and without the rest
# With it the interpreter prints a traceback instead of exiting, and then reads standard input. Its
# own copy of the setting cannot be changed: the command is started again without it.
INSPECT = "PYTHONINSPECT"


def main() -> None:
    """Run the command of ``sys.argv`` and exit with its code."""
    gc.disable()
    if sys.flags.inspect and INSPECT in os.environ:
        del os.environ[INSPECT]
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - itself
    interrupted = signal.getsignal(signal.SIGINT)
    if interrupted is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from runtime.supervisor.process_setup import ENDING_SIGNALS, drop_unwritten, open_streams

    open_streams()
    if sys.argv[1:2] == [KEYS]:
        from ops.cli.completion_values import main as print_values

        print_values(sys.argv[2:])
        return
    from ops.cli.main import main as run

    gc.freeze()  # else the first collection would look at all that is there
    gc.enable()
    signal.signal(signal.SIGINT, interrupted)
    try:
        run()
    finally:
        for number in ENDING_SIGNALS:  # all is done: an end that comes now changes nothing
            signal.signal(number, signal.SIG_IGN)
        drop_unwritten()


if __name__ == "__main__":
    main()
