"""Turns tables of a TOML document into msgspec structs, key by key, to find all mistakes in one go."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

import msgspec

from bridge.app.config_errors import Mistake, Path, did_you_mean, is_secret, key_path, shown, unknown_key
from bridge.app.config_expect import expected, has_struct, is_secret_field, struct_of, tagged_kinds
from bridge.app.secret_files import FileFolder, SecretFileError

Table = dict[str, Any]


class Reader:
    """Reads tables and gathers what is wrong with them in `mistakes`.

    `folder` is where relative paths of secret files start; `elsewhere` tells where a key belongs that
    stands in the wrong table.
    """

    def __init__(self, folder: FileFolder, elsewhere: Mapping[str, str] | None = None) -> None:
        self.mistakes: list[Mistake] = []
        self._folder = folder
        self._elsewhere = elsewhere or {}

    def mistake(self, path: Path, text: str) -> None:
        """Note that something is wrong at `path`."""
        self.mistakes.append(Mistake(key_path(path), text))

    def table(
        self,
        kind: type[msgspec.Struct],
        value: object,
        path: Path,
        elsewhere: Mapping[str, str] | None = None,
    ) -> Any:
        """A struct of this kind; None where a mistake (noted) stands in the way. `elsewhere`: more of where
        keys belong that stand in this table."""
        if not isinstance(value, dict):
            self.mistake(path, f"expected a table, found {shown(value, is_secret(_last(path)))}")
            return None
        before = len(self.mistakes)
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        given = self._with_secret_files(value, fields, path)
        self._anchor(given, fields)
        self._unknown(given, list(fields), path, {**self._elsewhere, **(elsewhere or {})})
        values = {
            field.name: self.value(field.type, given[key], (*path, key))
            for key, field in fields.items()
            if key in given
        }
        for key, field in fields.items():
            if field.required and key not in value and key not in given:
                self.mistake((*path, key), f"missing; expected {expected(field.type)}")
        return self._made(kind, values, path) if len(self.mistakes) == before else None

    def _anchor(self, given: Table, fields: Mapping[str, Any]) -> None:
        """Paths of files start at the configuration's folder."""
        for key in given:
            value = given[key]
            if key.endswith("_file") and key in fields and isinstance(value, str) and value:
                given[key] = str(self._folder.path(value))

    def _tagged(self, field: str, kinds: Mapping[str, type[msgspec.Struct]], given: Table, path: Path) -> Any:
        """A table of the kind that it says it is."""
        said = given.get(field)
        if isinstance(said, str) and said in kinds:
            return self.table(kinds[said], {key: each for key, each in given.items() if key != field}, path)
        wanted = f"expected one of {', '.join(shown(tag) for tag in kinds)}"
        found = f"{wanted}, found {shown(said)}{did_you_mean(said, kinds)}"
        self.mistake((*path, field), found if field in given else f"missing; {wanted}")
        return None

    def _made(self, kind: type[msgspec.Struct], values: Table, path: Path) -> Any:
        try:
            return kind(**values)
        except (ValueError, TypeError) as error:
            self.mistake(path, str(error))
            return None

    def _unknown(self, given: Table, known: list[str], path: Path, elsewhere: Mapping[str, str]) -> None:
        for key in given:
            if key not in known:
                self.mistake((*path, key), unknown_key(key, known, elsewhere.get(key, "")))

    def _with_secret_files(self, given: Table, fields: Mapping[str, Any], path: Path) -> Table:
        """The table with `password_file = "..."` read into `password`, for every field that is a secret."""
        result = dict(given)
        for key, field in fields.items():
            file_key = f"{key}_file"
            if file_key not in given or file_key in fields or not is_secret_field(key, field.type):
                continue
            file = result.pop(file_key)
            if key in given:
                self.mistake((*path, file_key), f'expected either "{key}" or "{file_key}", found both')
            elif not isinstance(file, str):
                self.mistake((*path, file_key), f"expected the path of a file, found {shown(file)}")
            else:
                text = self.secret_file(file, (*path, file_key))
                if text is not None:
                    result[key] = text
        return result

    def secret_file(self, name: str, path: Path) -> str | None:
        """What a secret file holds; None where it can't be used (noted)."""
        try:
            return self._folder.read_secret(name)
        except SecretFileError as error:
            self.mistake(path, str(error))
            return None

    def value(self, kind: Any, value: object, path: Path) -> Any:
        """A value of any type; None where a mistake (noted) stands in the way."""
        if isinstance(value, dict):
            if (tagged := tagged_kinds(kind)) is not None:
                return self._tagged(*tagged, value, path)
            if (struct := struct_of(kind)) is not None:
                return self.table(struct, value, path)
        if has_struct(kind) and isinstance(value, dict | list):
            return self._container(kind, value, path)
        try:
            return msgspec.convert(value, kind, strict=True)
        except msgspec.ValidationError:
            before = len(self.mistakes)
            if isinstance(value, dict | list):
                self._container(kind, value, path)
            if len(self.mistakes) == before:
                secret = is_secret_field(_last(path), kind)
                self.mistake(path, f"expected {expected(kind)}, found {shown(value, secret)}")
            return None

    def _container(self, kind: Any, value: Table | list[Any], path: Path) -> Any:
        """A list or dict, each item on its own."""
        base = _plain(kind)
        origin, arguments = typing.get_origin(base), typing.get_args(base)
        if isinstance(value, dict) and len(arguments) == 2 and origin not in (tuple, None):
            return {key: self.value(arguments[1], each, (*path, key)) for key, each in value.items()}
        if isinstance(value, list) and arguments and origin in (list, tuple, set, frozenset):
            items = [self.value(arguments[0], each, (*path, index)) for index, each in enumerate(value)]
            return origin(items)
        if has_struct(kind):
            self.mistake(path, f"expected {expected(kind)}, found {shown(value)}")
        return None


def _plain(kind: Any) -> Any:
    """The type without `Annotated` around it."""
    return typing.get_args(kind)[0] if hasattr(kind, "__metadata__") else kind


def _last(path: Path) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "")
