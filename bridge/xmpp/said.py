"""Knows how what a client sent becomes the core's words: content, and the message on its way out."""

from __future__ import annotations

from bridge.api import Attachment, Content, Typing
from bridge.core.values import Outgoing
from bridge.xmpp.jids import bare, resource
from bridge.xmpp.received import InMessage

__all__ = ["CHAT_STATES", "content_of", "outgoing", "speaks", "too_long"]

CHAT_STATES = {
    "active": Typing.ACTIVE,
    "composing": Typing.COMPOSING,
    "paused": Typing.PAUSED,
    "inactive": Typing.PAUSED,
    "gone": Typing.GONE,
}
"""XEP-0085 §4: who looks away has, for the other side, stopped writing."""

_EMOTE = "/me "


def speaks(message: InMessage) -> bool:
    """Whether somebody would miss it if it got nowhere; a chat state or a marker is not worth an error."""
    return bool(
        message.body
        or message.subject is not None
        or message.oob_url
        or message.encrypted
        or message.invites
        or message.direct_invite
        or message.reactions is not None
        or message.retract
    )


def too_long(message: InMessage, limit: int) -> bool:
    """Whether the body has more bytes than a chat takes (`limit` 0: no limit)."""
    body = message.body or ""
    return 0 < limit < 4 * len(body) and len(body.encode("utf-8", "replace")) > limit


def content_of(message: InMessage, *, direct: bool = False) -> Content:
    """What a message says. A body that only repeats the attachment's URL for old clients is left out. Only in
    a `direct` chat a subject and a quote are part of it."""
    body, url = message.body or "", message.oob_url
    if not (url or body[:1] == "/" or (direct and (message.subject is not None or message.quoted))):
        return Content(body)
    attachments = (Attachment(url),) if url else ()
    if url and body.strip() == url:
        body = ""
    action = body.startswith(_EMOTE)
    return Content(
        text=body[len(_EMOTE) :] if action else body,
        attachments=attachments,
        action=action,
        subject=message.subject if direct else None,
        quoted=message.quoted if direct else "",
    )


def outgoing(message: InMessage, content: Content, stanza_id: str, room: str = "") -> Outgoing:
    """The message for the core. `room` is the JID of the room that it is said in: a stanza-id in its name
    is forged (XEP-0359 §4), and whom it answers is a name there."""
    reply = message.reply
    foreign = message.stanza_ids
    if reply is None and not (foreign or message.thread or message.replace):
        return Outgoing(message.sender, stanza_id, content, message.origin_id)
    return Outgoing(
        message.sender,
        stanza_id,
        content,
        message.origin_id,
        reply_to=reply.id if reply is not None else "",
        reply_name=resource(reply.to) if reply is not None and room and bare(reply.to) == room else "",
        thread=message.thread,
        replaces=message.replace,
        foreign_ids=tuple([(one.by, one.id) for one in foreign if one.by != room]) if foreign else (),
    )
