"""What a provider's error codes mean, in words for the user (Twilio's error dictionary; SignalWire uses the
same numbers)."""

from __future__ import annotations

from bridge.api import Reason

_NUMBER = "That is not a phone number that can be texted."
_LOGIN = "The provider does not take the login of this number's account."
_ACCOUNT = "The provider has suspended this number's account."
_SENDER = "Your number cannot send texts."
_OPTED_OUT = "They have opted out: they must text START to your number before you can text them."
_COUNTRY = "The provider's account may not text that country."
_LONG = "The text is too long: 1,600 characters at most."
_TRIAL = "A trial account can text only the numbers that it has verified."
_MEDIA = "The provider could not get the file."
_EXPIRED = "The text expired: it waited too long to be sent."
_FILTERED = "The carrier took the text for spam or found it against its rules."
_LANDLINE = "That number is a landline, or its carrier cannot be reached."
_UNREGISTERED = "Your number is not registered to send texts to that country."
_LIMIT = "Your number's limit for texts is reached for now."
_BLOCKED = "The text was blocked."

_BAD, _NO, _GONE = Reason.BAD_REQUEST, Reason.FORBIDDEN, Reason.NOT_FOUND
_AUTH, _WAIT = Reason.NOT_AUTHORIZED, Reason.RATE_LIMITED

_MEANINGS: dict[int, tuple[Reason, str]] = {
    10001: (_AUTH, _ACCOUNT),
    20003: (_AUTH, _LOGIN),
    20005: (_AUTH, _ACCOUNT),
    20006: (_AUTH, _LOGIN),
    20404: (_AUTH, "The provider knows no such account."),
    20429: (_WAIT, "The provider takes no more requests for now."),
    21211: (_GONE, _NUMBER),
    21212: (_NO, _SENDER),
    21214: (_GONE, "That number cannot be reached."),
    21217: (_GONE, _NUMBER),
    21219: (_NO, _TRIAL),
    21265: (_NO, "Short codes cannot be texted from your number."),
    21266: (_BAD, "A number cannot text itself."),
    21267: (_NO, "A trial account cannot send under a name."),
    21268: (_NO, "The provider texts no premium or information numbers."),
    21408: (_NO, _COUNTRY),
    21601: (_NO, _SENDER),
    21602: (_BAD, "There is nothing to send."),
    21603: (_NO, _SENDER),
    21604: (_GONE, _NUMBER),
    21605: (Reason.TOO_LONG, _LONG),
    21606: (_NO, _SENDER),
    21607: (_NO, _SENDER),
    21608: (_NO, _TRIAL),
    21609: (Reason.INTERNAL, "The provider does not take the bridge's own address."),
    21610: (_NO, _OPTED_OUT),
    21611: (_WAIT, "Too many texts of your number wait at the provider."),
    21612: (_GONE, "That number cannot be reached from yours."),
    21614: (_GONE, _NUMBER),
    21616: (_NO, _SENDER),
    21617: (Reason.TOO_LONG, _LONG),
    21618: (_BAD, "The provider cannot send this text."),
    21619: (_BAD, "There is nothing to send."),
    21620: (_BAD, _MEDIA),
    21621: (_NO, "Your number cannot send files."),
    21622: (_NO, "The provider's account cannot send files."),
    21623: (_BAD, "So many files cannot be sent at once."),
    21635: (_GONE, "That number is a landline: it cannot be texted."),
    21659: (_NO, _SENDER),
    21660: (_NO, _SENDER),
    21661: (_NO, _SENDER),
    21717: (_NO, _UNREGISTERED),
    30001: (_WAIT, "Too many texts wait to be sent, and this one waited too long."),
    30002: (_AUTH, _ACCOUNT),
    30003: (_GONE, "The phone cannot be reached: it may be off or out of coverage."),
    30004: (_NO, _BLOCKED),
    30005: (_GONE, "The number is unknown or no longer in service."),
    30006: (_GONE, _LANDLINE),
    30007: (_NO, _FILTERED),
    30008: (_GONE, "The carrier did not deliver it, and does not say why."),
    30009: (_GONE, "A part of the text was lost."),
    30010: (_NO, "It would have cost more than the account allows."),
    30011: (_NO, "That number cannot get files."),
    30012: (_BAD, _EXPIRED),
    30013: (_BAD, "The time that the text may wait is too long for the carrier."),
    30017: (_WAIT, "The carrier's network is congested."),
    30018: (_NO, _UNREGISTERED),
    30019: (Reason.TOO_LONG, "It is bigger than the carrier allows."),
    30022: (_WAIT, _LIMIT),
    30023: (_WAIT, "Your number's limit of texts for today is reached."),
    30024: (_NO, "Your number is not set up at the recipient's carrier."),
    30027: (_WAIT, "Your number's limit of texts for today is reached."),
    30032: (_NO, "Your toll-free number was not verified yet."),
    30034: (_NO, _UNREGISTERED),
    30035: (_NO, _UNREGISTERED),
    30036: (Reason.TIMEOUT, _EXPIRED),
}

LATER = frozenset({20429, 21611})
"""Nothing was made, and the same request may be taken a little later."""


def refusal(status: int, code: int, message: str) -> tuple[Reason, str]:
    """Why a request was refused: by its code, else by what the provider says, else by the HTTP status."""
    if code in _MEANINGS:
        return _MEANINGS[code]
    if status in (401, 403):
        return _AUTH, _LOGIN
    what = f"error {code}" if code else f"status {status}"
    return _BAD, f"The provider refused it ({what}): {message}" if message else f"The provider: {what}."


def failure(code: int, canceled: bool = False) -> str:
    """Why a text that was taken did not arrive."""
    if code in _MEANINGS:
        return _MEANINGS[code][1]
    if canceled and not code:
        return "The text was cancelled at the provider."
    return f"It was not delivered: error {code}." if code else "It was not delivered; nothing says why."
