"""Knows ad-hoc commands (XEP-0050): the list, and the dialogues with their sessions.

A session belongs to one full JID and one address, and lives for an hour; a user has a bounded number."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import NoReturn
from xml.etree.ElementTree import Element

from bridge.api import BackendError
from bridge.xmpp.commands.catalogue import Catalogue
from bridge.xmpp.commands.model import Access, Ask, Command, CommandFailed, Done, Step
from bridge.xmpp.entities import AddressBook, Entity, refusal, resolve
from bridge.xmpp.escape import attr, text
from bridge.xmpp.features import NS, Description, Identity, Kind
from bridge.xmpp.forms import FormError, judge, read_form, render_form, submitted_form
from bridge.xmpp.iqs import InIq, Iqs, StanzaError
from bridge.xmpp.jids import bare

__all__ = ["AdHoc"]

SESSION_SECONDS = 3600.0
SESSIONS_PER_USER = 10
DEADLINE = 90.0
"""Seconds for one step: a registration may try the credentials, for up to 60."""

_ACTIONS = frozenset({"execute", "next", "complete", "prev", "cancel"})


class _Session:
    __slots__ = ("ask", "began", "busy", "command", "earlier", "id", "jid", "owner")

    def __init__(self, owner: str, jid: str, command: Command, ask: Ask, began: float) -> None:
        self.id = secrets.token_hex(8)
        self.owner = owner
        self.jid = jid
        self.command = command
        self.ask = ask
        self.earlier: list[Ask] = []
        self.began = began
        self.busy = False


class AdHoc:
    """Answers `http://jabber.org/protocol/commands`. `clock` is in seconds."""

    def __init__(self, catalogue: Catalogue, addresses: AddressBook, clock: Callable[[], float]) -> None:
        self._catalogue = catalogue
        self._addresses = addresses
        self._clock = clock
        self._sessions: dict[str, OrderedDict[str, _Session]] = {}
        self._swept = clock()

    def register(self, iqs: Iqs) -> None:
        """Take the requests of this namespace."""
        iqs.register("set", f"{{{NS.COMMANDS}}}command", self.set, DEADLINE)

    # -- service discovery

    async def items(self, resource: str, entity: Entity) -> list[tuple[str, str]]:
        """(node, title) of what this user may use there. Raises feature-not-implemented for people, forbidden
        for a user whom the gateway is not open to."""
        self._check(entity)
        self._admit(resource)
        context = await self._catalogue.context(resource, entity.kind, entity.address)
        return [(command.node, command.title) for command in context.commands]

    def info(self, entity: Entity, node: str) -> Description | None:
        """disco#info about a command's node, or about the list's; None for another node."""
        if entity.kind not in (Kind.GATEWAY, Kind.NETWORK, Kind.ROOM):
            return None
        if node == NS.COMMANDS:
            identity = Identity("automation", "command-list", name="Commands")
            return Description((identity,), (NS.INFO, NS.ITEMS))
        command = self._catalogue.find(node, entity.kind)
        if command is None:
            return None
        identity = Identity("automation", "command-node", name=command.title)
        return Description((identity,), (NS.INFO, NS.COMMANDS, NS.DATA))

    # -- execution

    async def set(self, iq: InIq) -> str:
        """One step of a command (XEP-0050 §2.4)."""
        entity = resolve(self._addresses, iq)
        self._check(entity)
        self._admit(iq.sender)
        action = iq.payload.get("action") or "execute"
        if action not in _ACTIONS:
            raise _bad("malformed-action", "There is no such action.")
        session_id = iq.payload.get("sessionid")
        if session_id:
            return await self._go_on(iq, self._find(iq, entity, session_id), action)
        if action in ("prev", "cancel"):
            raise _bad("bad-action", "There is no dialogue yet.")
        return await self._start(iq, entity)

    async def _start(self, iq: InIq, entity: Entity) -> str:
        node = iq.payload.get("node") or ""
        command = self._catalogue.find(node, entity.kind)
        if command is None:
            raise StanzaError("cancel", "item-not-found", "There is no such command here.")
        context = await self._catalogue.context(iq.sender, entity.kind, entity.address)
        if command not in context.commands:
            _refuse(command)
        try:
            step = await command.run(context)
        except (CommandFailed, BackendError) as error:
            return _completed(node, secrets.token_hex(8), str(error), "error")
        if isinstance(step, Done):
            return _completed(node, secrets.token_hex(8), step.text)
        return _executing(self._open(iq, entity, command, step))

    async def _go_on(self, iq: InIq, session: _Session, action: str) -> str:
        if session.busy:
            raise StanzaError("wait", "unexpected-request", "The last step is still under way.")
        form = submitted_form(iq.payload)
        if action == "cancel" or (form is not None and form.get("type") == "cancel"):
            self._close(session)
            return _command(session.command.node, session.id, "canceled", "")
        if action == "prev":
            if not session.earlier:
                raise _bad("bad-action", "This is the first step.")
            session.ask = session.earlier.pop()
            return _executing(session)
        return await self._submit(session, form)

    async def _submit(self, session: _Session, form: Element | None) -> str:
        ask = session.ask
        try:
            values = judge(ask.form, {} if form is None else read_form(form), known=ask.known)
        except FormError as error:
            raise _bad("bad-payload", str(error)) from error
        session.busy = True
        try:
            return self._stepped(session, await ask.then(values))
        except CommandFailed as error:
            if error.again:
                return _executing(session, str(error))
            self._close(session)
            return _completed(session.command.node, session.id, str(error), "error")
        except BackendError as error:
            self._close(session)
            return _completed(session.command.node, session.id, str(error), "error")
        finally:
            session.busy = False

    def _stepped(self, session: _Session, step: Step) -> str:
        if isinstance(step, Done):
            self._close(session)
            return _completed(session.command.node, session.id, step.text)
        session.earlier.append(session.ask)
        session.ask = step
        return _executing(session)

    def _check(self, entity: Entity) -> None:
        if entity.kind in (Kind.CONTACT, Kind.OCCUPANT):
            raise StanzaError("cancel", "feature-not-implemented", "There are no commands here.")

    def _admit(self, resource: str) -> None:
        refused = self._catalogue.refused(bare(resource))
        if refused is not None:
            raise refusal(refused.reason, refused.text)

    # -- sessions

    def _open(self, iq: InIq, entity: Entity, command: Command, ask: Ask) -> _Session:
        self._sweep()
        session = _Session(iq.sender, entity.jid, command, ask, self._clock())
        mine = self._sessions.setdefault(bare(iq.sender), OrderedDict())
        mine[session.id] = session
        while len(mine) > SESSIONS_PER_USER:
            mine.popitem(last=False)
        return session

    def _find(self, iq: InIq, entity: Entity, session_id: str) -> _Session:
        mine = self._sessions.get(bare(iq.sender))
        session = mine.get(session_id) if mine is not None else None
        if session is None or session.owner != iq.sender or session.jid != entity.jid:
            raise _bad("bad-sessionid", "There is no such dialogue of yours here.")
        if iq.payload.get("node") not in (None, session.command.node):
            raise _bad("bad-sessionid", "That dialogue is about another command.")
        if self._clock() - session.began > SESSION_SECONDS:
            self._close(session)
            condition = f"<session-expired xmlns='{NS.COMMANDS}'/>"
            raise StanzaError("cancel", "not-allowed", "The dialogue has expired, begin again.", condition)
        return session

    def _close(self, session: _Session) -> None:
        user = bare(session.owner)
        mine = self._sessions.get(user)
        if mine is not None:
            mine.pop(session.id, None)
            if not mine:
                del self._sessions[user]

    def _sweep(self) -> None:
        """Drop what has expired, at most once a minute."""
        now = self._clock()
        if now - self._swept < 60:
            return
        self._swept = now
        everything = [session for mine in self._sessions.values() for session in mine.values()]
        for session in everything:
            if now - session.began > SESSION_SECONDS:
                self._close(session)


