"""What a backend asks of a user who registers: one form, shown as XEP-0077 fields, as a data form, as an
ad-hoc command and as a chat dialogue alike."""

from __future__ import annotations

import enum

import msgspec


class FieldKind(enum.Enum):
    """How a field is entered and kept."""

    TEXT = "text"
    SECRET = "secret"
    """Encrypted at rest, never logged, never shown again."""
    FLAG = "flag"
    LINES = "lines"
    CHOICE = "choice"


class Field(msgspec.Struct, frozen=True):
    """One entry of a form. `name` uses XEP-0077 §14.1's names where one fits (`nick`, `username`, `password`,
    `email`, ...). `choices` are (value, label) pairs for CHOICE. FLAG values are `"true"`/`"false"`, LINES
    are separated by `\\n`. `guarded`: it says to whom the form's secrets are given, so who changes it enters
    them again: a stored one is not sent elsewhere. `admin`: only an admin fills it in, or the backend itself
    (`GatewayHost.enrol`): users' own forms do not have it, and it stays as it is when they register;
    `Backend.check_registration` gets it with the rest."""

    name: str
    label: str
    kind: FieldKind = FieldKind.TEXT
    required: bool = False
    default: str = ""
    help: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    guarded: bool = False
    admin: bool = False


class Form(msgspec.Struct, frozen=True):
    """A registration form. An empty `fields` means: nothing to ask, registering is a yes."""

    title: str
    instructions: str
    fields: tuple[Field, ...] = ()
