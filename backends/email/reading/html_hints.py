"""Knows what mail programs put into HTML to say what an element is: a signature, the mail that is answered,
something that is not to be seen. Pure.

Gathered from what Gmail, Outlook (desktop, web, mobile), Apple Mail, Thunderbird, Yahoo, Proton, GMX, Zoho
and Roundcube write today."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping

Attributes = Mapping[str, str]


class Hint(enum.Enum):
    """What an element is."""

    NOTHING = enum.auto()
    HIDDEN = enum.auto()
    SIGNATURE = enum.auto()
    QUOTE = enum.auto()
    ATTRIBUTION = enum.auto()
    CITED = enum.auto()


_HIDDEN_TAGS = frozenset(
    "head script style title template noscript svg object iframe select textarea".split()
)
_SIGNATURE_CLASSES = frozenset(
    "gmail_signature moz-signature protonmail_signature_block tutanota_signature apple-mail-signature "
    "ms-outlook-mobile-signature".split()
)
_SIGNATURE_IDS = frozenset("signature ms-outlook-mobile-signature applemailsignature gmail_signature".split())
_QUOTE_CLASSES = frozenset("outlookmessageheader yahoo_quoted zmail_extra tutanota_quote".split())
_QUOTE_IDS = frozenset("divrplyfwdmsg mail-editor-reference-message-container".split())
_ATTRIBUTION_CLASSES = frozenset("gmail_attr moz-cite-prefix".split())
_ATTRIBUTION_IDS = frozenset("reply-intro".split())
_HIDING = re.compile(
    r"display:none|visibility:hidden|mso-hide:all|font-size:0(?:px|pt)?(?:;|$)|max-height:0(?:px|pt)?(?:;|$)"
)
_OUTLOOK_RULE = re.compile(r"^border:none;border-top:solid#?[0-9a-z]+1\.0pt;padding:3\.0pt")
_INDENT = re.compile(r"border:(?:none|0)|border-style:none")


def hint(tag: str, attributes: Attributes) -> Hint:
    """What an element is, by its name and attributes (names and values lower-case, styles without blanks)."""
    classes = set(attributes.get("class", "").split())
    identity = attributes.get("id", "").removeprefix("x_")
    classes |= {name.removeprefix("x_") for name in classes}
    style = attributes.get("style", "").replace(" ", "")
    if tag in _HIDDEN_TAGS or "hidden" in attributes or (style and _HIDING.search(style)):
        return Hint.HIDDEN
    if classes & _SIGNATURE_CLASSES or identity in _SIGNATURE_IDS:
        return Hint.SIGNATURE
    if classes & _QUOTE_CLASSES or identity in _QUOTE_IDS or attributes.get("name") == "quote":
        return Hint.QUOTE
    if _OUTLOOK_RULE.match(style):
        return Hint.QUOTE
    if classes & _ATTRIBUTION_CLASSES or identity in _ATTRIBUTION_IDS:
        return Hint.ATTRIBUTION
    if tag == "blockquote" and not _INDENT.search(style):
        return Hint.CITED
    return Hint.NOTHING
