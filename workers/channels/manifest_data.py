"""Encodes manifests as plain data, and decodes them.

So a channel that is installed only for another interpreter (field ``python`` of an account) is
known without importing its package here. Code is not carried: a manifest's own ``describe`` and
``unconfigured``, and rules over several fields; those apply in the worker. If only a part of a
text is secret, all of it counts as secret here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union

import msgspec
from msgspec import Meta, inspect

from workers.plugin import Manifest, Media, Text, fields_of
from workers.registry import InstalledChannel, Manifests, UnusableManifest, flaw_of, manifests

Data = dict[str, Any]

BOUNDS = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern")
PLAIN = {"bool": bool, "int": int, "float": float, "str": str, "none": None, "any": Any}
KINDS = {
    inspect.BoolType: "bool",
    inspect.IntType: "int",
    inspect.FloatType: "float",
    inspect.StrType: "str",
    inspect.NoneType: "none",
}
LISTS = (inspect.ListType, inspect.SetType, inspect.FrozenSetType, inspect.VarTupleType)


def installed() -> Data:
    """Return all channels installed for this interpreter, as data for ``manifests_in``.

    ``files`` are those whose change makes the answer stale: the package directories and the modules
    of the manifests.
    """
    found = manifests()
    modules = {each.ref.partition(":")[0] for each in found.values()}
    paths = [getattr(sys.modules.get(name), "__file__", None) for name in sorted(modules)]
    return {
        "channels": {
            name: {"ref": each.ref, "package": each.package, "manifest": data_of(each.manifest)}
            for name, each in found.items()
        },
        "broken": found.broken,
        "files": [*sys.path, *filter(None, paths)],
    }


def manifests_in(data: Mapping[str, Any], python: str) -> Manifests:
    """Return the channels that another interpreter (``python``) has reported as installed.

    A channel whose data cannot be used is among the broken ones.
    """
    found = Manifests()
    found.broken.update(data["broken"])
    for name, each in data["channels"].items():
        try:
            manifest = manifest_of_data(each["manifest"])
            if problem := flaw_of(name, manifest):
                raise UnusableManifest(f"{each['ref']} {problem}")
        except Exception as error:  # noqa: BLE001 - other code has written it
            found.broken[name] = f"{each['package']}: {error}"
            continue
        found[name] = InstalledChannel(manifest, each["ref"], each["package"], python)
    return found


def data_of(manifest: Manifest) -> Data:
    """Return a manifest as data that JSON can carry."""
    data: Data = msgspec.to_builtins(
        {
            "id": manifest.id,
            "label": manifest.label,
            "plugin": manifest.plugin,
            "detail_label": manifest.detail_label,
            "system_image": manifest.system_image,
            "secrets": sorted(manifest.secrets),
            "secret_parts": sorted(manifest.secret_parts),
            "extra": list(manifest.extra),
            "can": sorted(manifest.can),
            "example": dict(manifest.example),
            "status": dict(manifest.status),
            "cursor": manifest.cursor,
            "idempotent": manifest.idempotent,
            "groups": manifest.groups,
            "dm_policy": manifest.dm_policy,
            "text": manifest.text,
            "media": {**_fields_of_media(manifest.media), "send": sorted(manifest.media.send)},
        }
    )
    return data | {"config": _type_data(inspect.type_info(manifest.config), ())}


def manifest_of_data(data: Data) -> Manifest:
    """Return the manifest that ``data_of`` has encoded; malformed data raises any exception."""
    media = data["media"]
    return Manifest(
        id=data["id"],
        label=data["label"],
        config=_type(data["config"], {}),
        plugin=data["plugin"],
        detail_label=data["detail_label"],
        system_image=data["system_image"],
        secrets=frozenset(data["secrets"]),
        secret_parts=dict.fromkeys(data["secret_parts"], str),
        extra=tuple(data["extra"]),
        can=frozenset(data["can"]),
        example=data["example"],
        status=data["status"],
        cursor=data["cursor"],
        idempotent=data["idempotent"],
        groups=data["groups"],
        dm_policy=data["dm_policy"],
        text=Text(**data["text"]),
        media=Media(**{**media, "send": frozenset(media["send"])}),
    )


def _fields_of_media(media: Media) -> Data:
    return {"receive": media.receive, "max_up": media.max_up, "max_down": media.max_down}


def _type_data(info: inspect.Type, inside: tuple[Any, ...]) -> Data:
    """Encode a type; one that JSON cannot express is ``any``, and is checked by the worker.

    ``inside`` are the enclosing structs: a recursive one is ``any``.
    """
    match info:
        case inspect.Metadata():
            return _type_data(info.type, inside) | _marks(info)
        case inspect.UnionType():
            return {"kind": "union", "of": [_type_data(each, inside) for each in info.types]}
        case inspect.LiteralType():
            return {"kind": "literal", "values": list(info.values)}
        case inspect.EnumType():
            return {"kind": "literal", "values": [each.value for each in info.cls]}
        case inspect.DictType():
            of = _type_data(info.value_type, inside)
            return {"kind": "dict", "of": of} | _bounds(info)
        case inspect.StructType() if info.cls not in inside:
            return _struct_data(info, (*inside, info.cls))
    if isinstance(info, LISTS):
        return {"kind": "list", "of": _type_data(info.item_type, inside)} | _bounds(info)
    kind = KINDS.get(type(info))
    return {"kind": "any"} if kind is None else {"kind": kind} | _bounds(info)


def _marks(info: inspect.Metadata) -> Data:
    """Return the marks of a field: whether it is local, and its description."""
    extra, shown = info.extra or {}, info.extra_json_schema or {}
    marks = {"local": extra.get("local"), "description": shown.get("description")}
    return {name: value for name, value in marks.items() if value is not None}


def _bounds(info: Any) -> Data:
    found = {name: getattr(info, name, None) for name in BOUNDS}
    return {name: value for name, value in found.items() if value is not None}


def _struct_data(info: inspect.StructType, inside: tuple[Any, ...]) -> Data:
    given = {each.name: each for each in fields_of(info.cls)}
    fields = []
    for each in info.fields:
        data = {
            "name": each.name,
            "encoded": each.encode_name,
            "type": _type_data(each.type, inside),
        }
        if not each.required:
            data["default"] = _default(given[each.name])
        fields.append(data)
    return {
        "kind": "struct",
        "name": info.cls.__name__,
        "module": info.cls.__module__,
        "doc": info.cls.__doc__ or "",
        "strict": info.forbid_unknown_fields,
        "tag": [info.tag_field, info.tag] if info.tag_field else None,
        "fields": fields,
    }


def _default(field: Any) -> Any:
    made = field.default_factory is not msgspec.NODEFAULT
    try:
        return msgspec.to_builtins(field.default_factory() if made else field.default)
    except Exception:  # noqa: BLE001 - another package's objects; the worker has the real one
        return None


def _type(data: Data, made: dict[tuple[str, str], Any]) -> Any:
    """Return the type that ``_type_data`` has encoded; ``made`` has the structs so far."""
    kind = data["kind"]
    form: Any
    if kind == "union":
        form = Union[tuple(_type(each, made) for each in data["of"])]  # noqa: UP007 - of a list
    elif kind == "literal":
        form = Literal[tuple(data["values"])]
    elif kind == "list":
        form = list[_type(data["of"], made)]  # type: ignore[misc]  # a type made at run time
    elif kind == "dict":
        form = dict[str, _type(data["of"], made)]  # type: ignore[misc]  # likewise
    elif kind == "struct":
        name = data["module"], data["name"]
        form = made.get(name) or made.setdefault(name, _struct(data, made))
    else:
        form = PLAIN[kind]
    if bounds := {name: data[name] for name in BOUNDS if name in data}:
        form = Annotated[form, Meta(**bounds)]
    if "local" in data:
        form = Annotated[form, Meta(extra={"local": data["local"]})]
    if "description" in data:
        form = Annotated[form, Meta(description=data["description"])]
    return form


def _struct(data: Data, made: dict[tuple[str, str], Any]) -> type[msgspec.Struct]:
    fields: list[Any] = []
    for each in data["fields"]:
        form = _type(each["type"], made)
        if "default" in each:
            fields.append((each["name"], form, _field(each["default"])))
        else:
            fields.append((each["name"], form))
    tag_field, tag = data["tag"] or (None, None)
    return msgspec.defstruct(
        data["name"],
        fields,
        module=data["module"],
        namespace={"__doc__": data["doc"]},
        rename={each["name"]: each["encoded"] for each in data["fields"]},
        forbid_unknown_fields=data["strict"],
        tag_field=tag_field,
        tag=tag,
        frozen=True,
        kw_only=True,
    )


def _field(default: Any) -> Any:
    if isinstance(default, dict | list):
        return msgspec.field(default_factory=lambda: default.copy())
    return msgspec.field(default=default)
