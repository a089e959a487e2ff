"""Knows which numbers an account texts from: those that the configuration gives to its user, those that the
admin assigned to it, and that of the user's own account with a provider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from backends.sms.options import Options
from backends.sms.values import OWN_ROUTE, OwnNumber
from bridge.api import Account

ASSIGNED, CONFIGURED = "numbers", "configured"
"""The settings that hold numbers: a line each, `NUMBER ROUTE`."""


class NoSuchRoute(ValueError):
    """A line names a route that there is not, or none where there are several."""


class Numbers:
    """The numbers of all accounts of one gateway, by its configuration and their settings."""

    def __init__(self, options: Options) -> None:
        self._routes = tuple(options.routes)
        self._configured: dict[str, tuple[OwnNumber, ...]] = {}
        self._user_of = {number: of.user.lower() for number, of in options.numbers.items()}
        for number, user in self._user_of.items():
            own = OwnNumber(number, options.numbers[number].route or self._only_route())
            self._configured[user] = (*self._configured.get(user, ()), own)

    @property
    def configured(self) -> Mapping[str, tuple[OwnNumber, ...]]:
        """What the configuration gives to each user (bare JID)."""
        return self._configured

    def of(self, account: Account) -> tuple[OwnNumber, ...]:
        """All numbers of an account, the one to text from by default first."""
        settings, user = account.settings, account.user
        own = settings.get("number", "") if settings.get("provider") else ""
        others = [
            *(each for each in read(settings.get(ASSIGNED, "")) if each.route in self._routes),
            *([OwnNumber(own, OWN_ROUTE)] if own else []),
        ]
        unique = dict.fromkeys([*self._configured.get(user, ()), *self._may_have(user, others)])
        first = settings.get("default", "")
        return tuple(sorted(unique, key=lambda each: each.number != first))

    def is_configured(self, number: str) -> bool:
        """Whether the configuration says whose it is: then nobody else says so."""
        return number in self._user_of

    def mended(self, account: Account) -> Mapping[str, str]:
        """The settings that the configuration has made wrong since they were stored, as they are to be."""
        right = {
            CONFIGURED: write(self._configured.get(account.user, ())),
            ASSIGNED: write(self._may_have(account.user, read(account.settings.get(ASSIGNED, "")))),
        }
        return {name: value for name, value in right.items() if account.settings.get(name, "") != value}

    def _may_have(self, user: str, numbers: Iterable[OwnNumber]) -> list[OwnNumber]:
        return [each for each in numbers if self._user_of.get(each.number, user) == user]

    def holds(self, account: Account, number: str, route: str) -> bool:
        """Whether texts for a number that come by a route are this account's."""
        return OwnNumber(number, route) in self.of(account)

    def from_lines(self, lines: str) -> tuple[OwnNumber, ...]:
        """What an admin typed: `+15551234567`, or with the route behind it. Raises NoSuchRoute."""
        found = []
        for line in filter(None, map(str.strip, lines.split("\n"))):
            number, _, route = line.partition(" ")
            route = route.strip() or self._only_route()
            if route not in self._routes:
                raise NoSuchRoute(f"{line}: there is no route {route!r}, but: {', '.join(self._routes)}")
            found.append(OwnNumber(number, route))
        return tuple(found)

    def _only_route(self) -> str:
        if len(self._routes) == 1:
            return self._routes[0]
        raise NoSuchRoute(f"say by which route, behind the number: {', '.join(self._routes) or '(none)'}")


def read(lines: str) -> tuple[OwnNumber, ...]:
    """Numbers as they are kept in the settings."""
    pairs = (line.partition(" ") for line in lines.split("\n") if line)
    return tuple(OwnNumber(number, route) for number, _, route in pairs)


def write(numbers: Iterable[OwnNumber]) -> str:
    """Numbers as they are kept in the settings."""
    return "\n".join(f"{each.number} {each.route}" for each in numbers)
