"""A backend with every kind of option, and short ways to write and read configurations."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from bridge.app import backends
from bridge.app.config import Config, load
from bridge.app.config_errors import ConfigError

HEAD = '[gateway."irc.example.com"]\nbackend = "sample"\nsecret = "hunter2hunter2"\n'
"""The least that is a whole configuration."""


class Relay(msgspec.Struct, frozen=True):
    host: str
    port: Annotated[int, Meta(ge=1, le=65535)] = 25


class Wire(msgspec.Struct, frozen=True, tag_field="kind", tag="wire"):
    """A wire."""

    length: int
    colour: str = "red"


class Radio(msgspec.Struct, frozen=True, tag_field="kind", tag="radio"):
    """A radio."""

    channel: int = 1
    pass_file: str = ""


class Options(msgspec.Struct, frozen=True):
    """Options of the sample backend.

    `password` opens the relay."""

    relay: Relay | None = None
    relays: tuple[Relay, ...] = ()
    named: dict[str, Relay] = {}
    links: dict[str, Wire | Radio] = {}
    mode: Literal["fast", "slow"] = "fast"
    ports: tuple[int, ...] = ()
    timeout: Annotated[float, Meta(gt=0)] = 5.0
    password: str = ""
    greeting: Annotated[str, Meta(extra={"secret": True})] = ""

    def __post_init__(self) -> None:
        if self.mode == "slow" and self.ports:
            raise ValueError('"ports" make no sense with mode = "slow"')


class Point:
    """An entry point."""

    def __init__(self, name: str, found: Any) -> None:
        self.name = name
        self._found = found

    def load(self) -> Any:
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


def offer(monkeypatch: pytest.MonkeyPatch, **factories: Any) -> None:
    """Make these the entry points, and no others."""
    points = [Point(name, factory) for name, factory in factories.items()]

    def entry_points(**wanted: str) -> Any:
        return points if wanted.get("group") == backends.GROUP else metadata.entry_points(**wanted)

    monkeypatch.setattr(backends, "metadata", SimpleNamespace(entry_points=entry_points))


def sample() -> Any:
    made = SimpleNamespace(info=SimpleNamespace(description="A sample"))
    return SimpleNamespace(Options=Options, create=lambda options: made)


def write(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text)
    return file


def mistakes(folder: Path, text: str, **environ: str) -> list[str]:
    """What is said of a configuration, a line for each mistake, without the file's name."""
    file = write(folder, text)
    with pytest.raises(ConfigError) as raised:
        load(file, environ)
    lines = str(raised.value).splitlines()
    assert all(line.startswith(f"{file}: ") for line in lines)
    return [line.removeprefix(f"{file}: ") for line in lines]


def good(folder: Path, text: str, **environ: str) -> Config:
    return load(write(folder, text), environ)
