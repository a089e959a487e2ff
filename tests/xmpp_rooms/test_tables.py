"""The table of errors, and the addresses."""

from __future__ import annotations

import pytest

from bridge.api import (
    BadAddress,
    ContactAddress,
    ContactId,
    NetworkAddress,
    NetworkId,
    Reason,
    RoomAddress,
    RoomId,
)
from bridge.core.room import Room
from bridge.xmpp.addresses import Addresses, occupant_at, resource_of
from bridge.xmpp.errors import FATAL, error_xml, join_shape, reason_of, shape
from tests.xmpp_rooms.stage import parsed
from tests.xmpp_rooms.village import Village, person

TYPES = {"auth", "cancel", "continue", "modify", "wait"}
NET = NetworkId("x.example")


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_error(reason: Reason) -> None:
    for found in (shape(reason), join_shape(reason)):
        assert found.type in TYPES
        assert 300 < found.code < 600
        assert reason_of(found.condition) is not None
    (element,) = parsed(error_xml(reason, "<why>"))
    assert element.get("type") == shape(reason).type
    stanzas = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
    assert element.findtext(stanzas + "text") == "<why>"
    assert element.find(stanzas + shape(reason).condition) is not None


@pytest.mark.parametrize(
    ("reason", "kind", "condition"),
    [
        (Reason.CONFLICT, "cancel", "conflict"),
        (Reason.NOT_IN_ROOM, "modify", "not-acceptable"),
        (Reason.NO_SUCH_NETWORK, "cancel", "remote-server-not-found"),
        (Reason.NETWORK_DOWN, "wait", "remote-server-timeout"),
        (Reason.TOO_LONG, "modify", "policy-violation"),
        (Reason.RATE_LIMITED, "wait", "resource-constraint"),
        (Reason.UNSUPPORTED, "cancel", "feature-not-implemented"),
        (Reason.OFFLINE, "wait", "recipient-unavailable"),
    ],
)
def test_some_errors(reason: Reason, kind: str, condition: str) -> None:
    assert shape(reason)[:2] == (kind, condition)


def test_the_way_back() -> None:
    for reason in (Reason.CONFLICT, Reason.NOT_FOUND, Reason.OFFLINE, Reason.GONE, Reason.UNSUPPORTED):
        assert reason_of(shape(reason).condition) is reason
    assert reason_of("no-such-condition") is Reason.INTERNAL
    assert all(reason_of(one) for one in FATAL)
    assert "not-acceptable" not in FATAL


@pytest.mark.parametrize(
    ("address", "jid"),
    [
        (RoomAddress(NET, RoomId("#c")), "#c%x.example@irc.example.test"),
        (RoomAddress(NET, RoomId("#b@foot")), "#b\\40foot%x.example@irc.example.test"),
        (RoomAddress(NET, RoomId("#a/b:c")), "#a\\2fb\\3ac%x.example@irc.example.test"),
        (ContactAddress(NET, ContactId("bob")), "bob%x.example@irc.example.test"),
        (NetworkAddress(NET), "x.example@irc.example.test"),
    ],
)
def test_addresses(address: RoomAddress, jid: str) -> None:
    addresses = Addresses("irc.example.test", Village())
    assert addresses.jid(address) == jid
    assert addresses.parse(jid.partition("@")[0]) == address


def test_what_stands_for_nothing() -> None:
    addresses = Addresses("irc.example.test", Village())
    assert addresses.parse("") is None
    for _ in range(2):
        with pytest.raises(BadAddress, match="is in no village"):
            addresses.parse("nonsense")
    assert addresses.contact_beside(RoomAddress(NET, RoomId("#c")), "Dave") == ContactAddress(
        NET, ContactId("dave")
    )
    assert addresses.contact_beside(RoomAddress(NET, RoomId("#c")), "#d") is None
    assert addresses.contact_beside(RoomAddress(NET, RoomId("#c")), "") is None


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("Bob", "Bob"),
        ("b o b", "b o b"),
        ("a/b@c", "a/b@c"),
        ("bell\x07", "bell_"),
        ("", "_"),
        ("x" * 2000, "x" * 1023),
    ],
)
def test_resources(name: str, resource: str) -> None:
    assert resource_of(name) == resource


def test_occupants_are_found_by_what_their_name_became() -> None:
    room = Room("alice@example.test", "#c%x.example@irc.example.test", RoomAddress(NET, RoomId("#c")))
    room.entered(person("me").name, (person("me"), person("bell\x07")), "", "", "")
    assert occupant_at(room, "me") == person("me")
    assert occupant_at(room, "bell_") == person("bell\x07")
    assert occupant_at(room, "Me") is None
