"""Implements ``trunkline help TOPIC``: prints the help of a command or of a topic."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

import typer

from ops.commands.options import command_app
from ops.exits import EXIT_MEANINGS, UsageFailure

app = command_app()

_EXITS = "\n".join(f"  {int(code):>3}  {meaning}" for code, meaning in EXIT_MEANINGS.items())
ABOUT = {
    "start": "the first commands",
    "keys": "how accounts, channels and agents are named in commands",
    "exit-codes": "the exit codes, for scripts",
    "access": "who is answered, and how that is set",
    "agents": "what answers messages, and how one is added",
    "filters": "how `status` shows only some accounts",
    "phases": "the phases of an account",
    "environment": "the environment variables that count",
    "secrets": "how a token or a password is given",
}
TOPICS = {
    "keys": """\
An account is named by its key, CHANNEL:NAME, like irc:libera. A channel alone
(irc) means all of its accounts, --all means every account. An agent is named
by its id (main), or by agent:main where a command accepts accounts, too.""",
    "exit-codes": f"Exit codes are stable, for scripts:\n\n{_EXITS}",
    "access": """\
An agent answers a message only if the account admits its sender. The fields of
a channel or account that decide it:

  dmPolicy        pairing (a stranger gets a code), allowlist, open, disabled
  allowFrom       ids of people who are answered in direct chats; * is all
  groupPolicy     allowlist, open or disabled
  groups          which groups are answered: {"ID": {}}; {"*": {}} is all
                  (Discord: guilds, Slack: channels)
  groupAllowFrom  ids of people who are answered in groups; else everybody

  trunkline channels why irc:libera SENDER  explains who is answered, and why
  trunkline pairing list                    shows who waits
  trunkline pairing approve CODE            admits who was given this code
  trunkline config patch '{channels: {irc: {groups: {"#room": {}}}}}'""",
    "agents": """\
An agent answers the messages of the accounts that name it (agent: "main"), and
of those that name none if it is agents.default. What it is, is its kind: a
model (openai), a command, a server (http), another gateway (openclaw), a
program of yours (client), or echo, which repeats every message.

  trunkline config example agent:openai     prints all fields of a kind
  trunkline agents add main kind=openai model=gpt-5 --default
                                            adds one that answers everywhere

An agent of the kind client has no process here. Your program connects to the
gateway with the scope operator.write and calls agents.attach {agentId}. Each
turn arrives as the event agent.turn; it is answered by agents.turn.events
{turn, first, events} and agents.turn.end {turn, seq, final}.""",
    "filters": """\
--filter FIELD=VALUE[,…] shows only matching rows. Values of one field are
alternatives, different fields must all match, != excludes, * stands for any
text:

  trunkline status --filter phase=backoff,phase=failed,channel=irc

Fields: account, channel, phase, cause, health, agent, name, enabled, held.""",
    "phases": """\
  stopped   it does not run, and is not to run or cannot: the cause says why
  starting  its process runs, and is not ready yet
  running   ready; `degraded` beside it: not connected, silent, or the like
  stopping  it logs out, and its process ends
  backoff   it failed, and is tried again at the time shown as the next try
  failed    a person is needed: see `trunkline channels describe KEY`""",
    "environment": """\
An option counts first, then the environment, then the file, then the default.

  TRUNKLINE_STATE_DIR        the state directory (--state-dir)
  TRUNKLINE_CONFIG_PATH      the configuration (--config)
  TRUNKLINE_PROFILE          a separate installation (--profile)
  TRUNKLINE_RUNTIME_DIR      the directory of the sockets
  TRUNKLINE_GATEWAY_PORT     the gateway's port
  TRUNKLINE_GATEWAY_TOKEN    the gateway's token (--token)
  OPENCLAW_GATEWAY_URL       the value of --url if it is not given
  OPENCLAW_GATEWAY_TOKEN     the value of --token if neither is given
  OPENCLAW_GATEWAY_PASSWORD  the password of a gateway at --url
  NO_COLOR                   no colours""",
    "secrets": """\
A secret is written in the file, which then must have the mode 0600, or is a
reference:

  {source: "env", id: "NAME"}         a variable of the daemon
  {source: "file", id: "/path"}       the text of a file
  {source: "credential", id: "NAME"}  a file of systemd (LoadCredential=)
  {source: "exec", id: "pass show x"} the output of a command""",
    "start": """\
  trunkline setup               asks for a channel, its token and an agent
  trunkline up --detach         starts the daemon
  trunkline status              shows all accounts, the worst first
  trunkline chat local:demo     talks to the first account
  trunkline doctor              finds problems, and says how to fix each
  trunkline service install     starts the daemon at each boot""",
}


@app.command()
def help_(
    context: typer.Context,
    topic: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TOPIC…]", help="A command, like `channels start`, or a topic."),
    ] = None,
) -> None:
    """Explain a command or a topic; without one, list the topics.

    Examples:
        trunkline help filters
        trunkline help channels start
    """
    words = topic or []
    root: Any = context.find_root().command
    if not words:
        print("`trunkline help TOPIC` explains a topic, `trunkline help COMMAND` a command:\n")
        print("\n".join(f"  {topic:<13}{about}" for topic, about in ABOUT.items()))
        print("\n`trunkline --help` lists the commands.")
    elif len(words) == 1 and words[0] in TOPICS:
        print(TOPICS[words[0]])
    else:
        _must_be_known(root, context.find_root(), words)
        root([*words, "--help"], prog_name="trunkline", standalone_mode=False)


def _must_be_known(command: Any, root: Any, words: list[str]) -> None:
    """Raise ``UsageFailure``, which suggests similar names, unless the words name a command."""
    for word in words:
        known = list(getattr(command, "list_commands", lambda _: [])(root))
        if word not in known:
            near = difflib.get_close_matches(word, [*TOPICS, *known], n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UsageFailure(f"unknown command or topic {' '.join(words)!r}{hint}")
        command = command.get_command(root, word)
