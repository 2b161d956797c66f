"""Every type of the product that holds a secret hides it from ``repr``.

A field counts as secret by its name, or is listed because its name does not say so. A new field
of such a name needs ``@hide_fields`` (``ipc.hidden_fields``), or a line in ``HARMLESS``. A process
of its own imports all modules, because the tests of other files count on what is not imported.
"""

from __future__ import annotations

import importlib
import io
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from workers.agents.registry import agent_kinds
from workers.registry import manifests

ROOT = Path(__file__).parents[1]
PACKAGES = ("ipc", "workers", "runtime", "ops")
SECRET = "orca-7"
NAMED = re.compile(
    r"(?:^|_)(?:token|password|passphrase|secrets?|private_key|api_key|credentials?|cookies?"
    r"|headers|environ|env)$"
)
# What holds secrets under a name that does not say so.
ALSO = {
    "ipc.frames.bootstrap.GatewayBoot": "gateway agents",
    "ipc.frames.bootstrap.WorkerBoot": "config",
    "ipc.frames.control.LoginAnswer": "text",
    "ipc.frames.control.LoginAsked": "text",
    "ipc.frames.data.HttpCall": "query",
    "ipc.frames.requests.LoginAnswerParams": "text",
    "ipc.frames.requests.WriteParams": "raw",
    "ipc.websocket.resumption.Finish": "rest",
    "ipc.websocket.resumption.Notes": "received sent",
    "ipc.websocket.resumption.Resume": "rest received said",
    "ipc.websocket.resumption._WireFrame": "payload",
    "ops.actions.open_console.ConsoleAddress": "address",
    "ops.openclaw.agents.OriginalAgent": "fields",
    "ops.openclaw.imported.Imported": "text",
    "ops.openclaw.reading.Original": "values",
    "ops.openclaw.secret_values._KeptSecret": "value",
    "ops.openclaw.variables.Filled": "value",
    "ops.openclaw.variables.Variables": "dotenv inline",
    "runtime.config.channel_section.ChannelSection": "inherited accounts",
    "runtime.config.edit.local_changes._Section": "fields",
    "runtime.config.edit.whole.Guard": "last",
    "runtime.config.load.Loaded": "raw",
    "runtime.config.model.AgentsConfig": "entries",
    "runtime.config.model.Config": "channels",
    "runtime.config.text.comments.Comment": "text",
    "runtime.config.text.json5_positions._Token": "text",
    "runtime.config.worker_spec.WorkerSpec": "config",
    "runtime.gateway.access.auth.Secrets": "supervisor",
    "runtime.gateway.accounts.http_calls.IngressRequest": "query",
    "runtime.gateway.hooks.mappings.HookRequest": "query",
    "runtime.gateway.methods.login.WebLoginWaitParams": "current_qr_data_url",
    "runtime.supervisor.gateways.own_session.GatewayRequest": "params",
    "runtime.supervisor.processes.exec_call.ExecCall": "payload",
    "runtime.supervisor.processes.process.Spec": "payload",
    "workers.agents.command.config.CommandConfig": "command",
    "workers.channels.irc.outputs.SendLine": "line",
    "workers.channels.irc.rooms.Room": "key",
    "workers.channels.slack.objects.OpenedConnection": "url",
    "workers.channels.slack.objects.UploadPlace": "upload_url",
    "workers.login.Code": "text",
    "workers.login.Open": "url state",
    "workers.login.Qr": "data",
    "workers.messages.HttpRequest": "query",
}
# What is named so and holds none, each with its reason.
FLAG, NAMES = "it says whether there is one", "it names fields or files"
HARMLESS = {
    "ipc.frames.control.LoginAsked.secret": FLAG,
    "ops.actions.setup_plan.SetupQuestion.secret": FLAG,
    "ops.service.unit.UnitFacts.credentials": NAMES,
    "runtime.config.auth_model.TrustedProxyConfig.required_headers": NAMES,
    "runtime.gateway.access.handshake.Connect.path_env": "it is a search path",
    "runtime.supervisor.gateways.operator_session.Access.token": "it is a function",
    "workers.agent.AgentManifest.secrets": NAMES,
    "workers.agents.command.config.CommandConfig.inherit_env": NAMES,
    "workers.channels.irc.outputs.PongReceived.token": "it is the word of a PING",
    "workers.login.Ask.secret": FLAG,
    "workers.plugin.Manifest.secrets": NAMES,
}
DOUBLES = "workers.testing."  # they stand in for a platform, with tokens that tests make up
CHILD = "from tests.test_secret_fields import main; main()"


