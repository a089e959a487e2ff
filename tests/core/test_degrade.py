"""What a network cannot do becomes honest text: one table, and properties over everything."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.api import (
    Attachment,
    Capabilities,
    Command,
    ContactId,
    Content,
    CorrectMessage,
    DirectChat,
    MarkDisplayed,
    MessageId,
    Reason,
    Refused,
    RetractMessage,
    SendMessage,
    SendReceipt,
    SetReactions,
    SetTyping,
    Span,
    Style,
    Support,
    Typing,
)
from bridge.core.degrade import Dropped, Quoted, degrade

CHAT = DirectChat(ContactId("bob"))
ID = MessageId("m1")
FILE = Attachment("https://x.example/cat.png")


def send(text: str = "yes", **more: object) -> SendMessage:
    return SendMessage(CHAT, "k", Content(text, **more))  # type: ignore[arg-type]


REPLY = SendMessage(CHAT, "k", Content("yes"), reply_to=ID)
QUOTING = SendMessage(CHAT, "k", Content("yes", quoted="five?"), reply_to=ID)
REACT = SetReactions(CHAT, ID, ("👍", "🎉"))
CORRECT = CorrectMessage(CHAT, "k", ID, Content("yes"))
RETRACT = RetractMessage(CHAT, ID)
TYPING = SetTyping(CHAT, Typing.COMPOSING)
QUOTED = Quoted("ann", "see you at five")
REFUSED, DROPPED = "refused", "dropped"

TABLE = [
    # feature, command, NATIVE, TEXT, DROP, REFUSE; a string: the text that is sent
    ("reply", REPLY, REPLY, "ann: yes", "yes", REFUSED),
    ("reply", QUOTING, QUOTING, "ann: yes", "yes", REFUSED),
    ("reaction", REACT, REACT, "👍 🎉 to: “see you at five”", DROPPED, REFUSED),
    ("correction", CORRECT, CORRECT, "* yes", DROPPED, REFUSED),
    ("retraction", RETRACT, RETRACT, REFUSED, DROPPED, REFUSED),
    ("attachment", send(attachments=(FILE,)), send(attachments=(FILE,)), f"yes\n{FILE.url}", "yes", REFUSED),
    ("subject", send(subject="Tea"), send(subject="Tea"), "Subject: Tea\nyes", "yes", REFUSED),
    (
        "formatting",
        send(spans=(Span(0, 1, Style.BOLD),)),
        send(spans=(Span(0, 1, Style.BOLD),)),
        *["yes"] * 3,
    ),
    ("receipt", SendReceipt(CHAT, ID), SendReceipt(CHAT, ID), *[DROPPED] * 3),
    ("marker", MarkDisplayed(CHAT, ID), MarkDisplayed(CHAT, ID), *[DROPPED] * 3),
    ("typing", TYPING, TYPING, *[DROPPED] * 3),
]
CASES = [
    pytest.param(feature, level, command, row[number], id=f"{feature}-{level.value}")
    for feature, command, *row in TABLE
    for number, level in enumerate((Support.NATIVE, Support.TEXT, Support.DROP, Support.REFUSE))
]


@pytest.mark.parametrize(("feature", "level", "command", "expected"), CASES)
def test_table(feature: str, level: Support, command: Command, expected: object) -> None:
    quoted = QUOTED if feature in ("reply", "reaction") else Quoted()
    result = degrade(command, msgspec.structs.replace(Capabilities(), **{feature: level}), quoted)
    if expected == REFUSED:
        assert isinstance(result, Refused)
        assert result.reason is Reason.UNSUPPORTED
        assert result.text
    elif expected == DROPPED:
        assert result == Dropped()
    elif isinstance(expected, str):
        assert isinstance(result, SendMessage)
        assert result.content == Content(expected)
    else:
        assert result == expected


BOLD = (Span(1, 3, Style.BOLD),)
SHIFTS: list[tuple[Command, str]] = [
    (SendMessage(CHAT, "k", Content("yes", spans=BOLD), reply_to=ID), "ann: "),
    (CorrectMessage(CHAT, "k", ID, Content("yes", spans=BOLD)), "* "),
    (send(subject="Tea", spans=BOLD), "Subject: Tea\n"),
    (send(attachments=(FILE,), spans=BOLD), ""),
]


@pytest.mark.parametrize(("command", "before"), SHIFTS)
def test_spans_move_with_their_words(command: Command, before: str) -> None:
    quoted = QUOTED if isinstance(command, SendMessage) and command.reply_to else Quoted()
    result = degrade(command, Capabilities(formatting=Support.NATIVE), quoted)
    assert isinstance(result, SendMessage)
    (span,) = result.content.spans
    assert result.content.text[span.start : span.end] == "es"
    assert result.content.text.startswith(before + "yes")


def test_attachments_as_text() -> None:
    other = Attachment("https://x.example/dog.png")
    both = send("", attachments=(FILE, other))
    assert degrade(both, Capabilities(), Quoted()) == send(f"{FILE.url}\n{other.url}")
    named = send(f"look: {FILE.url}", attachments=(FILE,))
    assert degrade(named, Capabilities(), Quoted()) == send(f"look: {FILE.url}")
    assert (
        degrade(send("", attachments=(FILE,)), Capabilities(attachment=Support.DROP), Quoted()) == Dropped()
    )


def test_a_quote_of_something_unknown_needs_a_network_with_replies() -> None:
    quoting = send(quoted="five?")
    assert degrade(quoting, Capabilities(), Quoted()) == send()
    assert degrade(quoting, Capabilities(reply=Support.NATIVE), Quoted()) == quoting


def test_taking_reactions_back_is_not_announced() -> None:
    assert degrade(SetReactions(CHAT, ID, ()), Capabilities(), QUOTED) == Dropped()


@pytest.mark.parametrize(
    ("quoted", "text"),
    [
        (Quoted("ann", ""), "ann: 👍"),
        (Quoted("ann", " \n "), "ann: 👍"),
        (Quoted("ann", "a\nb"), "👍 to: “a b”"),
        (Quoted("ann", "x" * 80), f"👍 to: “{'x' * 59}…”"),
    ],
)
def test_what_a_reaction_is_about(quoted: Quoted, text: str) -> None:
    result = degrade(SetReactions(CHAT, ID, ("👍",)), Capabilities(), quoted)
    assert isinstance(result, SendMessage)
    assert result.content.text == text


def test_a_reaction_to_nothing_known_is_no_bare_emoji() -> None:
    result = degrade(SetReactions(CHAT, ID, ("👍",)), Capabilities(), Quoted())
    assert isinstance(result, Refused)
    assert result.reason is Reason.NOT_FOUND


def test_too_long_by_bytes() -> None:
    can = Capabilities(max_body=8)
    assert isinstance(degrade(send("é" * 4), can, Quoted()), SendMessage)
    refused = degrade(send("é" * 4 + "x"), can, Quoted())
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.TOO_LONG
    assert isinstance(degrade(send("x" * 10_000), Capabilities(max_body=0), Quoted()), SendMessage)


SUPPORT = st.sampled_from(Support)
CONTENTS = st.builds(
    Content,
    text=st.text(max_size=40),
    spans=st.lists(
        st.builds(Span, st.integers(0, 40), st.integers(0, 40), st.sampled_from(Style)), max_size=3
    ).map(tuple),
    attachments=st.lists(st.builds(Attachment, st.text(max_size=20)), max_size=3).map(tuple),
    action=st.booleans(),
    subject=st.none() | st.text(max_size=20),
)
COMMANDS = st.one_of(
    st.builds(SendMessage, st.just(CHAT), st.just("k"), CONTENTS, reply_to=st.none() | st.just(ID)),
    st.builds(CorrectMessage, st.just(CHAT), st.just("k"), st.just(ID), CONTENTS),
    st.builds(SetReactions, st.just(CHAT), st.just(ID), st.lists(st.text(max_size=3), max_size=3).map(tuple)),
    st.sampled_from([RETRACT, TYPING, SendReceipt(CHAT, ID), MarkDisplayed(CHAT, ID)]),
)
FEATURES = ("reply", "reaction", "correction", "retraction", "receipt", "marker", "typing")
CAPABILITIES = st.builds(
    Capabilities,
    **dict.fromkeys((*FEATURES, "attachment", "formatting", "subject"), SUPPORT),
    max_body=st.sampled_from([0, 20, 65536]),
)


@settings(max_examples=300, deadline=None)
@given(COMMANDS, CAPABILITIES, st.builds(Quoted, st.text(max_size=9), st.text(max_size=90)))
def test_always_something_that_the_network_can(command: Command, can: Capabilities, quoted: Quoted) -> None:
    result = degrade(command, can, quoted)
    assert isinstance(result, Command | Dropped | Refused)
    if isinstance(result, SendMessage):
        content = result.content
        assert not content.spans or can.formatting is Support.NATIVE
        assert not content.attachments or can.attachment is Support.NATIVE
        assert content.subject is None or can.subject is Support.NATIVE
        assert result.reply_to is None or can.reply is Support.NATIVE
        again = degrade(result, can, Quoted())
        assert again == result or isinstance(again, Refused)
    native = ("receipt", SendReceipt), ("marker", MarkDisplayed), ("typing", SetTyping)
    for feature, kind in (*native, ("correction", CorrectMessage), ("reaction", SetReactions)):
        assert not isinstance(result, kind) or getattr(can, feature) is Support.NATIVE
