"""Carries a setup out: writes the secrets, runs the commands, and undoes them if one fails."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ipc.files import write_atomically
from ops.actions.setup_plan import Plan, is_restart, undoing
from ops.exits import ExitCode, OperatorError
from runtime.config.files import make_private

Run = Callable[[Sequence[str]], object]  # a command of trunkline; raises what it fails with


def carry_out(made: Plan, run: Run) -> None:
    """Write the secrets and run the commands of a plan.

    Changes of the configuration are finished despite Ctrl-C, and undone if a later command fails.
    Raises ``OperatorError``, exit 130, with what remains after an interruption.
    """
    first = [command for command in made.commands if command[0] == "up"]
    last = [command for command in made.commands if command[0] == "wait" or is_restart(command)]
    for command in first:
        run(command)
    configured = False
    try:
        with _uninterrupted() as noted:
            _configure(made, run)
            configured = True
        if noted:
            raise KeyboardInterrupt
        for command in last:
            run(command)
    except (KeyboardInterrupt, OperatorError) as error:
        if not configured:
            raise
        if isinstance(error, KeyboardInterrupt) or error.exit == ExitCode.INTERRUPTED:
            raise _interruption(last) from None
        if not made.secrets:
            raise
        raise OperatorError(
            f"{error}; the configuration is kept. If the platform refused what you typed:"
            " `trunkline setup` with the same name asks for it again",
            error.exit,
        ) from None


def _configure(made: Plan, run: Run) -> None:
    """Write the secrets, and run the commands that can be undone; undo all if one fails."""
    done: list[Sequence[str]] = []
    written: dict[Path, Path | None] = {}  # and where what was in them before is kept
    try:
        for path, secret in made.secrets.items():
            written[path] = _write(path, secret)
        for command in made.commands:
            if undoing(command):
                run(command)
                done.append(command)
    except BaseException:
        _undo(done, written, run)
        raise
    for kept in filter(None, written.values()):
        kept.unlink(missing_ok=True)


def _interruption(last: Sequence[Sequence[str]]) -> OperatorError:
    """Return the error of a setup that was interrupted when all was configured."""
    looks = "; ".join(
        f"`trunkline channels describe {command[1]}` shows how it is"
        for command in last
        if command[0] == "wait"
    )
    return OperatorError(
        f"interrupted; the configuration is kept{f': {looks}' if looks else ''}",
        ExitCode.INTERRUPTED,
    )


def _write(path: Path, secret: str) -> Path | None:
    """Write a secret; return the path at which the earlier one is kept, ``None`` if there is none.

    It is kept under a second name, because a full disk has no room to write it back.
    """
    make_private(path.parent)
    kept = path.with_name(f"{path.name}.before")
    kept.unlink(missing_ok=True)  # of a setup that was killed
    with contextlib.suppress(FileNotFoundError):
        os.link(path, kept)
    try:
        write_atomically(path, f"{secret}\n".encode())
    except BaseException:
        kept.unlink(missing_ok=True)
        raise
    return kept if kept.exists() else None


def _undo(done: Sequence[Sequence[str]], written: Mapping[Path, Path | None], run: Run) -> None:
    for path, kept in written.items():  # first: a removal names the files that stay
        if kept is None:
            path.unlink(missing_ok=True)
        else:
            kept.replace(path)
    for command in reversed(done):
        with contextlib.suppress(OperatorError):
            run(undoing(command) or [])


@contextlib.contextmanager
def _uninterrupted() -> Iterator[list[int]]:
    """Record Ctrl-C in the yielded list instead of raising it, until the block ends.

    The signal mask protects programs that are started in the block, but applies to this thread
    only: another thread may take the signal. The handler covers that case.
    """
    noted: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: noted.append(number))
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        yield noted
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))
        signal.signal(signal.SIGINT, before)
