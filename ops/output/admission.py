"""Prints why a person's message is answered, or not."""

from __future__ import annotations

from typing import Any

from ops.output.commands import for_runtime
from ops.output.paragraphs import filled
from ops.output.text import clean

_OUTCOMES = {"run": "answered", "context": "read, not answered", "pair": "asked to pair"}


def why_lines(found: dict[str, Any]) -> list[str]:
    """Return the lines for the answer of ``channels.why``; only one if all cases are alike."""
    place = f"in {found['chat']}" if found.get("chat") else "in a direct chat"
    if found.get("thread"):
        place = f"in thread {found['thread']} {place}"
    lines = [clean(f"{found['senderId']} {place} of {found['account']}:")]
    shown: list[tuple[str, str]] = []
    for case in found["cases"]:
        outcome = _OUTCOMES.get(case["outcome"], "not answered")
        text = f"{outcome}: {case['text']} [{case['configured']}]{_agent(case)}"
        shown.append((_condition(case, found), text))
    if len({text for _, text in shown}) == 1:
        shown = [("", shown[0][1])]
    return lines + [clean(f"  {condition}{text}") for condition, text in shown]


def show_why(found: dict[str, Any]) -> None:
    """Print the answer of ``channels.why``."""
    head, *lines = why_lines(found)
    print(head)
    for line in lines:
        print(filled("  ", line.removeprefix("  ")))


def _agent(case: dict[str, Any]) -> str:
    """Return which agent is asked, and whether it runs."""
    if "agent" not in case:
        return ""
    away = (
        ""
        if case["agentRuns"]
        else for_runtime(f", which is not running (`trunkline status agent:{case['agent']}`)")
    )
    return f"; {case['route']} [{case['routedBy']}]{away}"


def _condition(case: dict[str, Any], found: dict[str, Any]) -> str:
    """Return the condition under which a case applies, as the beginning of a sentence."""
    words = ["the platform vouches for it" if case["verified"] else "nobody vouches for it"]
    if found.get("chat"):
        words.append("it names the account" if case["addressed"] else "it does not name it")
    return f"if {' and '.join(words)}: "
