"""Bodies are read, or refused; nothing else comes out."""

from __future__ import annotations

import contextlib
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.sms.http.fields import BadRequest, Fields, read_form, read_json

_PAIRS = st.lists(st.tuples(st.text(min_size=1, max_size=8), st.text(max_size=20)), max_size=10)


@given(_PAIRS)
def test_a_form_is_read_as_it_was_written(pairs: list[tuple[str, str]]) -> None:
    found = read_form(urlencode(pairs).encode())
    assert found.pairs == pairs
    for name, _ in pairs:
        assert found.get(name) == next(value for each, value in pairs if each == name)


@given(st.binary())
def test_nothing_else_comes_out(body: bytes) -> None:
    for read in (read_form, read_json):
        with contextlib.suppress(BadRequest):
            for name, value in read(body).pairs:
                (name + value).encode()


@pytest.mark.parametrize("body", [rb'{"a": "\ud800"}', b'{"a": 1e999}', b'{"a": {"b": 1}}', b'{"a": 1.5}'])
def test_odd_json(body: bytes) -> None:
    with contextlib.suppress(BadRequest):
        assert read_json(body).pairs == []


def test_what_must_be_there() -> None:
    fields = Fields([("A", " x "), ("B", " "), ("MessageSid", "SM00000001"), ("SmsSid", "SM00000002")])
    assert (fields.need("A"), fields.get("C"), fields.sid()) == ("x", "", "SM00000001")
    for name in ("B", "C"):
        with pytest.raises(BadRequest, match=f"the field {name} is missing"):
            fields.need(name)
    for bad in ("", "SM 1234567", "x" * 65, "SM/../1234"):
        with pytest.raises(BadRequest, match="MessageSid"):
            Fields([("MessageSid", bad)]).sid()