def _refuse(command: Command) -> NoReturn:
    if command.access is Access.ADMIN:
        raise StanzaError("auth", "forbidden", "That command is for the gateway's admins.")
    raise StanzaError("auth", "registration-required", "Register first.")


def _bad(condition: str, said: str) -> StanzaError:
    return StanzaError("modify", "bad-request", said, f"<{condition} xmlns='{NS.COMMANDS}'/>")


def _command(node: str, session_id: str, status: str, inner: str) -> str:
    attributes = f"node='{attr(node)}' sessionid='{attr(session_id)}' status='{status}'"
    return f"<command xmlns='{NS.COMMANDS}' {attributes}>{inner}</command>"


def _completed(node: str, session_id: str, said: str, kind: str = "info") -> str:
    return _command(node, session_id, "completed", _note(said, kind))


def _executing(session: _Session, complaint: str = "") -> str:
    forth = "next" if session.ask.more else "complete"
    back = "<prev/>" if session.earlier else ""
    note = _note(complaint, "error") if complaint else ""
    actions = f"<actions execute='{forth}'>{back}<{forth}/></actions>"
    return _command(
        session.command.node, session.id, "executing", actions + note + render_form(session.ask.form)
    )


def _note(said: str, kind: str) -> str:
    return f"<note type='{kind}'>{text(said)}</note>"
