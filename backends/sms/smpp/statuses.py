"""What an SMSC's command_status means for a text that was submitted (SMPP 3.4 §5.1.3)."""

from __future__ import annotations

from bridge.api import Reason

OK = 0x00
INVALID_LENGTH = 0x02
INVALID_COMMAND = 0x03
NOT_BOUND = 0x04
SYSTEM_ERROR = 0x08
QUEUE_FULL = 0x14
THROTTLED = 0x58
FAILED_FOR_NOW = 0x64
FAILED_FOR_GOOD = 0x65

BUSY = {THROTTLED: 2.0, QUEUE_FULL: 0.1}
"""Too much at once: the same text is taken a moment later. The route is slowed down for it, up to so many
seconds from one text to the next: a full queue may be that of one number only."""

NOT_NOW = frozenset({NOT_BOUND, SYSTEM_ERROR, FAILED_FOR_NOW, 0x102})
"""Trouble of the SMSC's own, or with the bind: tried again after a while. ESME_RSUBMITFAIL (0x45) is not
among them: SMSCs answer it for texts that they will never take."""

WRONG_LOGIN = frozenset({0x0D, 0x0E, 0x0F, 0x53})
"""Answers to a bind which only the admin, or the carrier, can mend."""

_NUMBER = Reason.NOT_FOUND, "The carrier takes no texts for this number: it may not exist."
_KIND = Reason.NOT_FOUND, "The carrier takes no texts for numbers of this kind."
_SOURCE = Reason.FORBIDDEN, "The carrier lets no texts go out from your number."
_LENGTH = Reason.TOO_LONG, "The carrier found the text too long."
_SERVICE = Reason.FORBIDDEN, "The carrier does not allow this to be sent."
_FAILED = Reason.GONE, "The carrier could not take the text."
_FORM = Reason.UNSUPPORTED, "The carrier cannot read what the gateway sends; its admin can mend that."

_REFUSALS: dict[int, tuple[Reason, str]] = {
    0x01: _LENGTH,
    0x02: _FORM,
    0x03: _FORM,
    0x06: _FORM,
    0x07: _FORM,
    0x0A: _SOURCE,
    0x0B: _NUMBER,
    0x15: _FORM,
    0x33: _NUMBER,
    0x40: _FORM,
    0x42: _FORM,
    0x43: _FORM,
    0x45: _FAILED,
    0x48: _SOURCE,
    0x49: _SOURCE,
    0x50: _KIND,
    0x51: _KIND,
    0x53: _FORM,
    0x54: _FORM,
    0x61: _FORM,
    0x62: _FORM,
    0x63: _FORM,
    0x65: _FAILED,
    0x66: _FAILED,
    0xC0: _FORM,
    0xC1: _FORM,
    0xC2: _FORM,
    0xC3: _FORM,
    0xC4: _FORM,
    0xFE: _FAILED,
    # SMPP 5.0 §4.7.6
    0x100: _SERVICE,
    0x101: _SERVICE,
    0x103: _SERVICE,
    0x104: _FORM,
}


def refusal(status: int) -> tuple[Reason, str]:
    """Why a text was refused, for its sender. What carriers mean by numbers of their own (no credit, no
    route, a number that is blocked) differs from one to the next, so the number is told."""
    known = _REFUSALS.get(status)
    if known is None:
        return Reason.FORBIDDEN, f"The carrier refused it (error 0x{status:08X})."
    return known[0], f"{known[1].removesuffix('.')} (error 0x{status:08X})."
