"""Asks the questions of a setup on the terminal, and checks each answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ops.actions.keyboard import Keyboard
from ops.actions.login_check import ask_platform
from ops.actions.setup_plan import (
    NEXT,
    ON,
    Answers,
    SetupQuestion,
    WrongSecret,
    describe_refusal,
    form_check,
    read_choice,
    wrong_answer,
)
from ops.exits import OperatorError
from ops.output.text import clean
from workers.plugin import Manifest

CHOICE = "choice"  # the name of a question with fixed answers
TRIES = 5  # wrong answers to one question, so that a script with a terminal comes to an end


class SetupDialog:
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
    ) -> Answers:
        """Ask several questions; return the answers.

        ``wrong_secret`` checks the format of each typed secret.
        """
        seen: dict[str, str] = {}
        hidden: dict[str, str] = {}
        for question in questions:
            answer = self.ask(question, form_check(question, wrong_secret))
            if answer:
                (hidden if question.secret else seen)[question.name] = answer
        return Answers(seen, hidden)

    def login(
        self, manifest: Manifest, questions: Sequence[SetupQuestion], around: Mapping[str, Any]
    ) -> Answers:
        """Ask for a login until the platform accepts it or the person insists; return the answers.

        ``around`` are the fields that the account has beside them.
        """
        for _ in range(TRIES):
            typed = self.fields(questions, manifest.wrong_secret)
            if not (self._probe and typed.secret):
                return typed
            print(clean(f"  Asking {manifest.label}…"), flush=True)
            answer = ask_platform(manifest, {**around, **typed.plain, **typed.secret})
            if answer is None or answer.outcome == "right":
                print(clean(f"  It is {answer.words}." if answer else "  It cannot be asked."))
                return typed
            print(clean(f"  {describe_refusal(manifest.label, answer)}"))
            if (
                self.choose("What now?", NEXT[answer.outcome], next(iter(NEXT[answer.outcome])))
                == ON
            ):
                return typed
        raise OperatorError(f"{manifest.label} took none of it: nothing was done")
