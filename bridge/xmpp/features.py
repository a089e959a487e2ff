"""Knows what each kind of address says of itself in service discovery: one honest description per kind.

All of it is derived from what the backend declares (`BackendInfo`, `Capabilities`): a feature that would be
refused, or quietly dropped, is not claimed. Entity capabilities are hashed from the same descriptions."""

from __future__ import annotations

import enum

import msgspec

from bridge.api import BackendInfo, Capabilities, Support
from bridge.xmpp.escape import attr, text

__all__ = ["NS", "Description", "Features", "Identity", "InfoForm", "Kind", "carried", "identity_for"]


class NS:
    """The namespaces that service discovery speaks about."""

    INFO = "http://jabber.org/protocol/disco#info"
    ITEMS = "http://jabber.org/protocol/disco#items"
    CAPS = "http://jabber.org/protocol/caps"
    COMMANDS = "http://jabber.org/protocol/commands"
    MUC = "http://jabber.org/protocol/muc"
    REGISTER = "jabber:iq:register"
    PROMPT = "jabber:iq:gateway"
    VCARD = "vcard-temp"
    VCARD4 = "urn:ietf:params:xml:ns:vcard-4.0"
    VERSION = "jabber:iq:version"
    LAST = "jabber:iq:last"
    TIME = "urn:xmpp:time"
    PING = "urn:xmpp:ping"
    DATA = "jabber:x:data"
    RSM = "http://jabber.org/protocol/rsm"
    MAM = "urn:xmpp:mam:2"


class Kind(enum.StrEnum):
    """What sort of address it is."""

    GATEWAY = "gateway"
    NETWORK = "network"
    ROOM = "room"
    OCCUPANT = "occupant"
    CONTACT = "contact"


class Identity(msgspec.Struct, frozen=True, order=True):
    """One identity (XEP-0030 §3.1), in the order in which XEP-0115 sorts them."""

    category: str
    type: str
    lang: str = ""
    name: str = ""


class InfoForm(msgspec.Struct, frozen=True):
    """Extended information (XEP-0128): fields as (name, values)."""

    form_type: str
    fields: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Description(msgspec.Struct, frozen=True):
    """A whole answer to disco#info."""

    identities: tuple[Identity, ...] = ()
    features: tuple[str, ...] = ()
    forms: tuple[InfoForm, ...] = ()

    def render(self, node: str = "") -> str:
        """The `<query/>` of the answer."""
        parts = [f"<query xmlns='{NS.INFO}'{_attribute('node', node)}>"]
        parts += [
            f"<identity category='{attr(one.category)}' type='{attr(one.type)}'"
            f"{_attribute('xml:lang', one.lang)}{_attribute('name', one.name)}/>"
            for one in self.identities
        ]
        parts += [f"<feature var='{attr(feature)}'/>" for feature in self.features]
        parts += [_render_form(form) for form in self.forms]
        parts.append("</query>")
        return "".join(parts)


def _attribute(name: str, value: str) -> str:
    return f" {name}='{attr(value)}'" if value else ""


def _render_form(form: InfoForm) -> str:
    fields = (("FORM_TYPE", (form.form_type,)), *form.fields)
    rendered = "".join(
        f"<field var='{attr(name)}'{_attribute('type', 'hidden' if name == 'FORM_TYPE' else '')}>"
        + "".join(f"<value>{text(value)}</value>" for value in values)
        + "</field>"
        for name, values in fields
    )
    return f"<x xmlns='{NS.DATA}' type='result'>{rendered}</x>"


_CARRIED_AS_TEXT = (
    ("reply", "urn:xmpp:reply:0"),
    ("reaction", "urn:xmpp:reactions:0"),
    ("correction", "urn:xmpp:message-correct:0"),
    ("retraction", "urn:xmpp:message-retract:1"),
    ("attachment", "jabber:x:oob"),
)
_CARRIED_NATIVE = (
    ("receipt", "urn:xmpp:receipts"),
    ("marker", "urn:xmpp:chat-markers:0"),
    ("typing", "http://jabber.org/protocol/chatstates"),
)
# the client types of the XMPP registrar that a gateway's own type can be one of
_CLIENT_TYPES = frozenset({"bot", "console", "game", "handheld", "pc", "phone", "sms", "tablet", "web"})


def carried(capabilities: Capabilities, *, native_only: bool = False) -> list[str]:
    """The features of messages that get through, as themselves or (unless `native_only`) as honest text."""
    enough = {Support.NATIVE} if native_only else {Support.NATIVE, Support.TEXT}
    found = [feature for name, feature in _CARRIED_AS_TEXT if getattr(capabilities, name) in enough]
    found += [feature for name, feature in _CARRIED_NATIVE if getattr(capabilities, name) is Support.NATIVE]
    return found


def identity_for(kind: Kind, info: BackendInfo, name: str = "") -> tuple[Identity, ...]:
    """The identities of an address of this kind. A gateway is also a `gateway/<type>` where its category is
    another one, so that both MUC clients and gateway dialogues see it (XEP-0100 §3)."""
    if kind is Kind.GATEWAY:
        both = {Identity(info.category, info.type, name=name), Identity("gateway", info.type, name=name)}
        return tuple(sorted(both))
    if kind is Kind.NETWORK:
        return (Identity(info.category, info.type, name=name),)
    if kind is Kind.ROOM:
        # the type that the registrar has for rooms, without which there are clients that see no name
        types = dict.fromkeys((info.type, "text"))
        return tuple(Identity("conference", one, name=name) for one in types)
    return (Identity("client", info.type if info.type in _CLIENT_TYPES else "pc", name=name),)


class Features:
    """The descriptions of one gateway's addresses. `archive` are the features of the rooms' archive."""

    def __init__(self, info: BackendInfo, archive: tuple[str, ...] = (NS.MAM, NS.MAM + "#extended")) -> None:
        self.info = info
        self._archive = archive

    def describe(self, kind: Kind, name: str = "", capabilities: Capabilities | None = None) -> Description:
        """What an address of this kind says. `name` is its own; `capabilities` those of its chat, if they are
        known to differ from the backend's defaults."""
        features = {NS.INFO, NS.ITEMS, NS.CAPS, *self._of(kind, capabilities)}
        return Description(identity_for(kind, self.info, name), tuple(sorted(features)))

    def _of(self, kind: Kind, capabilities: Capabilities | None) -> list[str]:
        if kind is Kind.GATEWAY:
            return self._gateway()
        if kind is Kind.NETWORK:
            return self._network()
        if kind is Kind.ROOM:
            return self._room(capabilities or self.info.room_features)
        return [NS.VCARD, NS.VCARD4, *carried(capabilities or self.info.contact_features)]

    def _network(self) -> list[str]:
        found = [NS.COMMANDS, NS.REGISTER, NS.VERSION, NS.PING, NS.VCARD, NS.VCARD4]
        if self.info.rooms:
            found += [NS.MUC, NS.MUC + "#stable_id", NS.RSM]
        return found

    def _gateway(self) -> list[str]:
        found = [*self._network(), NS.LAST, NS.TIME]
        if self.info.contact_prompt:
            found.append(NS.PROMPT)
        return found

    def _room(self, capabilities: Capabilities) -> list[str]:
        return [
            NS.MUC,
            "muc_nonanonymous",
            NS.MUC + "#stable_id",
            NS.MUC + "#self-ping-optimization",
            "urn:xmpp:sid:0",
            "urn:xmpp:occupant-id:0",
            NS.VERSION,
            NS.PING,
            NS.VCARD,
            NS.VCARD4,
            *self._archive,
            *carried(capabilities),
        ]
