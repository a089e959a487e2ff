"""What the conformance suite looks at in single values: addresses, forms, claims."""

from __future__ import annotations

import random
import string

from bridge.api import (
    Backend,
    BadAddress,
    Capabilities,
    Command,
    CorrectMessage,
    FieldKind,
    Form,
    MarkDisplayed,
    Reason,
    Refused,
    RetractMessage,
    RoomChat,
    SendReceipt,
    Session,
    SetReactions,
    SetTyping,
    Support,
)


class NotConforming(AssertionError):
    """The backend breaks the contract of `bridge.api.backend`."""


def require(fact: object, otherwise: str) -> None:
    """Raise NotConforming unless it is so."""
    if not fact:
        raise NotConforming(otherwise)


def junk(count: int = 500) -> list[str]:
    """Local parts that somebody might type, the same ones each time."""
    source = random.Random(1)
    letters = string.ascii_lowercase + string.digits + "%#&!+@.:/\\\"'<>*$~^ \t-_[]{}äßж語😀\u202e"
    fixed = ["", "%", "%%", "#", "#%", "%#", "@", "a" * 1023, "%" * 500, "a%", "%a", "\\20", ".", "..", "😀"]
    return fixed + ["".join(source.choices(letters, k=source.randint(1, 40))) for _ in range(count)]


def check_junk(backend: Backend, local: str) -> None:
    """Whatever somebody types is a good address, which then survives the round trip, or `BadAddress`."""
    try:
        address = backend.parse_address(local)
    except BadAddress:
        pass
    else:
        again = backend.parse_address(backend.format_address(address))
        require(again == address, f"{local!r} is {address}, but formatted and parsed again {again}")
    try:
        prompted = backend.contact_from_prompt(local, {})
    except BadAddress:
        return
    require(
        backend.format_address(prompted), f"{local!r} in the prompt gives an address that has no local part"
    )


def check_form(form: Form) -> None:
    """Unique names, labels, secrets marked as such and never filled in."""
    names = [field.name for field in form.fields]
    require(form.title, "the form has no title")
    require(len(names) == len(set(names)), f"a field is there twice: {names}")
    for field in form.fields:
        require(field.name and field.label, f"a field without name or label: {field}")
        marked = field.kind is FieldKind.SECRET
        require(marked or "password" not in field.name, f"{field.name!r} is not marked as a secret")
        require(not (marked and field.default), f"the secret {field.name!r} is filled in")
        require(
            bool(field.choices) == (field.kind is FieldKind.CHOICE),
            f"{field.name!r}: choices and kind disagree",
        )


_FEATURES: dict[type, str] = {
    CorrectMessage: "correction",
    RetractMessage: "retraction",
    SetReactions: "reaction",
    SendReceipt: "receipt",
    MarkDisplayed: "marker",
    SetTyping: "typing",
}


def check_claim(session: Session, command: Command, outcome: object) -> None:
    """A feature that is claimed to be there is not refused as unsupported."""
    feature = _FEATURES.get(type(command))
    chat = getattr(command, "chat", None)
    if feature is None or chat is None:
        return
    can = session.capabilities(chat)
    require(isinstance(can, Capabilities), f"capabilities() returned {can!r}")
    unsupported = isinstance(outcome, Refused) and outcome.reason is Reason.UNSUPPORTED
    native = getattr(can, feature) is Support.NATIVE
    where = "a room" if isinstance(chat, RoomChat) else "a direct chat"
    require(not (native and unsupported), f"{feature} in {where} is claimed, but refused as unsupported")
