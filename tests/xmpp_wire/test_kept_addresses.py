"""Long addresses are read like all others, and not kept."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from bridge.xmpp import inbound, jids
from bridge.xmpp.inbound import read_message
from bridge.xmpp.jids import LONGEST_KEPT, prepare


def test_a_long_address_is_not_kept() -> None:
    before = jids._kept.cache_info().misses, inbound._kept_addresses.cache_info().misses
    for number in range(100):
        sender = f"a@EXAMPLE.test/{number}{'r' * 900}"
        to = f"{'b' * 900}@irc.example.test/{number}"
        element = ET.fromstring(f"<message xmlns='jabber:client' from='{sender}' to='{to}'/>")
        message = read_message(element)
        assert message.sender == prepare(sender) == sender.replace("EXAMPLE", "example")
        assert (message.to_local, message.to_resource) == ("b" * 900, str(number))
    assert before == (jids._kept.cache_info().misses, inbound._kept_addresses.cache_info().misses)


def test_a_usual_one_is() -> None:
    address = f"usual@example.test/{'r' * 20}"
    assert len(address) < LONGEST_KEPT
    assert prepare(address) is prepare(address)
