"""Finds the adapters: by the entry points of the group `bridge.backends`, or in the folder `backends`."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
from importlib import metadata
from typing import Any, Protocol, cast

import msgspec

from bridge.api import BackendFactory

GROUP = "bridge.backends"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class UnknownBackend(Exception):
    """There is no adapter of that name. `known` are those that there are."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no backend is called {name!r}; known: {', '.join(known) or 'none'}")
        self.known = known


class BrokenBackend(Exception):
    """An adapter is there but can't be loaded."""


class EntryPointLike(Protocol):
    """The two things that are asked of an entry point."""

    @property
    def name(self) -> str: ...

    def load(self) -> Any: ...


def known_backends() -> tuple[str, ...]:
    """The names that `load` takes, sorted."""
    names = {point.name for point in metadata.entry_points(group=GROUP)}
    return tuple(sorted(names | set(_in_checkout())))


def load(name: str) -> BackendFactory:
    """The adapter of that name. Raises UnknownBackend or BrokenBackend."""
    for point in metadata.entry_points(group=GROUP):
        if point.name == name:
            return _checked(name, _loaded(point))
    if _NAME.fullmatch(name) and name in _in_checkout():
        return _checked(name, _loaded(_Module(name)))
    raise UnknownBackend(name, known_backends())


class _Module:
    """A module of the folder `backends`, as an entry point: itself, or its attribute `backend`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def load(self) -> Any:
        module = importlib.import_module(f"backends.{self.name}")
        return module if hasattr(module, "create") else getattr(module, "backend", module)


def _in_checkout() -> tuple[str, ...]:
    spec = importlib.util.find_spec("backends")
    if spec is None or spec.submodule_search_locations is None:
        return ()
    return tuple(module.name for module in pkgutil.iter_modules(spec.submodule_search_locations))


def _loaded(point: EntryPointLike) -> Any:
    try:
        return point.load()
    except Exception as error:
        text = f"the backend {point.name!r} can't be loaded: {type(error).__name__}: {error}"
        raise BrokenBackend(text) from error


def _checked(name: str, found: Any) -> BackendFactory:
    options = getattr(found, "Options", None)
    if not (isinstance(options, type) and issubclass(options, msgspec.Struct)):
        raise BrokenBackend(f"the backend {name!r} has no msgspec.Struct called Options")
    if not callable(getattr(found, "create", None)):
        raise BrokenBackend(f"the backend {name!r} has no function create(options)")
    return cast(BackendFactory, found)
