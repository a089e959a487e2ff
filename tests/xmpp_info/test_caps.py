"""The verification strings: XEP-0115's own examples, and what they mean here."""

from __future__ import annotations

import pytest

from bridge.api import Capabilities, Support
from bridge.xmpp.caps import Caps, verification
from bridge.xmpp.features import Description, Features, Identity, InfoForm, Kind
from tests.xmpp_info.town import INFO, without_rooms

MUC = "http://jabber.org/protocol/muc"
DISCO = ("http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items")


def test_simple_example() -> None:
    """XEP-0115 §5.2"""
    features = ("http://jabber.org/protocol/caps", *DISCO, MUC)
    description = Description((Identity("client", "pc", name="Exodus 0.9.1"),), features)
    assert verification(description) == "QgayPKawpkPSDYmwT/WM94uAlu0="


def test_complex_example() -> None:
    """XEP-0115 §5.3, with its parts in another order"""
    identities = (
        Identity("client", "pc", "en", "Psi 0.11"),
        Identity("client", "pc", "el", "Ψ 0.11"),
    )
    form = InfoForm(
        "urn:xmpp:dataforms:softwareinfo",
        (
            ("software_version", ("0.11",)),
            ("ip_version", ("ipv6", "ipv4")),
            ("os", ("Mac",)),
            ("os_version", ("10.5.1",)),
            ("software", ("Psi",)),
        ),
    )
    features = (MUC, *DISCO, "http://jabber.org/protocol/caps")
    assert verification(Description(identities, features, (form,))) == "q07IKJEyjvHSyhy//CH0CxmKi8w="


def test_each_kind_has_its_own_string_and_its_meaning() -> None:
    caps = Caps(Features(INFO), "https://node")
    vers = {kind: caps.for_kind(kind) for kind in Kind}
    assert vers[Kind.GATEWAY] != vers[Kind.NETWORK] != vers[Kind.ROOM]
    for kind, ver in vers.items():
        described = caps.described(f"https://node#{ver}")
        assert described is not None
        assert verification(described) == ver
        assert f"ver='{ver}'" in caps.element(kind.value)
    assert caps.described("https://node#else") is None
    assert caps.described(f"https://other#{vers[Kind.ROOM]}") is None
    with pytest.raises(ValueError):
        caps.for_kind("planet")


def test_other_capabilities_have_another_string() -> None:
    caps = Caps(Features(INFO), "https://node")
    live = Capabilities(typing=Support.NATIVE)
    ver = caps.for_kind("contact", live)
    assert ver != caps.for_kind("contact")
    described = caps.described(f"https://node#{ver}")
    assert described is not None
    assert "http://jabber.org/protocol/chatstates" in described.features


def test_nothing_is_claimed_that_is_refused_or_dropped() -> None:
    features = Features(INFO)
    contact = features.describe(Kind.CONTACT).features
    assert "urn:xmpp:receipts" in contact
    assert "urn:xmpp:reactions:0" not in contact
    assert "urn:xmpp:message-retract:1" not in contact
    assert "urn:xmpp:chat-markers:0" not in contact
    assert "http://jabber.org/protocol/chatstates" not in contact
    assert "http://jabber.org/protocol/chatstates" in features.describe(Kind.ROOM).features


def test_a_network_without_rooms_claims_none() -> None:
    features = Features(without_rooms())
    described = features.describe(Kind.GATEWAY)
    assert MUC not in described.features
    assert "jabber:iq:gateway" not in described.features
    assert [(one.category, one.type) for one in described.identities] == [("gateway", "sms")]
    assert features.describe(Kind.CONTACT).identities == (Identity("client", "sms"),)
