"""Resolves references to secrets: environment variables, files, output of commands.

The process that needs a value resolves its reference, so that no secret passes through the
supervisor, an argument list or a file of ours. An error names the reference and never the
value.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ipc.helpers import PIPE, end_helper, read_output, start_helper
from ipc.secret_patterns import masked_command
from workers.errors import Misconfigured

EXEC_TIMEOUT = 10.0  # seconds; a daemon cannot use a password store that asks a person
MAX_BYTES = 64 * 1024  # a certificate with its key fits; a mistaken path to a log does not

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


SOURCES = ("env", "file", "exec", "credential")


class SecretRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The place of a secret: an environment variable, a file, or the output of a command.

    A ``credential`` is a file that the service manager hands over (``LoadCredential=`` of
    systemd.exec(5)), by its name in ``$CREDENTIALS_DIRECTORY``.
    """

    source: Annotated[
        Literal["env", "file", "exec", "credential"],
        Meta(
            description="Where the secret is: in an environment variable (env), a file, the "
            "output of a command (exec), or a file of the service manager "
            "(credential)."
        ),
    ]
    id: Annotated[
        str,
        Meta(min_length=1, max_length=4096),
        Meta(
            description="Name of the variable or credential, absolute path of the file, or the "
            "command."
        ),
    ]

    def __post_init__(self) -> None:
        problem = _flaw(self.source, self.id)
        if problem:
            raise ValueError(problem)

    def __str__(self) -> str:
        shown = masked_command(self.id, "…") if self.source == "exec" else self.id
        return f"{self.source}:{shown}"


def resolve(config: Mapping[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
    """Return ``config`` with the references in its fields ``secrets`` replaced by the values.

    A name with a dot reaches into a nested object (``sasl.password``). Blocks for up to
    ``EXEC_TIMEOUT`` per command: call it from a thread where a loop must go on. Raises
    ``Misconfigured`` that names every reference that failed, and no value.
    """
    resolved = dict(config)
    problems = []
    for name in sorted(secrets):
        reference = field_at(config, name)
        if isinstance(reference, Mapping):
            try:
                resolved = with_secret(resolved, name, reveal(reference))
            except Misconfigured as error:
                problems.append(f"{name}: {error}")
    if problems:
        raise Misconfigured("; ".join(problems))
    return resolved


def is_reference(config: Mapping[str, Any], name: str) -> bool:
    """Return whether the field ``name`` (dots reach into nested objects) is a reference."""
    return isinstance(field_at(config, name), Mapping)


def with_secret(config: Mapping[str, Any], name: str, value: str) -> dict[str, Any]:
    """Return a copy of ``config`` with ``value`` in the field ``name``, which must be there."""
    head, dot, rest = name.partition(".")
    return {**config, head: with_secret(config[head], rest, value) if dot else value}


def field_at(config: Any, name: str) -> Any:
    """Return the field ``name`` (dots reach into nested objects); ``None`` when it is absent."""
    for part in name.split("."):
        config = config.get(part) if isinstance(config, Mapping) else None
    return config


def secret_part(split: Callable[[str], str | None], text: str) -> str:
    """Return what ``split`` (of a manifest's ``secret_parts``) finds, ``""`` for nothing.

    When it fails, or finds what is not there, all of ``text`` counts as secret.
    """
    try:
        part = split(text)
        return part if part and part in text else text if part else ""
    except Exception:  # noqa: BLE001 - another package's code, and nothing may be shown by mistake
        return text


def reveal(
    reference: SecretRef | Mapping[str, Any] | str, environ: Mapping[str, str] | None = None
) -> str:
    """Return the secret that ``reference`` names; a string is the secret itself.

    ``environ`` is the environment of a command, ``None`` ours. Raises ``Misconfigured``; blocks
    as ``resolve`` does.
    """
    if isinstance(reference, str):
        return reference
    if not isinstance(reference, SecretRef):
        try:
            reference = msgspec.convert(reference, SecretRef)
        except msgspec.ValidationError as error:
            raise Misconfigured(f"not a secret reference: {error}") from None
    match reference.source:
        case "env":
            value = _from_environment(reference)
        case "file":
            value = _from_file(reference, reference.id)
        case "credential":
            value = _from_file(reference, _credential_path(reference))
        case _:
            value = _from_command(reference, environ)
    if not value:
        raise Misconfigured(f"the secret {reference} is empty")
    return value


def _flaw(source: str, id: str) -> str | None:
    if "\0" in id:
        return "id must not contain a NUL character"
    if source == "env" and not _NAME.match(id):
        return "id must be the name of an environment variable (letters, digits, _)"
    if source == "file" and not id.startswith(("/", "~/")):
        return "id must be an absolute path (/… or ~/…)"
    if source == "credential" and (id in (".", "..") or "/" in id):
        return "id must be the name of a credential, without a slash"
    if source == "exec":
        try:
            words = shlex.split(id)
        except ValueError as error:
            return f"id must be a command line: {error}"
        if not words:
            return "id must be a command line: program and arguments"
    return None


def _from_environment(reference: SecretRef) -> str:
    value = os.environ.get(reference.id)
    if value is None:
        raise Misconfigured(f"the environment variable {reference.id} is not set")
    return value


def _credential_path(reference: SecretRef) -> str:
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        raise Misconfigured(
            f"the secret {reference} is there in a service only: install it with"
            f" `trunkline service install --credential {reference.id}=FILE`"
        )
    return os.path.join(directory, reference.id)


def _from_file(reference: SecretRef, path: str) -> str:
    try:
        # O_NONBLOCK: opening a named pipe must not hang the account.
        fd = os.open(os.path.expanduser(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise Misconfigured(f"the secret {reference} is not a regular file")
            data = os.read(fd, MAX_BYTES + 1)
        finally:
            os.close(fd)
    except OSError as error:
        raise Misconfigured(f"the secret {reference} cannot be read: {error.strerror}") from None
    return _text(reference, data)


def _from_command(reference: SecretRef, environ: Mapping[str, str] | None) -> str:
    """Run the command without a shell; its stderr goes to the account's log."""
    try:
        command = [os.path.expanduser(word) for word in shlex.split(reference.id)]
        process = start_helper(command, stdout=PIPE, env=environ)
    except OSError as error:
        raise Misconfigured(f"the secret {reference} cannot run: {error.strerror}") from None
    with process:
        data = read_output(process, EXEC_TIMEOUT, MAX_BYTES)
        if data is None or len(data) > MAX_BYTES:
            end_helper(process)
    if data is None:
        raise Misconfigured(f"the secret {reference} did not come within {EXEC_TIMEOUT:g} s")
    if process.returncode and len(data) <= MAX_BYTES:
        raise Misconfigured(f"the secret {reference} failed with status {process.returncode}")
    return _text(reference, data)


def _text(reference: SecretRef, data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise Misconfigured(f"the secret {reference} is longer than {MAX_BYTES} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Misconfigured(f"the secret {reference} is not UTF-8 text") from None
    return text.removesuffix("\n").removesuffix("\r")
