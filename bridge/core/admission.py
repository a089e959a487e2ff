"""Whom the admin lets use a gateway, and how much of it."""

from __future__ import annotations

import fnmatch

from bridge.api import Reason, Refused
from bridge.core.ground import Ground
from bridge.core.live import LiveAccount
from bridge.core.pool import SessionPool


class Admission:
    """The admin's rules of one gateway. Each question is answered by None or by a refusal to show."""

    def __init__(self, ground: Ground, pool: SessionPool) -> None:
        self._settings = ground.settings
        self._needs_registration = ground.settings.registration_required or ground.info.registration_required
        self._pool = pool

    def of_user(self, user: str) -> Refused | None:
        """May this user have anything to do with the gateway?"""
        if any(fnmatch.fnmatchcase(user, pattern) for pattern in self._settings.allowed_users):
            return None
        return Refused(Reason.FORBIDDEN, "This gateway is not open to you.")

    def to_talk(self, user: str) -> Refused | None:
        """May this user do more than register?"""
        if self._needs_registration and not self._pool.is_registered(user):
            return self.of_user(user) or Refused(
                Reason.REGISTRATION_REQUIRED, "Register with this gateway first."
            )
        return self.of_user(user)

    def to_network(self, live: LiveAccount) -> Refused | None:
        """May this account connect?"""
        if not live.wanted and self._pool.too_many(live):
            most = self._settings.networks_per_user
            return Refused(Reason.RATE_LIMITED, f"You may use {most} networks at once.")
        return self.to_talk(live.user)
