"""Knows what goes out in one-to-one chats: messages of contacts, receipts and markers, and the network's
own lines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from bridge.api import BackendInfo, Reason, Support, Typing
from bridge.core.values import DirectMessage
from bridge.xmpp import escape
from bridge.xmpp.errors import message_error
from bridge.xmpp.escape import attr
from bridge.xmpp.render import NO_STORE, chat_state, content, delay, extras, jid_attr, reply

__all__ = ["DirectMessages", "message_xml"]

_REQUEST = "<request xmlns='urn:xmpp:receipts'/>"
_MARKABLE = "<markable xmlns='urn:xmpp:chat-markers:0'/>"
_PRIVATE = "<private xmlns='urn:xmpp:carbons:2'/><no-copy xmlns='urn:xmpp:hints'/>"
_LATE = 10_000_000  # microseconds after which a message says when it was sent


class DirectMessages:
    """The chats of all users of one gateway.

    `send` writes a message to be fenced (its id, its text, for whom) and gives the outcome; `write`
    takes finished text that nobody waits for; `now` is the time in microseconds."""

    def __init__(
        self,
        write: Callable[[str], object],
        send: Callable[[str, str, str], Awaitable[str]],
        new_id: Callable[[], str],
        info: BackendInfo,
        now: Callable[[], int],
    ) -> None:
        self._write = write
        self._send = send
        self._new_id = new_id
        self._now = now
        # What no network would hear of is not asked of the client.
        self._asks = _REQUEST if info.contact_features.receipt is Support.NATIVE else ""
        self._asks += _MARKABLE if info.contact_features.marker is Support.NATIVE else ""
        # XEP-0085 §5.1: a state in a message invites to send states
        self._state = chat_state(Typing.ACTIVE) if info.contact_features.typing is Support.NATIVE else ""

    def message(self, user: str, contact: str, message: DirectMessage) -> Awaitable[str]:
        """Deliver a contact's message to the user, wherever they are."""
        late = message.sent_at if self._now() - message.sent_at > _LATE else 0
        asks = self._state if message.own else self._asks + self._state
        return self._send(message.stanza_id, message_xml(user, contact, message, asks, late), user)

    def typing(self, user: str, contact: str, state: Typing) -> None:
        """A contact is writing (XEP-0085)."""
        self._write(f"{self._head(user, contact)}{chat_state(state)}{NO_STORE}</message>")

    def receipt(self, user: str, contact: str, stanza_id: str) -> None:
        """A message of the user's reached the contact (XEP-0184)."""
        mark = f"<received xmlns='urn:xmpp:receipts' id='{attr(stanza_id)}'/>"
        self._write(f"{self._head(user, contact)}{mark}</message>")

    def displayed(self, user: str, contact: str, stanza_id: str) -> None:
        """The contact has seen the user's messages up to this one (XEP-0333)."""
        mark = f"<displayed xmlns='urn:xmpp:chat-markers:0' id='{attr(stanza_id)}'/>"
        self._write(f"{self._head(user, contact)}{mark}</message>")

    def failed(
        self, resource: str, sender: str, stanza_id: str, reason: Reason, text: str, groupchat: bool = False
    ) -> None:
        """A message that the resource sent to `sender` got nowhere (RFC 6120 §8.3), in a room or a chat."""
        self._write(message_error(sender, resource, stanza_id, reason, text))

    def network_text(self, to: str, network: str, text: str) -> None:
        """A line of the network's, for this client alone: no carbons (XEP-0280 §7), no archive."""
        self._write(f"{self._head(to, network)}<body>{escape.text(text)}</body>{_PRIVATE}</message>")

    def _head(self, user: str, contact: str) -> str:
        addresses = f"from='{jid_attr(contact)}' to='{jid_attr(user)}'"
        return f"<message type='chat' {addresses} id='{attr(self._new_id())}'>"


def message_xml(user: str, contact: str, message: DirectMessage, asks: str, late: int) -> str:
    """A contact's message as XML. `asks` are requests for receipts and the chat state, `late` is when it was
    sent, if not just now.

    The account's own words from elsewhere look like the contact's, since only the user's server could show
    them as sent (XEP-0280): so they say whose they are."""
    quotes = message.content.quoted and not message.content.action
    said = _quoting(message) if quotes else content(message.content)
    if message.own:
        said = said.replace("<body>", "<body>[me] ", 1)
    id_ = attr(message.stanza_id)
    if message.name:
        said += f"<nick xmlns='http://jabber.org/protocol/nick'>{escape.text(message.name)}</nick>"
    if message.reply_to:
        said += reply(user if message.reply_own else contact, message.reply_to)
    return (
        f"<message type='chat' from='{jid_attr(contact)}' to='{jid_attr(user)}' id='{id_}'>{said}"
        f"{extras(message.thread, message.replaces)}"
        f"<origin-id xmlns='urn:xmpp:sid:0' id='{id_}'/>{asks}"
        f"{delay(late, contact) if late else ''}</message>"
    )


def _quoting(message: DirectMessage) -> str:
    """The content below its quote. Clients that show what is answered leave the quote out (XEP-0461 §3.2)."""
    said = message.content
    marked = "".join(f"> {line}\n" for line in escape.legal(said.quoted).split("\n"))
    quote = "[me] " + marked if message.own else marked
    spans = [
        msgspec.structs.replace(each, start=each.start + len(marked), end=each.end + len(marked))
        for each in said.spans
    ]
    both = content(msgspec.structs.replace(said, text=marked + said.text, spans=tuple(spans)))
    if not message.reply_to:
        return both
    part = f"<body start='0' end='{len(quote)}'/>"
    return f"{both}<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'>{part}</fallback>"
