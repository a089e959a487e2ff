"""What a network cannot do, as honest text: one pure function over a command and the chat's capabilities.

| feature | NATIVE | TEXT | DROP | REFUSE |
| --- | --- | --- | --- | --- |
| reply | as it is | `name: text` | the text alone | refused |
| reaction | as it is | `👍 to: “quoted”`; taking one back is dropped | dropped | refused |
| correction | as it is | `* text` | dropped | refused |
| retraction | as it is | - | dropped | refused |
| attachment | as it is | the URL in the text | the text alone | refused |
| formatting | as it is | the plain text | the plain text | the plain text |
| subject | as it is | `Subject: …` in front | the text alone | refused |
| receipt, marker, typing | as it is | dropped | dropped | dropped |

A reaction as text to a message that nothing is known of is refused: a bare emoji would be about anything.
"""

from __future__ import annotations

import msgspec

from bridge.api import (
    Capabilities,
    Command,
    Content,
    CorrectMessage,
    MarkDisplayed,
    Reason,
    Refused,
    RetractMessage,
    SendMessage,
    SendReceipt,
    SetReactions,
    SetTyping,
    Support,
)

QUOTE_LENGTH = 60

UNKNOWN_TARGET = "This network has no reactions, and the message that this is about is not known here."


class Quoted(msgspec.Struct, frozen=True):
    """What is known of a message that another refers to. Empty strings where it is not."""

    name: str = ""
    text: str = ""


NOTHING_QUOTED = Quoted()


class Dropped(msgspec.Struct, frozen=True):
    """Nothing is to be sent, and nobody misses it."""


def degrade(command: Command, can: Capabilities, quoted: Quoted) -> Command | Dropped | Refused:
    """The command that says the same within what the chat can carry."""
    if type(command) is SendMessage:
        said = command.content
        rich = said.spans or said.attachments or said.subject is not None or said.quoted
        refers = quoted.name or command.reply_to is not None
        if not rich and not refers and len(said.text) * 4 <= can.max_body:
            return command  # hot, and nothing that any network could lack
        return _message(command, can, quoted)
    if type(command) is CorrectMessage:
        return _correction(command, can, quoted)
    if type(command) is SetReactions:
        return _reactions(command, can, quoted)
    if type(command) is RetractMessage:
        return _silent_or_refused(command, can.retraction, "Messages cannot be taken back on this network.")
    if type(command) is SendReceipt:
        return command if can.receipt is Support.NATIVE else Dropped()
    if type(command) is MarkDisplayed:
        return command if can.marker is Support.NATIVE else Dropped()
    if type(command) is SetTyping:
        return command if can.typing is Support.NATIVE else Dropped()
    return command


def _silent_or_refused(command: Command, support: Support, text: str) -> Command | Dropped | Refused:
    if support is Support.NATIVE:
        return command
    if support is Support.DROP:
        return Dropped()
    return Refused(Reason.UNSUPPORTED, text)


def _message(command: SendMessage, can: Capabilities, quoted: Quoted) -> Command | Dropped | Refused:
    content = said = command.content
    if said.spans or said.attachments or said.subject is not None:
        found = _content(said, can)
        if isinstance(found, Refused):
            return found
        content = found
        if content is not said and not (content.text or content.subject or content.attachments):
            return Dropped()
    if can.max_body and len(content.text) * 4 > can.max_body and len(content.text.encode()) > can.max_body:
        return Refused(Reason.TOO_LONG, f"A message may have at most {can.max_body} bytes here.")
    if content.quoted and can.reply is not Support.NATIVE:
        content = msgspec.structs.replace(content, quoted="")
    if (command.reply_to is not None or quoted.name) and can.reply is not Support.NATIVE:
        if can.reply is Support.REFUSE:
            return Refused(Reason.UNSUPPORTED, "Replies are not possible on this network.")
        if can.reply is Support.TEXT and quoted.name:
            content = _with_text(content, f"{quoted.name}: {content.text}", len(quoted.name) + 2)
        return msgspec.structs.replace(command, content=content, reply_to=None)
    return command if content is said else msgspec.structs.replace(command, content=content)


def _correction(command: CorrectMessage, can: Capabilities, quoted: Quoted) -> Command | Dropped | Refused:
    if can.correction is not Support.TEXT:
        return _silent_or_refused(command, can.correction, "Messages cannot be corrected on this network.")
    corrected = _with_text(command.content, f"* {command.content.text}", 2)
    again = SendMessage(command.chat, command.key, corrected, said_at=command.said_at)
    return _message(again, can, NOTHING_QUOTED)


def _reactions(command: SetReactions, can: Capabilities, quoted: Quoted) -> Command | Dropped | Refused:
    if can.reaction is not Support.TEXT:
        return _silent_or_refused(command, can.reaction, "Reactions are not possible on this network.")
    if not command.reactions:
        return Dropped()
    if not (quoted.text or quoted.name):
        return Refused(Reason.NOT_FOUND, UNKNOWN_TARGET)
    text = " ".join(command.reactions)
    about = _shortened(quoted.text)
    if about:
        text = f"{text} to: “{about}”"
    elif quoted.name:
        text = f"{quoted.name}: {text}"
    return SendMessage(chat=command.chat, key="", content=Content(text=text))


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= QUOTE_LENGTH else line[: QUOTE_LENGTH - 1].rstrip() + "…"


def _content(content: Content, can: Capabilities) -> Content | Refused:
    if content.subject is not None and can.subject is not Support.NATIVE:
        if can.subject is Support.REFUSE:
            return Refused(Reason.UNSUPPORTED, "Messages have no subject on this network.")
        if can.subject is Support.TEXT and content.subject:
            line = f"Subject: {content.subject}\n"
            content = _with_text(content, line + content.text, len(line))
        content = msgspec.structs.replace(content, subject=None)
    if content.attachments and can.attachment is not Support.NATIVE:
        if can.attachment is Support.REFUSE:
            return Refused(Reason.UNSUPPORTED, "Files cannot be sent on this network.")
        if can.attachment is Support.TEXT:
            urls = [a.url for a in content.attachments if a.url not in content.text]
            content = _with_text(content, "\n".join([content.text, *urls] if content.text else urls), 0)
        content = msgspec.structs.replace(content, attachments=())
    if content.spans and can.formatting is not Support.NATIVE:
        content = msgspec.structs.replace(content, spans=())
    return content


def _with_text(content: Content, text: str, shift: int) -> Content:
    spans = tuple(
        msgspec.structs.replace(span, start=span.start + shift, end=span.end + shift)
        for span in content.spans
    )
    return msgspec.structs.replace(content, text=text, spans=spans)
