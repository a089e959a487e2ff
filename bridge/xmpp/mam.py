"""Knows the archive of a room as clients ask for it (XEP-0313 `urn:xmpp:mam:2`, paged by XEP-0059).

An archive id is its message's time in microseconds, so that limits by id and by time are the same thing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from bridge.api import RoomAddress
from bridge.core.gateway import Gateway
from bridge.core.values import ArchiveItemMissing, ArchivePage, ArchiveQuery
from bridge.xmpp.addresses import Addresses, occupant_at
from bridge.xmpp.entities import resolve
from bridge.xmpp.escape import attr
from bridge.xmpp.forms import read_form, submitted_form
from bridge.xmpp.iqs import InIq, Iqs, StanzaError
from bridge.xmpp.jids import BadJid, bare, prepare
from bridge.xmpp.render import jid_attr, stamp
from bridge.xmpp.render_room import RoomView
from bridge.xmpp.roomlist import read_page_request

__all__ = ["RoomArchives"]

_NS = "urn:xmpp:mam:2"
_RSM = "http://jabber.org/protocol/rsm"
_FIELDS = frozenset({"FORM_TYPE", "with", "start", "end", "after-id", "before-id", "ids"})
_MOST_IDS = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOBODY = "\0"  # a name that no occupant has

_FORM = (
    f"<query xmlns='{_NS}'><x xmlns='jabber:x:data' type='form'>"
    f"<field type='hidden' var='FORM_TYPE'><value>{_NS}</value></field>"
    "<field type='jid-single' var='with'/><field type='text-single' var='start'/>"
    "<field type='text-single' var='end'/><field type='text-single' var='before-id'/>"
    "<field type='text-single' var='after-id'/><field type='list-multi' var='ids'>"
    "<validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:string'><open/></validate>"
    "</field></x></query>"
)


class _Asked(msgspec.Struct, frozen=True):
    """A request, read: `anchors` are the ids that must exist beside those of the query itself."""

    query: ArchiveQuery
    anchors: tuple[int, ...] = ()
    count_only: bool = False
    flipped: bool = False


class RoomArchives:
    """Answers archive requests to the rooms of one gateway: a user reads what the user's own account has
    heard.

    `write` takes finished text, `new_id` makes stanza ids."""

    def __init__(
        self,
        gateway: Gateway,
        addresses: Addresses,
        write: Callable[[str], object],
        new_id: Callable[[], str],
    ) -> None:
        self._rooms = gateway.rooms
        self._addresses = addresses
        self._write = write
        self._new_id = new_id

    def register(self, iqs: Iqs) -> None:
        """Take the requests of this namespace."""
        iqs.register("get", f"{{{_NS}}}query", self.form)
        iqs.register("set", f"{{{_NS}}}query", self.query)
        iqs.register("get", f"{{{_NS}}}metadata", self.metadata)

    async def form(self, iq: InIq) -> str:
        """The fields that a query may have (XEP-0313 §4.1.6)."""
        self._address(iq)
        return _FORM

    async def query(self, iq: InIq) -> str:
        """Send a page of messages, then the `<fin/>` (XEP-0313 §4)."""
        address, user = self._address(iq), bare(iq.sender)
        asked = self._read(iq, address)
        try:
            if asked.anchors:
                await self._rooms.archive_page(user, address, ArchiveQuery(ids=asked.anchors))
            page = await self._rooms.archive_page(user, address, asked.query)
        except ArchiveItemMissing as error:
            raise _missing() from error
        if asked.count_only:
            return f"<fin xmlns='{_NS}'><set xmlns='{_RSM}'><count>{page.count}</count></set></fin>"
        self._send(iq, self._addresses.jid(address), page, asked.flipped)
        return _fin(page)

    async def metadata(self, iq: InIq) -> str:
        """The first and the last message of the archive (XEP-0313 §5)."""
        bounds = await self._rooms.archive_bounds(bare(iq.sender), self._address(iq))
        if bounds is None:
            return f"<metadata xmlns='{_NS}'/>"
        first, last = bounds
        return (
            f"<metadata xmlns='{_NS}'><start id='{first}' timestamp='{stamp(first)}'/>"
            f"<end id='{last}' timestamp='{stamp(last)}'/></metadata>"
        )

    def _send(self, iq: InIq, room: str, page: ArchivePage, flipped: bool) -> None:
        view = RoomView(room)
        query_id = iq.payload.get("queryid")
        mark = f" queryid='{attr(query_id)}'" if query_id is not None else ""
        head = f"<message from='{jid_attr(room)}' to='{jid_attr(iq.sender)}' id='"
        messages = reversed(page.messages) if flipped else page.messages
        self._write(
            "".join(
                f"{head}{self._new_id()}'><result xmlns='{_NS}'{mark} id='{one.archive_id}'>"
                f"{view.archived(one)}</result></message>"
                for one in messages
            )
        )

    def _address(self, iq: InIq) -> RoomAddress:
        entity = resolve(self._addresses, iq)
        if not isinstance(entity.address, RoomAddress) or entity.nick:
            raise StanzaError("cancel", "service-unavailable", "Only rooms have an archive here.")
        return entity.address

    # -- reading a request

    def _read(self, iq: InIq, address: RoomAddress) -> _Asked:
        form = submitted_form(iq.payload)
        fields = read_form(form) if form is not None else {}
        unknown = fields.keys() - _FIELDS
        if unknown:
            raise StanzaError("cancel", "feature-not-implemented", f"Unknown field: {min(unknown)}")
        if iq.payload.find(f"{{{_RSM}}}set/{{{_RSM}}}index") is not None:
            raise StanzaError("cancel", "feature-not-implemented", "Pages are found by ids here.")
        first, last, anchors = _limits(fields)
        request = read_page_request(iq.payload)
        query = ArchiveQuery(
            start=first,
            end=last,
            after=_archive_id(request.after) if request.after else None,
            before=_archive_id(request.before) if request.before else None,
            last=request.before == "",
            limit=max(request.limit, 1),
            name=self._name(iq, address, fields.get("with", ())),
            ids=tuple(_archive_id(one) for one in fields.get("ids", ())),
        )
        if len(query.ids) > _MOST_IDS:
            raise StanzaError("modify", "policy-violation", f"At most {_MOST_IDS} messages at once.")
        flipped = iq.payload.find(f"{{{_NS}}}flip-page") is not None
        return _Asked(query, anchors, request.limit == 0, flipped)

    def _name(self, iq: InIq, address: RoomAddress, given: tuple[str, ...]) -> str:
        """Who in the room a `with` means; a name that nobody has, if it is nobody here."""
        if not given or not given[0]:
            return ""
        try:
            jid = prepare(given[0])
        except BadJid as error:
            raise StanzaError("modify", "jid-malformed", str(error)) from error
        room_jid, nick = self._addresses.jid(address), jid.partition("/")[2]
        room = self._rooms.find(bare(iq.sender), room_jid)
        if bare(jid) == room_jid:
            found = occupant_at(room, nick) if room is not None else None
            return found.name if found is not None else nick
        if room is None:
            return _NOBODY
        if bare(jid) == room.user:
            return room.me or _NOBODY
        everybody = room.occupants.values()
        behind = (one.name for one in everybody if bare(self._addresses.real_jid(room, one)) == bare(jid))
        return next(behind, _NOBODY)


def _limits(fields: dict[str, tuple[str, ...]]) -> tuple[int | None, int | None, tuple[int, ...]]:
    """The earliest and the latest time asked for, and the ids that say so: those must exist (§4.1.4)."""
    first, last = _time(fields, "start"), _time(fields, "end")
    after, before = _id_of(fields, "after-id"), _id_of(fields, "before-id")
    if after is not None:
        first = after + 1 if first is None else max(first, after + 1)
    if before is not None:
        last = before - 1 if last is None else min(last, before - 1)
    return first, last, tuple({one for one in (after, before) if one is not None})


def _time(fields: dict[str, tuple[str, ...]], name: str) -> int | None:
    given = fields.get(name, ())
    if not given or not given[0]:
        return None
    try:
        moment = datetime.fromisoformat(given[0].strip())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return (moment - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError) as error:
        raise StanzaError("modify", "bad-request", f"'{name}' is not a time (XEP-0082).") from error


def _id_of(fields: dict[str, tuple[str, ...]], name: str) -> int | None:
    given = fields.get(name, ())
    return _archive_id(given[0]) if given and given[0] else None


def _archive_id(text: str) -> int:
    """An id as this archive gives them. Raises item-not-found for anything else."""
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    raise _missing()


def _missing() -> StanzaError:
    return StanzaError("cancel", "item-not-found", "The archive has no such message (any more).")


def _fin(page: ArchivePage) -> str:
    complete = " complete='true'" if page.complete else ""
    edges = ""
    if page.messages:
        first, last = page.messages[0].archive_id, page.messages[-1].archive_id
        index = f" index='{page.first_index}'" if page.first_index >= 0 else ""
        edges = f"<first{index}>{first}</first><last>{last}</last>"
    count = f"<count>{page.count}</count>" if page.count >= 0 else ""
    return f"<fin xmlns='{_NS}'{complete} stable='true'><set xmlns='{_RSM}'>{edges}{count}</set></fin>"
