"""Knows entity capabilities (XEP-0115): one verification string per kind of address, and its meaning."""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict

from bridge.api import Capabilities
from bridge.xmpp.escape import attr
from bridge.xmpp.features import NS, Description, Features, Identity, Kind

__all__ = ["Caps", "verification"]

_KNOWN = 256


def verification(description: Description) -> str:
    """The `ver` of a description: SHA-1 over its canonical form, in Base64 (XEP-0115 §5.1)."""
    parts = [_identity(one) for one in sorted(description.identities)]
    parts += [_safe(feature) for feature in sorted(set(description.features))]
    for form in sorted(description.forms, key=lambda one: one.form_type):
        parts.append(_safe(form.form_type))
        for name, values in sorted(form.fields):
            parts.append(_safe(name))
            parts += sorted(_safe(value) for value in values)
    canonical = "".join(part + "<" for part in parts)
    return base64.b64encode(hashlib.sha1(canonical.encode(), usedforsecurity=False).digest()).decode()


def _identity(identity: Identity) -> str:
    return "/".join(_safe(part) for part in (identity.category, identity.type, identity.lang, identity.name))


def _safe(value: str) -> str:
    # the canonical form's own separator must not come from a value
    return value.replace("<", "&lt;")


class Caps:
    """The capabilities of one gateway's addresses: what presences carry, and the answer when a client asks.

    What is hashed has no names in it, so that all contacts share one string and clients ask once."""

    def __init__(self, features: Features, node: str) -> None:
        self.node = node
        self._features = features
        self._vers = {kind: verification(features.describe(kind)) for kind in Kind}
        self._kinds = {ver: kind for kind, ver in self._vers.items()}
        self._known: OrderedDict[str, Description] = OrderedDict()

    def for_kind(self, kind: str, capabilities: Capabilities | None = None) -> str:
        """The `ver` for presences from an address of this kind (a `Kind` or its value, else ValueError)."""
        if capabilities is None:
            return self._vers[Kind(kind)]
        return self._ver(Kind(kind), capabilities)

    def element(self, kind: str, capabilities: Capabilities | None = None) -> str:
        """The whole `<c/>` for presences from an address of this kind."""
        ver = self.for_kind(kind, capabilities)
        return f"<c xmlns='{NS.CAPS}' hash='sha-1' node='{attr(self.node)}' ver='{attr(ver)}'/>"

    def described(self, node: str) -> Description | None:
        """What a `node#ver` of ours stands for; None for a node that is not one of ours."""
        name, _, ver = node.partition("#")
        if name != self.node:
            return None
        kind = self._kinds.get(ver)
        return self._features.describe(kind) if kind is not None else self._known.get(ver)

    def _ver(self, kind: Kind, capabilities: Capabilities) -> str:
        description = self._features.describe(kind, capabilities=capabilities)
        ver = verification(description)
        self._known[ver] = description
        self._known.move_to_end(ver)
        while len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        return ver
