"""Knows `jabber:iq:gateway` (XEP-0100 §6.3): the question to ask for a foreign address, and its JID."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from bridge.api import Address, Backend, BadAddress
from bridge.xmpp.entities import AddressBook, resolve
from bridge.xmpp.escape import text
from bridge.xmpp.features import NS, Kind
from bridge.xmpp.iqs import InIq, Iqs, StanzaError
from bridge.xmpp.jids import BadJid, bare

__all__ = ["Prompt"]

MAX_TYPED = 1023


Settings = Callable[[str], Awaitable[Mapping[str, str]]]


class Prompt:
    """Answers `jabber:iq:gateway` on the gateway's own JID; `look_up` serves the `add` command, too.
    `settings` gives what a user has registered with the gateway."""

    def __init__(self, backend: Backend, addresses: AddressBook, settings: Settings) -> None:
        self._backend = backend
        self._addresses = addresses
        self._settings = settings

    def register(self, iqs: Iqs) -> None:
        """Take the requests of this namespace."""
        tag = f"{{{NS.PROMPT}}}query"
        iqs.register("get", tag, self.get)
        iqs.register("set", tag, self.set)

    async def get(self, iq: InIq) -> str:
        """The question."""
        self._check(iq)
        info = self._backend.info
        desc, prompt = text(info.description or info.title), text(info.contact_prompt)
        return f"<query xmlns='{NS.PROMPT}'><desc>{desc}</desc><prompt>{prompt}</prompt></query>"

    async def set(self, iq: InIq) -> str:
        """The answer: `<jid/>`, and the same in `<prompt/>` for clients that follow an old XEP-0100."""
        self._check(iq)
        typed = iq.payload.findtext(f"{{{NS.PROMPT}}}prompt")
        if typed is None:
            raise StanzaError("modify", "bad-request", "The request has no <prompt/>.")
        try:
            _, jid = await self.look_up(bare(iq.sender), typed)
        except BadAddress as error:
            raise StanzaError("modify", "not-acceptable", str(error)) from error
        return f"<query xmlns='{NS.PROMPT}'><jid>{text(jid)}</jid><prompt>{text(jid)}</prompt></query>"

    async def look_up(self, user: str, typed: str) -> tuple[Address, str]:
        """The address that a user (a bare JID) means who typed this, and its JID. Raises BadAddress."""
        typed = typed.strip()
        if not typed:
            raise BadAddress("Nothing was typed.")
        if len(typed) > MAX_TYPED:
            raise BadAddress("That is too long for an address.")
        address = self._backend.contact_from_prompt(typed, await self._settings(user))
        try:
            return address, self._addresses.jid(address)
        except BadJid as error:
            raise BadAddress("No JID can be made of that address.") from error

    def _check(self, iq: InIq) -> None:
        if resolve(self._addresses, iq).kind is not Kind.GATEWAY:
            raise StanzaError("cancel", "feature-not-implemented", "Ask the gateway itself for addresses.")
        if not self._backend.info.contact_prompt:
            raise StanzaError("cancel", "feature-not-implemented", "This gateway looks up no addresses.")
