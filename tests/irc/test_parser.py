"""The line parser against the public vectors, and against anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from backends.irc.names import is_hostname
from backends.irc.parser import build, one_line, parse_line, split_source

VECTORS = Path(__file__).parent / "vectors"


def vectors(name: str) -> list[Any]:
    tests: list[Any] = yaml.safe_load((VECTORS / f"{name}.yaml").read_text())["tests"]
    return tests


@pytest.mark.parametrize("vector", vectors("msg-split"), ids=lambda vector: vector["input"])
def test_split(vector: dict[str, Any]) -> None:
    line, atoms = parse_line(vector["input"]), vector["atoms"]
    assert line is not None
    assert line.command == atoms["verb"].upper()
    assert line.params == atoms.get("params", [])
    assert line.source == atoms.get("source", "")
    assert line.tags == {key: value or "" for key, value in atoms.get("tags", {}).items()}


@pytest.mark.parametrize("vector", vectors("msg-join"), ids=lambda vector: vector["desc"])
def test_join(vector: dict[str, Any]) -> None:
    atoms = vector["atoms"]
    if "source" in atoms:
        return  # a client sends no source
    params = atoms.get("params", [])
    tags = {key: value or "" for key, value in atoms.get("tags", {}).items()}
    made = set()
    if not params or _is_middle(params[-1]):
        made.add(build(atoms["verb"], *params, tags=tags))
    if params:
        made.add(build(atoms["verb"], *params[:-1], trailing=params[-1], tags=tags))
    assert made <= set(vector["matches"])


def _is_middle(param: str) -> bool:
    return bool(param) and param[0] != ":" and " " not in param


@pytest.mark.parametrize("vector", vectors("userhost-split"), ids=lambda vector: vector["source"])
def test_userhost(vector: dict[str, Any]) -> None:
    atoms = vector["atoms"]
    assert split_source(vector["source"]) == tuple(atoms.get(key, "") for key in ("nick", "user", "host"))


@pytest.mark.parametrize("vector", vectors("validate-hostname"), ids=lambda vector: repr(vector["host"]))
def test_hostname(vector: dict[str, Any]) -> None:
    if vector["host"] in ("irc", "com"):
        # Too short for a server's own name, but fine for an address that we are to connect to.
        assert is_hostname(vector["host"])
    else:
        assert is_hostname(vector["host"]) == vector["valid"]


@given(st.text())
def test_any_text_parses_or_is_no_line(text: str) -> None:
    line = parse_line(text)
    assert line is None or line.command


WORD = st.text(st.characters(exclude_characters=" \r\n\0", codec="utf-8"), min_size=1).filter(
    lambda word: word[0] not in ":"
)


@given(
    st.sampled_from(["PRIVMSG", "TOPIC"]),
    st.lists(WORD, max_size=3),
    st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8")),
    st.dictionaries(st.sampled_from(["a", "msgid", "+typing"]), st.text(max_size=20), max_size=2),
)
def test_what_is_built_is_parsed_back(
    command: str, params: list[str], text: str, tags: dict[str, str]
) -> None:
    line = parse_line(build(command, *params, trailing=text, tags=tags))
    assert line is not None
    assert (line.command, line.params, line.tags) == (command, [*params, text], tags)


@pytest.mark.parametrize("param", ["", ":x", "a b", "a\nb", "a\rb", "a\0b"])
def test_what_would_not_be_one_parameter_is_refused(param: str) -> None:
    with pytest.raises(ValueError, match="parameter"):
        build("KICK", "#c", param)


@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    assert not set(one_line(text)) & set("\r\n\0")
