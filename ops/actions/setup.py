"""Asks for a channel, its secret and an agent, and runs the commands that add them.

Everything is asked first and then done without a pause, so that an interruption leaves nothing half
done. If a command fails, those before it are undone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ipc.files import write_atomically
from ops.actions.config_edit import SECRETS
from ops.actions.keyboard import Keyboard
from ops.actions.login_check import ask_platform
from ops.actions.setup_plan import (
    AGENTS,
    KEEP,
    NEXT,
    ON,
    SHOWN_AGENTS,
    Plan,
    SetupQuestion,
    WrongSecret,
    describe_refusal,
    existing_agents,
    form_check,
    is_restart,
    plan,
    plan_replacement,
    questions_of,
    read_choice,
    secrets_again,
    section_of,
    shown_command,
    undoing,
    wrong_answer,
)
from ops.exits import ExitCode, OperatorError, UsageFailure
from ops.output import commands
from ops.output.text import clean
from runtime.config.files import make_private
from runtime.config.places import Places
from workers.plugin import Manifest
from workers.registry import ID, ID_RULE, Manifests, manifests

Run = Callable[[Sequence[str]], object]  # a command of trunkline; raises what it fails with
FIRST = "telegram"
CHOICE = "choice"  # the name of a question with fixed answers
TRIES = 5  # wrong answers to one question, so that a script with a terminal comes to an end


def set_up(places: Places, run: Run, *, probe: bool = True) -> None:
    """Ask the questions, show what will be done, and do it.

    With ``probe`` the platform checks the login before anything is written. Raises
    ``UsageFailure`` without a terminal, ``OperatorError`` if a command fails, and after Ctrl-C.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageFailure(
            "setup asks questions, and this is no terminal; a script takes `trunkline up --detach`,"
            " `trunkline agents add` and `trunkline channels add`"
        )
    try:
        _ask_and_do(places, run, probe=probe)
    except KeyboardInterrupt:
        raise OperatorError("interrupted: nothing was done", ExitCode.INTERRUPTED) from None


def _ask_and_do(places: Places, run: Run, *, probe: bool) -> None:
    known = manifests()
    accounts, raw = _configured(places)
    agents = existing_agents(raw)
    asked = _Dialog(Keyboard(), probe=probe)
    manifest = known[_channel(asked, known)].manifest
    account = asked.ask(
        SetupQuestion("account", "Name of the account", _free_account(manifest.id, accounts)),
        lambda text: _wrong_account(text),
    )
    key = f"{manifest.id}:{account}"
    directory = places.config_path.parent / SECRETS
    if key in accounts:
        made = _replacing(asked, manifest, key, accounts[key], directory, _is_running(places))
        _agree_and_do(asked, made, run)
        return
    fields, hidden = asked.login(manifest, list(questions_of(manifest)), section_of(raw, manifest))
    agent = asked.choose("Who answers?", SHOWN_AGENTS, KEEP)
    agent_fields, agent_secrets = asked.fields(AGENTS.get(agent, ()))
    made = plan(
        key,
        fields,
        hidden,
        agent,
        agent_fields,
        agent_secrets,
        directory,
        running=_is_running(places),
        agents=agents,
    )
    if _agree_and_do(asked, made, run):
        _print_next_steps(manifest, key)


def _replacing(
    asked: _Dialog,
    manifest: Manifest,
    key: str,
    configured: Mapping[str, Any],
    directory: Path,
    running: bool,
) -> Plan:
    """Ask for new secrets of an existing account. Raises ``OperatorError`` if it has none."""
    print(clean(f"{key} exists already: only its secrets can be replaced; Enter keeps one."))
    again, elsewhere = secrets_again(manifest, key, configured, directory)
    for line in elsewhere:
        print(clean(f"  {line}"))
    _, hidden = asked.login(manifest, again, configured)
    if not hidden:
        raise OperatorError(f"{key} is unchanged: nothing was done")
    return plan_replacement(key, hidden, directory, running=running)


def _agree_and_do(asked: _Dialog, made: Plan, run: Run) -> bool:
    """Show a plan and carry it out if the person agrees; return whether it was carried out."""
    given = commands.options()
    print("\nThis will be done:\n")
    for path in made.secrets:
        print(clean(f"  # what you typed is written to {path}, for you alone"))
    for command in made.commands:
        print(clean(f"  {shown_command(command, given)}"))
    print()
    if asked.choose("Do it?", {"yes": "", "no": ""}, "yes") == "no":
        print("Nothing was done.")
        return False
    carry_out(made, lambda command: run([*given, *command]))
    return True


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


