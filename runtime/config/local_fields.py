"""Decides which fields of the configuration are local, and finds their values. Pure.

A local field runs or loads code, chooses where a secret is sent, or opens files. Its struct
marks it with ``workers.plugin.LOCAL``. A field of another package's channel, or kind of agent, that
has no mark is local when its name looks so, as ``serverUrl`` does, unless it is marked ``REMOTE``.
Of one whose manifest is missing every field is local, because it is not known which are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from runtime.config.account_model import AccountConfig
from runtime.config.agent_model import ENTRIES, AgentConfig
from runtime.config.agents import LAYERED as OF_AGENTS
from runtime.config.channel_section import LAYERED, Layers
from runtime.config.check import is_list, is_struct, join, members
from runtime.config.model import Config
from runtime.config.text.json5_positions import ValuePath
from workers.plugin import fields_of
from workers.registry import Manifests

Field = msgspec.structs.FieldInfo

# Words in the name of a text, or of an object, that is an address, a path or a command. Compiled by
# their first use: no start waits for them.
_TEXT_WORD = (
    r"address|addr|url|uri|host|hostname|server|homeserver|endpoint|root|base|domain|origin|relay"
    r"|bridge|webhook|hook|callback|proxy|bind|listen|interface|socket|path|file|filename|dir"
    r"|directory|folder|storage|home|command|cmd|exec|executable|binary|bin|program|script|shell"
    r"|python|interpreter|plugin|module|package|import|cert|certificate|ca|allow"
    r"|ip|dns|dsn|nameserver|resolver|gateway|upstream|broker|location|env|environ|environment"
    r"|entrypoint|arg|argv"
)
# Words in the name of a field of any type that belongs to one of those.
_WORD = r"port|tls|ssl|verify|insecure|launcher|confine|sandbox|attach"


def mark_of(form: Any) -> bool | None:
    """Return whether a type is marked local (``True``) or not (``False``); ``None``: no mark."""
    if get_origin(form) is Annotated:
        for each in form.__metadata__:
            if isinstance(each, Meta) and "local" in (each.extra or {}):
                return bool((each.extra or {})["local"])
    if get_origin(form) is Literal:
        return None
    marks = {mark_of(each) for each in get_args(form)}
    return next((each for each in (True, False) if each in marks), None)


def is_local(field: Field) -> bool:
    """Return whether a field of a struct is local, by its mark or else by its name."""
    mark = mark_of(field.type)
    return looks_local(field.encode_name, field.type) if mark is None else mark


def looks_local(name: str, form: Any = Any) -> bool:
    """Return whether a field without a mark is local by the words in its name.

    A struct is not: its fields are checked instead.
    """
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
    words |= {re.sub("ies$", "y", word) for word in words}  # of plurals the singulars
    words |= {word.removesuffix(end) for word in words for end in ("s", "es")}
    types = members(form)
    if any(map(is_struct, types)):
        return False
    if any(re.fullmatch(_WORD, word) for word in words):
        return True
    numbers = all(each in (int, float, bool, type(None)) for each in types)
    return not numbers and any(re.fullmatch(_TEXT_WORD, word) for word in words)


def local_paths(manifests: Manifests) -> Iterator[str]:
    """Yield the path of every local field; ``*`` stands for the name of an account or agent."""
    yield from _paths(Config)
    for channel, found in manifests.items():
        for name in (*_paths(AccountConfig), *_paths(found.manifest.config)):
            yield from (f"channels.{channel}.{name}", f"channels.{channel}.accounts.*.{name}")
    for kind in manifests.agents.values():
        for name in (*_paths(AgentConfig), *_paths(kind.manifest.config)):
            yield f"{ENTRIES}.*.{name}"


def local_values(
    value: Mapping[str, Any], struct: Any, path: ValuePath = (), inside: tuple[Any, ...] = ()
) -> Iterator[tuple[ValuePath, Any]]:
    """Yield path and value of each local field of an object; its default where it is absent.

    A path is no text: an account's name may hold a dot, and no two places must look alike.
    ``value`` may be wrong, ``inside`` is for recursion only.
    """
    layout = _layout(struct)
    for name, field in layout.items():
        given = value.get(name, field.default)
        if field.local:
            yield (*path, name), given
        elif field.nests or isinstance(given, Mapping | list):
            yield from _inside(given, field.form, (*path, name), (*inside, struct))
    strange = {name: each for name, each in value.items() if name not in layout}
    yield from _inside(strange, Any, path, ())


def account_values(
    own: Mapping[str, Any], inherited: Mapping[str, Any], struct: Any
) -> dict[ValuePath, Any]:
    """Return the effective local fields of an account, by their path in it.

    ``own`` and ``inherited`` are the fields of the account and of its channel, ours among
    them. ``struct`` is the channel's, ``None`` where its manifest is missing.
    """
    return _worker_values(own, inherited, struct, AccountConfig, LAYERED)


def agent_values(fields: Mapping[str, Any], manifests: Manifests) -> dict[ValuePath, Any]:
    """Return the local fields of an agent by their path in its entry."""
    kind = fields.get("kind")
    known = manifests.agents.get(kind) if isinstance(kind, str) else None
    struct = known.manifest.config if known else None
    return _worker_values(fields, {}, struct, AgentConfig, OF_AGENTS)


def _worker_values(
    own: Mapping[str, Any], inherited: Mapping[str, Any], struct: Any, ours: Any, layers: Layers
) -> dict[ValuePath, Any]:
    """Return the local fields of an account or agent; ``ours`` has the common fields."""
    common = _layout(ours)
    whole = {**inherited, **own}
    shared = {name: each for name, each in whole.items() if name in common and name not in layers}
    found = dict(local_values(shared, ours))
    for name, (_, layer) in layers.items():
        parts = (mapping(inherited.get(name)), mapping(own.get(name)))
        found |= dict(local_values({**parts[0], **parts[1]}, layer, (name,)))
    rest = {name: each for name, each in whole.items() if name not in common}
    if struct is None:
        return found | {(name,): each for name, each in rest.items()}
    return found | dict(local_values(rest, struct))


def references(value: Any, path: ValuePath = ()) -> Iterator[tuple[ValuePath, Any]]:
    """Yield path and value of everything that may be a reference to a secret."""
    if isinstance(value, Mapping):
        if "source" in value and "id" in value:
            yield path, value
        for name, each in value.items():
            yield from references(each, (*path, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from references(each, (*path, index))


def dotted(path: ValuePath) -> str:
    """Return a path as text, like ``channels.irc.accounts.a.rooms[0]``."""
    text = ""
    for step in path:
        text = f"{text}[{step}]" if isinstance(step, int) else join(text, step)
    return text


def mapping(value: Any) -> Mapping[str, Any]:
    """Return ``value`` if it is an object, else an empty one; the check reports the error."""
    return value if isinstance(value, Mapping) else {}


class _FieldRule(msgspec.Struct, frozen=True):
    """The properties of a field. ``nests``: local fields may be inside it."""

    form: Any
    default: Any
    local: bool
    nests: bool


@cache
def _layout(struct: Any) -> Mapping[str, _FieldRule]:
    """Return the fields of a struct by name; cached, because an edit asks once per account."""
    return {
        each.encode_name: _FieldRule(
            form=each.type,
            default=_default(each),
            local=is_local(each),
            nests=any(map(is_struct, members(each.type))),
        )
        for each in fields_of(struct)
    }


def _inside(
    value: Any, form: Any, path: ValuePath, inside: tuple[Any, ...]
) -> Iterator[tuple[ValuePath, Any]]:
    """Yield the local fields inside a value that is not local itself."""
    types = members(form)
    structs = [
        each for each in types if is_struct(each) and (value is not None or each not in inside)
    ]
    for struct in structs:
        if value is None or isinstance(value, Mapping):
            yield from local_values(mapping(value), struct, path, inside)
    if isinstance(value, Mapping) and not structs:
        item = next((get_args(each)[1] for each in types if get_origin(each) is dict), Any)
        for name, each in value.items():
            if looks_local(str(name), item):
                yield (*path, name), each
            else:
                yield from _inside(each, item, (*path, name), ())
    elif isinstance(value, list):
        item = next((get_args(each)[0] for each in types if is_list(each)), Any)
        for index, each in enumerate(value):
            yield from _inside(each, item, (*path, index), ())


def _default(field: Field) -> Any:
    if field.default is not msgspec.NODEFAULT:
        return msgspec.to_builtins(field.default)
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.to_builtins(field.default_factory())
    return None


def _paths(struct: Any, path: str = "", inside: tuple[Any, ...] = ()) -> Iterator[str]:
    for name, field in _layout(struct).items():
        here = join(path, name)
        if field.local:
            yield here
            continue
        for each in members(field.form):
            if is_struct(each) and each not in inside:
                yield from _paths(each, here, (*inside, struct))
