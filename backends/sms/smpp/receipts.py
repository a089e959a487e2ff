"""Knows what a receipt says: of which text of ours, and what became of it (SMPP 3.4 §2.11, §5.2.28, appendix
B). Both the TLVs and the text are read, and neither is trusted to be complete."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from backends.sms.smpp.incoming import Incoming, Tlv
from backends.sms.values import Verdict

Radix = Literal["same", "hex", "decimal"]

_RECEIPT, _INTERMEDIATE = 1, 8
"""The types in esm_class (§5.2.12) that tell of a text of ours. An acknowledgement (2, 4) and an aborted
conversation (6) are what a phone or a person has written."""

_id = re.compile(r"\bid:\s*([^\s,;]+)", re.IGNORECASE).search
_stat = re.compile(r"\bstat(?:us)?:\s*([a-z]+)", re.IGNORECASE).search
_err = re.compile(r"\berr(?:or)?:\s*([0-9a-z]+)", re.IGNORECASE).search
_text = re.compile(r"\btext:", re.IGNORECASE).search
_like_a_receipt = re.compile(
    r"\s*id:\s*\S+.*\b(?:sub|dlvrd|submit date|done date|err):.*\bstat:\s*[a-z]+"
    r"|\s*id:\s*\S+.*\bstat:\s*[a-z]+.*\b(?:err|sub|dlvrd):",
    re.IGNORECASE | re.DOTALL,
).match

_STATES = {
    0: "SCHEDLD",
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
    9: "SKIPPED",
}
_FAILURES = {
    "EXPIRED": "the phone could not be reached in time",
    "DELETED": "the carrier has deleted it",
    "UNDELIV": "the carrier could not deliver it",
    "UNKNOWN": "the carrier does not know what became of it; it may have arrived",
    "REJECTD": "the network has refused it",
    "SKIPPED": "the carrier has not sent it on",
    "FAILED": "the carrier could not deliver it",
}
"""The final states that are no delivery, in words. UNKNOWN is one: nothing more will come, and that it
arrived is not to be pretended. Others (also ACCEPTD, where nobody but the carrier has it) say nothing in the
end."""

# MAP errors (3GPP TS 29.002 §17.5), which many carriers' own numbers follow as far as these go.
_CAUSES = {
    1: "the number does not exist",
    5: "the number does not exist",
    6: "the phone is switched off or out of reach",
    9: "the phone may not use the network",
    13: "the phone does not take such texts (barred)",
    27: "the phone is switched off or out of reach",
    31: "the phone was busy with another text",
}
_GSM = 3
_AS_DELIVERED = "DELIVRD", "DELIVERED"


class Receipt(msgspec.Struct, frozen=True):
    """`id` as `canonical` writes it. `verdict` None: nothing final. `why` says in words why it failed."""

    id: str
    verdict: Verdict | None
    why: str = ""


def is_receipt(incoming: Incoming, text: str, *, unmarked: bool) -> bool:
    """Whether this tells of a text of ours, and is none itself. `unmarked`: the SMSC marks no receipts,
    so what looks like one is one (anybody's phone may then send them)."""
    if incoming.kind in (_RECEIPT, _INTERMEDIATE):
        return True
    named = Tlv.RECEIPTED_ID in incoming.tlvs and Tlv.STATE in incoming.tlvs
    return named or (unmarked and _like_a_receipt(text[:200]) is not None)


def read_receipt(incoming: Incoming, text: str, radix: Radix) -> Receipt | None:
    """What a receipt says; None: not even of which text."""
    ends = _text(text)
    fields = text[: ends.start()] if ends else text
    tagged = incoming.tlvs.get(Tlv.RECEIPTED_ID, b"").split(b"\0")[0].decode("latin-1").strip()
    found = _id(fields)
    if tagged and not (found and tagged.lower() == found[1].lower()):
        named = canonical(tagged, radix)  # written as in the answer, whatever the text has
    elif found:
        named = _number(found[1], 16 if radix == "hex" else 10)
    else:
        return None
    state = _state(incoming, fields)
    if state in _AS_DELIVERED:
        return Receipt(named, Verdict.DELIVERED)
    if state not in _FAILURES:
        return Receipt(named, None)
    return Receipt(named, Verdict.FAILED, _why(incoming, fields, state))


def canonical(answered: str, radix: Radix) -> str:
    """The id of an answer, so that it compares with those of receipts: without the zeros before a number, and
    a hexadecimal number as a decimal one where receipts have those."""
    if radix == "decimal":
        return _number(answered, 16)
    return _number(answered, 10)


def _number(digits: str, base: int) -> str:
    if not digits.isascii() or not digits.isalnum() or len(digits) > 65:
        return digits
    try:
        return str(int(digits, base))
    except ValueError:
        return digits


def _state(incoming: Incoming, fields: str) -> str:
    tagged = incoming.number(Tlv.STATE)
    if tagged in _STATES:
        return _STATES[tagged]
    found = _stat(fields)
    return found[1].upper() if found else ""


def _why(incoming: Incoming, fields: str, state: str) -> str:
    found = _err(fields)
    error = found[1] if found else ""
    network = incoming.tlvs.get(Tlv.NETWORK_ERROR, b"")
    code = -1
    if len(network) == 3 and network[0] == _GSM:
        code = int.from_bytes(network[1:], "big")
        error = error or str(code)
    elif error.isdecimal() and error.isascii():
        code = int(error[:6])
    words = _CAUSES.get(code) if state in ("UNDELIV", "EXPIRED", "REJECTD", "FAILED") else None
    details = f"{state}, error {error}" if error.strip("0") else state
    return f"{words or _FAILURES[state]} ({details})."