class _Dialog:
    """Asks questions on the terminal; raises ``OperatorError`` if the input ends."""

    def __init__(self, keyboard: Keyboard, *, probe: bool) -> None:
        self._keyboard = keyboard
        self._probe = probe

    def ask(self, question: SetupQuestion, check: Callable[[str], str | None]) -> str:
        """Ask until the answer is valid; return it."""
        if question.about:
            hidden = " It is not shown while you type." if question.secret else ""
            print(clean(f"  {question.about}{hidden}"))
        for _ in range(TRIES):
            typed = self._line(question)
            if typed is None:
                raise OperatorError("the input has ended: nothing was done")
            answer = typed.strip() or question.default or ""
            wrong = wrong_answer(question, answer, check)
            if wrong is None:
                return answer
            what = "The answer" if question.name == CHOICE else question.text.partition(" (")[0]
            print(clean(f"  {what} {wrong}"))
        raise OperatorError(f"no valid answer to {question.text!r}: nothing was done")

    def _line(self, question: SetupQuestion) -> str | None:
        """Return what is typed, ``None`` at the end of the input; the line of the prompt ends."""
        hint = f" [{question.default}]" if question.default and not question.secret else ""
        prompt = clean(f"{question.text}{hint}: ")
        typed = None
        try:
            typed = asyncio.run(self._keyboard.line(secret=question.secret, prompt=prompt))
        finally:
            if typed is None and not question.secret:
                print()
        return typed

    def choose(self, text: str, choices: Mapping[str, str], default: str) -> str:
        """Ask for one of several names: typed whole, shortened, or as a number."""
        names = list(choices)
        if any(choices.values()):
            print(f"\n{text}")
            for number, (name, meaning) in enumerate(choices.items(), start=1):
                print(clean(f"  {number} {name:<10} {meaning}".rstrip()))
            text = "Choose"

        def wrong(answer: str) -> str | None:
            return None if read_choice(answer, names) else f"is one of {', '.join(names)}"

        answer = self.ask(SetupQuestion(CHOICE, text, default), wrong)
        return read_choice(answer, names) or default

    def fields(
        self,
        questions: Sequence[SetupQuestion],
        wrong_secret: WrongSecret = lambda name, value: None,
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Ask several questions; return the plain answers and the secret ones.

        ``wrong_secret`` checks the format of each typed secret.
        """
        seen: dict[str, str] = {}
        hidden: dict[str, str] = {}
        for question in questions:
            answer = self.ask(question, form_check(question, wrong_secret))
            if answer:
                (hidden if question.secret else seen)[question.name] = answer
        return seen, hidden

    def login(
        self, manifest: Manifest, questions: Sequence[SetupQuestion], around: Mapping[str, Any]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Return the answers as ``fields`` does, once the platform takes them, or the person does.

        ``around`` are the fields that the account has beside them.
        """
        for _ in range(TRIES):
            seen, hidden = self.fields(questions, manifest.wrong_secret)
            if not (self._probe and hidden):
                return seen, hidden
            print(clean(f"  Asking {manifest.label}…"), flush=True)
            answer = ask_platform(manifest, {**around, **seen, **hidden})
            if answer is None or answer.outcome == "right":
                print(clean(f"  It is {answer.words}." if answer else "  It cannot be asked."))
                return seen, hidden
            print(clean(f"  {describe_refusal(manifest.label, answer)}"))
            if (
                self.choose("What now?", NEXT[answer.outcome], next(iter(NEXT[answer.outcome])))
                == ON
            ):
                return seen, hidden
        raise OperatorError(f"{manifest.label} took none of it: nothing was done")


def _channel(asked: _Dialog, known: Manifests) -> str:
    names = sorted(known, key=lambda each: (each != FIRST, each))
    choices = {
        name: known[name].manifest.detail_label or known[name].manifest.label for name in names
    }
    return asked.choose("Which channel?", choices, names[0])


def _configured(places: Places) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Return the fields of the existing accounts by key, and the whole configuration.

    Raises ``ConfigError`` if the daemon could not start with it, before anything is asked.
    """
    from runtime.config.load import load_effective

    if not places.config_path.exists():
        return {}, {}
    found = load_effective(places, os.environ)
    return {key: spec.config for key, spec in found.accounts.items()}, found.raw


def _is_running(places: Places) -> bool:
    from ops.connect.supervisor import connected_supervisor

    async def connect() -> None:
        async with connected_supervisor(places):
            pass

    try:
        asyncio.run(connect())
    except OperatorError:
        return False
    return True


def _free_account(channel: str, taken: Mapping[str, Any]) -> str:
    number, name = 1, "main"
    while f"{channel}:{name}" in taken:
        number += 1
        name = f"main{number}"
    return name


def _wrong_account(name: str) -> str | None:
    return None if ID.match(name) else f"is not a valid name; allowed: {ID_RULE}"


def _print_next_steps(manifest: Manifest, key: str) -> None:
    if manifest.dm_policy == "pairing":
        print("Write to it, and it answers with a code. Then:")
        print(commands.for_runtime(f"trunkline pairing approve {manifest.id} CODE"))
    print(commands.for_runtime(f"trunkline channels describe {key}   # how it is"))
    print(commands.for_runtime("trunkline service install   # starts the daemon at each boot"))
