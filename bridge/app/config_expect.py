"""Says in plain words what a type takes: "a whole number from 1 to 65535"."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from msgspec import inspect

from bridge.app.config_errors import is_secret

_SIMPLE: dict[type[inspect.Type], str] = {
    inspect.BoolType: "true or false",
    inspect.DictType: "a table",
    inspect.StructType: "a table",
    inspect.DateTimeType: "a date and time",
    inspect.DateType: "a date",
    inspect.TimeType: "a time",
    inspect.NoneType: "nothing",
}


def expected(kind: Any) -> str:
    """What a value of this (Python) type looks like. A `msgspec.Meta(description=...)` has the first word."""
    return _described(inspect.type_info(kind))


def _described(info: inspect.Type) -> str:
    if isinstance(info, inspect.Metadata):
        description = (info.extra_json_schema or {}).get("description")
        return str(description) if description else _described(info.type)
    if isinstance(info, inspect.IntType | inspect.FloatType):
        return _number(info)
    if isinstance(info, inspect.StrType):
        return _text(info)
    if isinstance(info, inspect.LiteralType):
        return _choice(info.values)
    if isinstance(info, inspect.EnumType):
        return _choice(member.value for member in info.cls)
    if isinstance(info, inspect.ListType | inspect.VarTupleType | inspect.SetType | inspect.FrozenSetType):
        least = f" with at least {info.min_length} entries" if info.min_length else ""
        return f"a list{least}, each {_described(info.item_type)}"
    if isinstance(info, inspect.UnionType):
        types = [each for each in info.types if not isinstance(each, inspect.NoneType)]
        return " or ".join(dict.fromkeys(map(_described, types)))
    return _SIMPLE.get(type(info), type(info).__name__.removesuffix("Type").lower())


def _choice(values: Iterable[object]) -> str:
    return "one of " + ", ".join(json.dumps(value) for value in values)


def _number(info: inspect.IntType | inspect.FloatType) -> str:
    name = "a whole number" if isinstance(info, inspect.IntType) else "a number"
    if info.ge is not None and info.le is not None:
        return f"{name} from {info.ge} to {info.le}"
    limits = [("at least", info.ge), ("more than", info.gt), ("at most", info.le), ("less than", info.lt)]
    return " ".join([name, *(f"{word} {limit}" for word, limit in limits if limit is not None)])


def _text(info: inspect.StrType) -> str:
    if info.pattern is not None:
        return f"a text like {info.pattern}"
    return "a text that is not empty" if info.min_length else "a text"


def has_struct(kind: Any) -> bool:
    """Whether values of this type hold tables with keys of their own."""
    return _holds_struct(inspect.type_info(kind))


def _holds_struct(info: inspect.Type) -> bool:
    if isinstance(info, inspect.Metadata):
        return _holds_struct(info.type)
    if isinstance(info, inspect.StructType):
        return True
    if isinstance(info, inspect.UnionType):
        return any(_holds_struct(each) for each in info.types)
    if isinstance(info, inspect.DictType):
        return _holds_struct(info.value_type)
    if isinstance(info, inspect.CollectionType):
        return _holds_struct(info.item_type)
    return False


def is_secret_field(key: str, kind: Any) -> bool:
    """Whether a field's value must not be shown: by its name, or by `Meta(extra={"secret": True})`."""
    info = inspect.type_info(kind)
    marked = isinstance(info, inspect.Metadata) and bool((info.extra or {}).get("secret"))
    return marked or is_secret(key)


def secrets_in(value: object, secret: bool = False) -> list[str]:
    """The texts in fields and under keys that are secrets, at any depth."""
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(value)
        parts = [(getattr(value, each.name), is_secret_field(each.encode_name, each.type)) for each in fields]
    elif isinstance(value, dict):
        parts = [(each, is_secret(str(key))) for key, each in value.items()]
    elif isinstance(value, list | tuple):
        parts = [(each, False) for each in value]
    else:
        return [value] if secret and isinstance(value, str) and value else []
    return [found for part, marked in parts for found in secrets_in(part, secret or marked)]


def struct_of(kind: Any) -> type[msgspec.Struct] | None:
    """The one kind of table that this type takes, also inside `X | None`."""
    found = _structs(inspect.type_info(kind))
    return found[0].cls if len(found) == 1 else None


def tagged_kinds(kind: Any) -> tuple[str, dict[str, type[msgspec.Struct]]] | None:
    """Of a type that takes one of several kinds of tables: the key that says which, and what it may say."""
    found = [each for each in _structs(inspect.type_info(kind)) if each.tag_field]
    if not found or found[0].tag_field is None:
        return None
    return found[0].tag_field, {str(each.tag): each.cls for each in found}


class Tables(msgspec.Struct, frozen=True):
    """Of a type that holds tables: whether one, a list, or one by each name, and of which kinds they are."""

    shape: Literal["one", "list", "named"]
    kinds: tuple[type[msgspec.Struct], ...]


def tables_of(kind: Any) -> Tables | None:
    """The tables that values of this type hold; None where it holds none."""
    info = _plain(inspect.type_info(kind))
    shape: Literal["one", "list", "named"] = "one"
    if isinstance(info, inspect.DictType):
        shape, info = "named", info.value_type
    elif isinstance(info, inspect.CollectionType):
        shape, info = "list", info.item_type
    kinds = tuple(each.cls for each in _structs(info))
    return Tables(shape, kinds) if kinds else None


def _structs(info: inspect.Type) -> list[inspect.StructType]:
    info = _plain(info)
    options = info.types if isinstance(info, inspect.UnionType) else (info,)
    return [each for each in options if isinstance(each, inspect.StructType)]


def _plain(info: inspect.Type) -> inspect.Type:
    while isinstance(info, inspect.Metadata):
        info = info.type
    return info
