"""Defines the commands ``trunkline cron …``: manage the scheduled jobs of agents."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from ops.commands.gateway_calls import call_gateway
from ops.commands.option_groups import RuntimeOptions, command
from ops.commands.options import command_app
from ops.exits import UsageFailure
from ops.output.commands import for_runtime
from ops.output.show import show_fields, show_json, show_rest
from ops.output.text import clean, moment

app = command_app("List, add, run and remove scheduled jobs.")

JobId = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="Id of a job, as `cron list` shows it, or a name that no other has."
    ),
]
Name = Annotated[str, typer.Option(metavar="NAME", help="Name of the job.")]
At = Annotated[
    str | None, typer.Option(metavar="TIME", help="Once: 2026-12-24T18:00:00Z, or 20m from now.")
]
Every = Annotated[
    str | None, typer.Option(metavar="DURATION", help="In equal intervals: 30s, 15m, 2h, 1d.")
]
Expression = Annotated[
    str | None,
    typer.Option(
        "--cron", metavar="EXPRESSION", help='By a cron expression: "0 9 * * 1" is Mondays at 9.'
    ),
]
Zone = Annotated[
    str | None,
    typer.Option(
        "--tz", metavar="ZONE", help="Time zone of --cron, like Europe/Berlin; else the daemon's."
    ),
]
Message = Annotated[
    str | None,
    typer.Option(
        "-m", "--message", metavar="TEXT", help="Ask an agent this, in a conversation of its own."
    ),
]
Event = Annotated[
    str | None,
    typer.Option(
        "--system-event",
        metavar="TEXT",
        help="Tell an agent this in its main conversation instead.",
    ),
]
AgentId = Annotated[
    str | None,
    typer.Option("--agent", metavar="ID", help="Agent, like main; else the default one."),
]
Channel = Annotated[
    str | None,
    typer.Option(metavar="CHANNEL", help="Send the answer through this channel; with --to."),
]
To = Annotated[
    str | None,
    typer.Option(metavar="CHAT", help="To this chat or person, as the channel names it."),
]
AccountId = Annotated[
    str | None,
    typer.Option(
        "--account", metavar="ACCOUNT", help="Account of that channel that sends it, by its name."
    ),
]
Webhook = Annotated[
    str | None, typer.Option(metavar="URL", help="Post the answer to this address instead.")
]
NoDeliver = Annotated[bool, typer.Option("--no-deliver", help="Send the answer nowhere.")]
BestEffort = Annotated[
    bool,
    typer.Option(
        "--best-effort",
        help="An answer that cannot be sent is no failure; the account may come later.",
    ),
]
NextBeat = Annotated[
    bool,
    typer.Option(
        "--next-heartbeat", help="With --system-event: it waits for the agent's next turn."
    ),
]
CatchUp = Annotated[
    str | None,
    typer.Option(
        metavar="one|none", help="What is run for missed times: one run (the default), or none."
    ),
]
Model = Annotated[
    str | None, typer.Option(metavar="MODEL", help="Model that the agent uses for it.")
]
Limit = Annotated[
    int,
    typer.Option("-n", "--limit", metavar="COUNT", help="Show so many at most.", min=1, max=200),
]
All = Annotated[bool, typer.Option("--all", help="Show disabled jobs, too.")]
IfDue = Annotated[bool, typer.Option("--due", help="Only if its time has come.")]
# What to do about a job that was not run, by the gateway's reason.
NOT_RUN = {
    "already-running": "`trunkline cron runs {}` shows its outcome",
    "disabled": "it is disabled; without --due it runs all the same",
    "not-due": "its time has not come; without --due it runs at once",
}
UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
COLUMNS = {
    "id": "id",
    "name": "name",
    "agent": "effectiveAgentId",
    "schedule": "when",
    "next": "next",
    "last": "last",
    "delivery": "where",
}
RUN_COLUMNS = {
    "started": "started",
    "outcome": "status",
    "took": "took",
    "delivery": "deliveryStatus",
    "summary": "said",
}


@dataclass(frozen=True)
class JobTimes:
    """The options that say when a job runs."""

    at: At = None
    every: Every = None
    expression: Expression = None
    zone: Zone = None

    def schedule(self) -> dict[str, Any]:
        """Return the schedule for the gateway; raises ``UsageFailure``."""
        if sum(each is not None for each in (self.at, self.every, self.expression)) != 1:
            raise UsageFailure("one of --at, --every and --cron is needed")
        if self.zone is not None and self.expression is None:
            raise UsageFailure("--tz is the zone of --cron")
        if self.expression is not None:
            zone = {"tz": self.zone} if self.zone else {}
            return {"kind": "cron", "expr": self.expression} | zone
        if self.every is not None:
            return {"kind": "every", "everyMs": _milliseconds("--every", self.every)}
        assert self.at is not None
        at = self.at
        if at[-1:] in UNITS and at[:-1].isdecimal():
            due = time.time() + _milliseconds("--at", at) / 1000
            at = datetime.fromtimestamp(due, UTC).isoformat(timespec="milliseconds")
        elif not _is_time(at):
            raise UsageFailure(f"--at {at}: not a time; allowed: 2026-12-24T18:00:00Z, or 20m")
        return {"kind": "at", "at": at}


@dataclass(frozen=True)
class JobWork:
    """The options that say what a job does: give an agent a turn, or inform it of an event."""

    message: Message = None
    event: Event = None
    agent: AgentId = None

    def params(self, model: str | None) -> dict[str, Any]:
        """Return the params about it for the gateway; raises ``UsageFailure``."""
        if (self.message is None) == (self.event is None):
            raise UsageFailure("one of --message and --system-event is needed")
        agent = {} if self.agent is None else {"agentId": self.agent}
        if self.event is not None:
            event = {"kind": "systemEvent", "text": self.event}
            return {"sessionTarget": "main", "payload": event} | agent
        turn = {"kind": "agentTurn", "message": self.message} | ({"model": model} if model else {})
        return {"sessionTarget": "isolated", "payload": turn} | agent


@dataclass(frozen=True)
class AnswerTarget:
    """The options that say where the answer of a job goes."""

    channel: Channel = None
    to: To = None
    account: AccountId = None
    webhook: Webhook = None
    no_deliver: NoDeliver = False
    best_effort: BestEffort = False

    def delivery(self) -> dict[str, Any] | None:
        """Return the delivery, ``None`` if none was chosen; raises ``UsageFailure``."""
        chat = {"channel": self.channel, "to": self.to, "accountId": self.account}
        given = {name: value for name, value in chat.items() if value is not None}
        if sum((bool(given), self.webhook is not None, self.no_deliver)) > 1:
            raise UsageFailure("one of --to, --webhook and --no-deliver is enough")
        if self.best_effort and not (given or self.webhook is not None):
            raise UsageFailure("--best-effort is about --to or --webhook")
        beside = {"bestEffort": True} if self.best_effort else {}
        if self.no_deliver:
            return {"mode": "none"}
        if self.webhook is not None:
            return {"mode": "webhook", "to": self.webhook} | beside
        return {"mode": "announce", **given} | beside if given else None


@command(app, "list")
def list_(*, everything: All = False, options: RuntimeOptions) -> None:
    """Show the scheduled jobs, those that are due first."""
    from ops.actions.cron import list_jobs

    answer = list_jobs(options.target, disabled=everything)
    if options.json:
        show_json(answer)
        return
    previews = answer["deliveryPreviews"]
    rows = [
        {
            **row,
            "when": _schedule(row["schedule"]),
            "next": _time(row["state"].get("nextRunAtMs")) if row["enabled"] else "disabled",
            "last": row["state"].get("lastRunStatus", ""),
            "where": previews.get(row["id"], {}).get("label", ""),
        }
        for row in answer["jobs"]
    ]
    show_fields(rows, COLUMNS)
    if not (rows or everything):
        print("--all shows disabled jobs, too", file=sys.stderr)


@command(app)
def add(
    *,
    name: Name,
    times: JobTimes,
    work: JobWork,
    target: AnswerTarget,
    next_heartbeat: NextBeat = False,
    catch_up: CatchUp = None,
    model: Model = None,
    options: RuntimeOptions,
) -> None:
    """Add a job: when (--at, --every or --cron), and what (--message or --system-event).

    Examples:
        trunkline cron add --name standup --cron '0 9 * * 1-5' --tz Europe/Berlin \\
            --message 'Ask for plans' --channel irc --to '#team'
        trunkline cron add --name tea --at 20m --system-event 'The tea is ready'
    """
    what = work.params(model)
    delivery = target.delivery()
    if work.event is not None and delivery is not None:
        raise UsageFailure("--system-event has no delivery: the agent's heartbeat says where")
    params: dict[str, Any] = {
        "name": name,
        "schedule": times.schedule(),
        "wakeMode": "next-heartbeat" if next_heartbeat else "now",
        **what,
    }
    beside = {"delivery": delivery, "catchUp": catch_up}
    params |= {key: value for key, value in beside.items() if value is not None}
    answer = call_gateway(options, "cron.add", params)
    if options.json:
        show_json(answer)
    else:
        print(clean(f"{answer['id']}  next: {_time(answer['state'].get('nextRunAtMs'))}"))


@command(app)
def run(*, job: JobId, due: IfDue = False, options: RuntimeOptions) -> None:
    """Run a job now; its planned time stays.

    Examples:
        trunkline cron run standup
    """
    answer = _ask_about(options, "cron.run", {"id": job, "mode": "due" if due else "force"})
    if options.json:
        show_json(answer)
    else:
        print(clean(answer.get("runId") or for_runtime(_why_not_run(answer["reason"], job))))


@command(app)
def runs(*, job: JobId, limit: Limit = 20, options: RuntimeOptions) -> None:
    """Show the outcomes of the last runs of a job, the newest first.

    Examples:
        trunkline cron runs standup --limit 5
    """
    answer = _ask_about(options, "cron.runs", {"id": job, "limit": limit})
    if options.json:
        show_json(answer)
        return
    rows = [
        {
            **row,
            "started": _time(row["runAtMs"]),
            "took": f"{row.get('durationMs', 0) / 1000:.1f} s",
            "said": " ".join((row.get("error") or row.get("summary") or "").split()),
        }
        for row in answer["entries"]
    ]
    show_fields(rows, RUN_COLUMNS)
    show_rest(answer.get("total", 0), len(rows))  # OpenClaw's gateway need not count them


@command(app)
def rm(*, job: JobId, options: RuntimeOptions) -> None:
    """Remove a job; its current run ends.

    Examples:
        trunkline cron rm standup
    """
    answer = _ask_about(options, "cron.remove", {"id": job})
    if options.json:
        show_json(answer)
    else:
        print("removed")


def _ask_about(options: RuntimeOptions, method: str, params: dict[str, Any]) -> Any:
    from ops.actions.cron import ask_about_job

    return ask_about_job(options.target, method, params)


def _milliseconds(option: str, text: str) -> int:
    number = text[:-1]
    if text[-1:] not in UNITS or not (number.isascii() and number.isdecimal()) or not int(number):
        raise UsageFailure(f"{option} {text}: not a duration; allowed: 30s, 15m, 2h, 1d")
    return int(number) * UNITS[text[-1]]


def _interval(milliseconds: int) -> str:
    """Return an interval in all of its units: ``1m30s``; what is left out would be another one."""
    text = ""
    for unit, size in reversed(UNITS.items()):
        count, milliseconds = divmod(milliseconds, size)
        text += f"{count}{unit}" if count else ""
    return f"{text}{milliseconds}ms" if milliseconds else text


def _is_time(text: str) -> bool:
    """Return whether a text may be a time, in ISO 8601 or as milliseconds since 1970."""
    if text.isascii() and text.isdecimal():
        return True
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _schedule(schedule: dict[str, Any]) -> str:
    match schedule["kind"]:
        case "at":
            return f"at {moment(schedule['at'])[:19]}"
        case "every":
            return f"every {_interval(schedule['everyMs'])}"
    return f"{schedule['expr']} {schedule.get('tz', '')}".strip()


def _why_not_run(reason: str, job: str) -> str:
    """Return why a job was not run, and what to do next."""
    step = NOT_RUN.get(reason, "`trunkline cron list --all` shows it")
    return f"not run ({reason}): {step.format(shlex.quote(job))}"


def _time(at: int | None) -> str:
    if at is None:
        return "never"
    return moment(at)
