"""Knows the parts that rendered messages have in common. Everything returned is ready XML.

What is rendered here, a parser reads back as the same values (less what XML cannot carry: `escape.legal`)."""

from __future__ import annotations

import time
from functools import lru_cache

from bridge.api import Attachment, Content, Typing
from bridge.xmpp.escape import attr, text
from bridge.xmpp.render_spans import xhtml

__all__ = ["NO_STORE", "body_of", "chat_state", "content", "delay", "extras", "jid_attr", "reply", "stamp"]

jid_attr = lru_cache(4096)(attr)
"""`escape.attr` for the JIDs that come again and again: so few that even the longest fill no more than some
MB, since a look at their length would cost as much as it saves."""

NO_STORE = "<no-store xmlns='urn:xmpp:hints'/>"
"""XEP-0334: nobody needs to find this in an archive."""

_LAST = 253_402_300_799_999_999  # the end of the year 9999, in microseconds: XEP-0082 has no later time

_STATES = {state: f"<{state.value} xmlns='http://jabber.org/protocol/chatstates'/>" for state in Typing}


def stamp(micros: int) -> str:
    """A time in microseconds since 1970 as XEP-0082 has it, in UTC."""
    seconds, fraction = divmod(min(max(micros, 0), _LAST), 1_000_000)
    moment = time.gmtime(seconds)
    return (
        f"{moment.tm_year:04}-{moment.tm_mon:02}-{moment.tm_mday:02}"
        f"T{moment.tm_hour:02}:{moment.tm_min:02}:{moment.tm_sec:02}.{fraction:06}Z"
    )


def delay(micros: int, by: str) -> str:
    """`<delay/>` (XEP-0203) for a message first said at `micros`."""
    return f"<delay xmlns='urn:xmpp:delay' from='{jid_attr(by)}' stamp='{stamp(micros)}'/>"


def chat_state(state: Typing) -> str:
    """A chat state (XEP-0085)."""
    return _STATES[state]


def body_of(content: Content, *, marked: bool = False) -> str:
    """What a client shows: the text, an emote as people write it, files by their URL. `marked`: a notice is
    called one, since a room has no other way to show it."""
    said = content.text
    if content.action:
        said = "/me " + said
    if marked and content.notice:
        said = "[notice] " + said
    if content.attachments:
        urls = [one.url for one in content.attachments if one.url not in said]
        said = "\n".join([said, *urls] if said else urls)
    return said


def content(content: Content, *, marked: bool = False) -> str:
    """Subject, body, formatting and attachments. The body is there even if it is empty: without it, clients
    and archives take the message for a notification."""
    if not (content.spans or content.attachments or content.action or content.notice or content.subject):
        return f"<body>{text(content.text)}</body>"
    return _rich(content, marked)


def _rich(content: Content, marked: bool) -> str:
    said = f"<body>{text(body_of(content, marked=marked))}</body>"
    if content.subject:
        said = f"<subject>{text(content.subject)}</subject>{said}"
    if content.spans:
        said += xhtml(content, marked=marked)
    for one in content.attachments:
        said += f"<x xmlns='jabber:x:oob'><url>{text(one.url)}</url></x>"
        if one.name:
            said += file_sharing(one)
    return said


def file_sharing(one: Attachment) -> str:
    """`<file-sharing/>` (XEP-0447) for a file of which more is known than its URL."""
    about = f"<name>{text(one.name)}</name>"
    if one.media_type:
        about = f"<media-type>{text(one.media_type)}</media-type>{about}"
    if one.size >= 0:
        about += f"<size>{one.size}</size>"
    shown = one.media_type.startswith(("image/", "video/", "audio/"))
    return (
        f"<file-sharing xmlns='urn:xmpp:sfs:0' disposition='{'inline' if shown else 'attachment'}'>"
        f"<file xmlns='urn:xmpp:file:metadata:0'>{about}</file><sources>"
        f"<url-data xmlns='http://jabber.org/protocol/url-data' target='{attr(one.url)}'/>"
        "</sources></file-sharing>"
    )


def reply(to: str, message_id: str) -> str:
    """`<reply/>` (XEP-0461) to the message `message_id` by the JID `to` (empty: unknown)."""
    author = f" to='{attr(to)}'" if to else ""
    return f"<reply xmlns='urn:xmpp:reply:0'{author} id='{attr(message_id)}'/>"


def extras(thread: str, replaces: str) -> str:
    """The thread, and which message this one corrects (XEP-0308); empty strings for neither."""
    said = f"<thread>{text(thread)}</thread>" if thread else ""
    if replaces:
        said += f"<replace xmlns='urn:xmpp:message-correct:0' id='{attr(replaces)}'/>"
    return said
