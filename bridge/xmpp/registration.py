"""Knows in-band registration (XEP-0077) with the gateway and with each of its networks: fields and data form.

What is known is shown when a user asks again, secrets never; an edit that leaves a secret empty keeps it."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

from bridge.api import FieldKind, Form, NetworkId, RegistrationRefused
from bridge.xmpp.entities import AddressBook, refusal, resolve
from bridge.xmpp.escape import legal, text
from bridge.xmpp.features import NS, Kind
from bridge.xmpp.forms import FormError, judge, read_form, render_form, submitted_form
from bridge.xmpp.iqs import InIq, Iqs, StanzaError
from bridge.xmpp.jids import bare
from bridge.xmpp.registrar import Registrar

__all__ = ["LEGACY_FIELDS", "Registration"]

DEADLINE = 90.0
"""Seconds: a backend may try the credentials, for up to 60."""

Values = dict[str, tuple[str, ...]]
Given = Callable[[Form], Values]

LEGACY_FIELDS = frozenset(
    {
        "address",
        "city",
        "date",
        "email",
        "first",
        "last",
        "misc",
        "name",
        "nick",
        "password",
        "phone",
        "state",
        "text",
        "url",
        "username",
        "zip",
    }
)
"""The elements of XEP-0077 §14.1; other fields travel in the data form only."""


class Registration:
    """Answers `jabber:iq:register`."""

    def __init__(self, registrar: Registrar, addresses: AddressBook) -> None:
        self._registrar = registrar
        self._addresses = addresses

    def register(self, iqs: Iqs) -> None:
        """Take the requests of this namespace."""
        tag = f"{{{NS.REGISTER}}}query"
        iqs.register("get", tag, self.get)
        iqs.register("set", tag, self.set, DEADLINE)

    async def get(self, iq: InIq) -> str:
        """The fields to fill in (XEP-0077 §3.1)."""
        network = self._network(iq)
        user = _user(iq)
        self._admit(user)
        form = await self._registrar.form(user, network)
        known = await self._registrar.registered(user, network)
        return (
            f"<query xmlns='{NS.REGISTER}'>"
            + ("<registered/>" if known else "")
            + f"<instructions>{text(form.instructions or form.title)}</instructions>"
            + _legacy(form)
            + (render_form(form, NS.REGISTER) if form.fields else "")
            + "</query>"
        )

    async def set(self, iq: InIq) -> None:
        """Register, edit (XEP-0077 §3.1) or remove (§3.2)."""
        network = self._network(iq)
        user = _user(iq)
        if iq.payload.find(f"{{{NS.REGISTER}}}remove") is not None:
            await self._remove(iq, user, network)
            return
        self._admit(user)
        given = _given(iq.payload)
        if given is not None:
            await self._register(user, network, given)

    async def _register(self, user: str, network: NetworkId, given: Given) -> None:
        known = await self._registrar.registered(user, network)
        form = await self._registrar.form(user, network)
        try:
            values = judge(form, given(form), known=known)
            await self._registrar.register(user, network, values)
        except FormError as error:
            condition = "not-acceptable" if error.missing else "bad-request"
            raise StanzaError("modify", condition, str(error)) from error
        except RegistrationRefused as error:
            raise StanzaError("modify", "not-acceptable", str(error)) from error

    async def _remove(self, iq: InIq, user: str, network: NetworkId) -> None:
        if not await self._registrar.registered_anywhere(user):
            self._admit(user)  # who was shut out later may still have it all removed
        if len(iq.payload) != 1:
            raise StanzaError("modify", "bad-request", "A removal comes alone.")
        if not await self._registrar.unregister(user, network):
            raise StanzaError("auth", "registration-required", "You are not registered.")

    def _admit(self, user: str) -> None:
        refused = self._registrar.refused(user)
        if refused is not None:
            raise refusal(refused.reason, refused.text)

    def _network(self, iq: InIq) -> NetworkId:
        entity = resolve(self._addresses, iq)
        if entity.kind not in (Kind.GATEWAY, Kind.NETWORK):
            raise StanzaError("cancel", "service-unavailable", "There is nothing to register with here.")
        return entity.network


def _user(iq: InIq) -> str:
    user = bare(iq.sender)
    if "@" not in user:
        raise StanzaError("cancel", "not-allowed", "Only people can register.")
    return user


def _legacy(form: Form) -> str:
    return "".join(
        f"<{field.name}/>"
        if field.kind is FieldKind.SECRET or not field.default
        else f"<{field.name}>{text(field.default)}</{field.name}>"
        for field in form.fields
        if field.name in LEGACY_FIELDS
    )


def _given(payload: Element) -> Given | None:
    """What was filled in; the form counts before the fields (§5). None: a form that was cancelled."""
    submitted = submitted_form(payload)
    if submitted is None:
        return lambda form: _given_as_fields(payload, form)
    if submitted.get("type") == "cancel":
        return None
    return lambda _: read_form(submitted)


def _given_as_fields(payload: Element, form: Form) -> Values:
    """What the XEP's own elements say; what they cannot say stays as it is known."""
    prefix = f"{{{NS.REGISTER}}}"
    values: Values = {
        field.name: (field.default,)
        for field in form.fields
        if field.name not in LEGACY_FIELDS and field.default
    }
    values.update(
        (child.tag[len(prefix) :], (legal(child.text or ""),))
        for child in payload
        if child.tag.startswith(prefix)
    )
    return values
