"""Knows how it stands with the link of a route, in words: for the log once, for users, and for whoever
asks."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)

_NOT_YET = "The gateway is not connected to the carrier yet."
_GONE = "The carrier cannot be reached now."
_LOCKED_OUT = "The carrier does not let the gateway in; the gateway's admin can mend that."
LEAVING = "The gateway is being restarted."


class Standing:
    """`text` is for the admin and names the host; `why_down` is for users, empty while the link is up. The
    same trouble is logged once until the link is up again."""

    def __init__(self, route: str, host: str, port: int) -> None:
        self.why_down = _NOT_YET
        self.text = "not connected yet"
        self.wrong_login = False
        self._route = route
        self._where = f"{host}, port {port}"
        self._logged: set[str] = set()

    def up(self) -> None:
        """Bound."""
        self.why_down, self.wrong_login = "", False
        self.text = f"connected to {self._where}"
        self._logged.clear()
        log.info("route %s: %s", self._route, self.text)

    def failed(self, why: str, *, wrong_login: bool = False) -> None:
        """There is no link (any more)."""
        self.wrong_login = wrong_login
        self.why_down = _LOCKED_OUT if wrong_login else _GONE
        self.text = f"not connected: {self._where}: {why}"
        if why not in self._logged:
            self._logged.add(why)
            log.log(logging.ERROR if wrong_login else logging.WARNING, "route %s: %s", self._route, self.text)

    def left(self) -> None:
        """The gateway has ended it."""
        self.why_down = LEAVING
        self.text = "not connected: the gateway stops"