def types() -> dict[str, type[Any]]:
    """Return every struct, dataclass and named tuple of the product by its full name."""
    found = {}
    for package in map(importlib.import_module, PACKAGES):
        for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if each.name.startswith(DOUBLES) or each.name.endswith("__main__"):
                continue
            try:
                module = importlib.import_module(each.name)
            except ImportError as error:
                if str(error.name).partition(".")[0] in PACKAGES:
                    raise
                continue  # a library that only an extra brings
            for value in list(vars(module).values()):
                if isinstance(value, type) and value.__module__ == each.name and fields_of(value):
                    found[f"{each.name}.{value.__qualname__}"] = value
    return found


def fields_of(type_: type[Any]) -> tuple[str, ...]:
    return tuple(
        getattr(type_, "__struct_fields__", ())
        or getattr(type_, "__dataclass_fields__", ())
        or (getattr(type_, "_fields", ()) if issubclass(type_, tuple) else ())
    )


def is_harmless(type_: type[Any], field: str) -> bool:
    return any(f"{each.__module__}.{each.__qualname__}.{field}" in HARMLESS for each in type_.mro())


def secret_fields(known: dict[str, type[Any]]) -> Iterator[tuple[str, str]]:
    """Yield type and field of each secret, those that manifests name among them."""
    for name, type_ in known.items():
        also = ALSO.get(name, "").split()
        for field in fields_of(type_):
            if field in also or (NAMED.search(field) and not is_harmless(type_, field)):
                yield name, field
    installed: list[Any] = [*manifests().values(), *agent_kinds().values()]
    for found in installed:
        config = found.manifest.config
        wire = dict(zip(config.__struct_encode_fields__, config.__struct_fields__, strict=True))
        for secret in (*found.manifest.secrets, *found.manifest.secret_parts):
            yield f"{config.__module__}.{config.__qualname__}", wire[secret.partition(".")[0]]


def printed(type_: type[Any], field: str) -> str:
    """Return how an object with a secret in this field is printed, whatever it is made to check."""
    if issubclass(type_, msgspec.Struct) and hasattr(type_, "__post_init__"):
        unchecked = {"__post_init__": lambda self: None}
        type_ = msgspec.defstruct(type_.__name__, [], bases=(type_,), namespace=unchecked)
    value = type_(**{name: SECRET if name == field else None for name in fields_of(type_)})
    out = io.StringIO()
    Console(file=out, width=500).print(value)
    return f"{value!r} {out.getvalue()}"


def main() -> None:
    """Print what each secret field shows, and which fields there are, as JSON."""
    known = types()
    shown = [(name, field, printed(known[name], field)) for name, field in secret_fields(known)]
    fields = [f"{name}.{field}" for name, type_ in known.items() for field in fields_of(type_)]
    print(json.dumps({"shown": shown, "fields": fields}))


@pytest.fixture(scope="module")
def product() -> Any:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD], cwd=ROOT, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_no_type_prints_a_secret_that_it_holds(product: Any) -> None:
    assert len(product["shown"]) > 80
    leaks = [
        f"{name}: @hide_fields({field!r})"
        for name, field, text in product["shown"]
        if SECRET in text
    ]
    assert leaks == []
    assert all(f"{field}=…" in text for _, field, text in product["shown"])


def test_the_lists_name_what_is_there(product: Any) -> None:
    listed = {f"{name}.{field}" for name, fields in ALSO.items() for field in fields.split()}
    assert (listed | set(HARMLESS)) - set(product["fields"]) == set()
    assert all(NAMED.search(name.rpartition(".")[2]) for name in HARMLESS)
