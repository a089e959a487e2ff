"""How one account with a provider is reached, and what it signs with."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

TWILIO = "https://api.twilio.com"

SID = re.compile(r"[A-Za-z0-9-]{10,64}")
"""An account's (SignalWire: a project's) id."""

_SPACE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SIGNALWIRE = ".signalwire.com"


class Access(msgspec.Struct, frozen=True):
    """An account with a provider: `api` is where its REST interface begins, without a slash at the end;
    `token` is the password of it. `signing_key` signs what the provider sends us (empty: the token does)."""

    api: str
    sid: str
    token: str
    signing_key: str = ""

    def __repr__(self) -> str:
        return f"Access({self.api!r}, {self.sid!r})"

    @property
    def key(self) -> str:
        """What requests of the provider are signed with."""
        return self.signing_key or self.token

    @property
    def is_twilio(self) -> bool:
        """Whether it takes what only Twilio itself documents (SignalWire's interface lies below a path)."""
        return not self.api.endswith("/laml")


def own_access(settings: Mapping[str, str], secrets: Mapping[str, str], own_api: str = "") -> Access:
    """The account that a user registered: `settings` has `provider` (`twilio`, `signalwire`), `sid` and, for
    SignalWire, `space`; `secrets` has `token` and may have `signing_key`. `own_api` is there instead of the
    provider (for tests). Raises `ValueError`, whose args are (text for the user, field), for what cannot be.
    """
    provider = settings.get("provider", "twilio")
    if provider not in ("twilio", "signalwire"):
        raise ValueError("Choose a provider: twilio or signalwire.", "provider")
    sid, token = settings.get("sid", "").strip(), secrets.get("token", "").strip()
    if not SID.fullmatch(sid):
        raise ValueError("That is no account SID (SignalWire calls it the project ID).", "sid")
    if not token:
        raise ValueError("The auth token is missing.", "token")
    api = own_api or (TWILIO if provider == "twilio" else _signalwire(settings.get("space", "")))
    return Access(api, sid, token, secrets.get("signing_key", "").strip())


def _signalwire(space: str) -> str:
    name = space.strip().lower().removeprefix("https://").rstrip("/").removesuffix(_SIGNALWIRE)
    if not _SPACE.fullmatch(name):
        raise ValueError("The space is the first part of your address at signalwire.com.", "space")
    return f"https://{name}{_SIGNALWIRE}/api/laml"
