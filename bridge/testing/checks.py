"""What the conformance suite looks at in single values: addresses, forms, claims."""

from __future__ import annotations

import random
import string
from collections.abc import Mapping
from typing import cast

from bridge.api import (
    Address,
    Backend,
    BadAddress,
    Capabilities,
    Command,
    ContactAddress,
    CorrectMessage,
    FieldKind,
    Form,
    MarkDisplayed,
    NetworkId,
    NormalisingBackend,
    Reason,
    Refused,
    RetractMessage,
    RoomChat,
    SendReceipt,
    ServingBackend,
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


Settings = Mapping[str, str]

NOTHING: Settings = {}
"""The settings of somebody who has not registered."""


def check_junk(backend: Backend, local: str, settings: Settings = NOTHING) -> None:
    """Whatever somebody types is a good address, which then survives the round trip, or `BadAddress`."""
    try:
        address = backend.parse_address(local)
    except BadAddress:
        pass
    else:
        again = backend.parse_address(backend.format_address(address))
        require(again == address, f"{local!r} is {address}, but formatted and parsed again {again}")
        check_own(backend, address, settings)
    try:
        prompted = backend.contact_from_prompt(local, settings)
    except BadAddress:
        return
    require(
        backend.format_address(prompted), f"{local!r} in the prompt gives an address that has no local part"
    )
    meant = _meant(backend, prompted, NOTHING)
    require(meant == prompted, f"{local!r} in the prompt gives {prompted}, which is {meant} to others")


def check_own(backend: Backend, address: Address, settings: Settings) -> None:
    """What a user means by an address of theirs is a contact's own address, the same for everybody, and has
    a JID; or it is `BadAddress`, with a text."""
    for known in (settings, NOTHING):
        try:
            meant = _meant(backend, address, known)
        except BadAddress as error:
            require(str(error), f"BadAddress for {address} has no text")
            continue
        require(
            type(meant) is type(address) and meant.network == address.network,
            f"{address} is normalised to {meant}, which is something else or elsewhere",
        )
        try:
            for reader in (known, NOTHING):
                again = _meant(backend, meant, reader)
                require(again == meant, f"{address} is normalised to {meant}, and that to {again}")
            again = backend.parse_address(backend.format_address(meant))
            require(again == meant, f"{meant} is {again} when it is formatted and parsed")
        except BadAddress as error:
            raise NotConforming(f"{address} is normalised to {meant}, which is none: {error}") from error


def _meant(backend: Backend, address: Address, settings: Settings) -> Address:
    """What it is for somebody with these settings; the same, where there is but one way to write it."""
    if not hasattr(backend, "normalise") or not isinstance(address, ContactAddress):
        return address
    return cast("NormalisingBackend", backend).normalise(address, settings)


def check_claims(backend: ServingBackend, network: NetworkId, settings: Settings) -> None:
    """Names, each once, and the same whenever it is asked."""
    claims = backend.claims(network, settings)
    require(isinstance(claims, tuple), f"claims() returned {claims!r}, which is no tuple")
    require(all(claims), f"an empty claim: {claims!r}")
    require(len(claims) == len(set(claims)), f"a claim is there twice: {claims!r}")
    require(claims == backend.claims(network, dict(settings)), "claims() does not always say the same")


def check_admins_fields(backend: Backend, network: NetworkId, settings: Settings) -> None:
    """Which fields are the admin's does not depend on what is registered."""
    theirs = [
        {field.name for field in backend.registration(network, known).fields if field.admin}
        for known in (NOTHING, settings)
    ]
    require(theirs[0] == theirs[1], f"the admin's fields are now {theirs[0]}, now {theirs[1]}")


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
