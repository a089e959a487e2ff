"""Knows a made-up network of numbers: `+15` is somebody, `5` is the same to who registered `country=1`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bridge.api import (
    Address,
    Answer,
    AskPing,
    AskProfile,
    AskVersion,
    BadAddress,
    ContactAddress,
    ContactId,
    Field,
    Form,
    NetworkAddress,
    NetworkId,
    Query,
    QueryFailed,
    Reason,
)
from tests.xmpp_rooms.village import FEATURES, INFO, Village, VillageSession

NOWHERE = NetworkId("")
SHORT = "That number is too short."


class Phones(Village):
    """The backend. `asked` has what it was asked to normalise."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.info = msgspec.structs.replace(
            INFO, rooms=False, category="gateway", contact_prompt="Which number?", contact_features=FEATURES
        )

    def parse_address(self, local: str) -> Address:
        if not local.removeprefix("+").isdecimal():
            raise BadAddress(f"{local} is no number")
        return ContactAddress(NOWHERE, ContactId(local))

    def format_address(self, address: Address) -> str:
        return "" if isinstance(address, NetworkAddress) else str(address.contact)  # type: ignore[union-attr]

    def contact_from_prompt(self, text: str, settings: Mapping[str, str]) -> Address:
        address = self.parse_address(text.replace(" ", ""))
        assert isinstance(address, ContactAddress)
        return self.normalise(address, settings)

    def normalise(self, address: ContactAddress, settings: Mapping[str, str]) -> ContactAddress:
        number = address.contact
        self.asked.append(number)
        if number.startswith("+"):
            return address
        if len(number) < 4:
            raise BadAddress(SHORT)
        if not settings.get("country"):
            raise BadAddress("Say which country: +1 and so on.")
        return ContactAddress(NOWHERE, ContactId(f"+{settings['country']}{number}"))

    def registration(self, network: NetworkId, known: Mapping[str, str]) -> Form:
        return Form("Register", "", (Field("country", "Country", default=known.get("country", "")),))

    def open(self, account: object, host: object) -> Phone:  # type: ignore[override]
        session = Phone(self, account, host)  # type: ignore[arg-type]
        self.sessions[session.user] = session
        return session


class Phone(VillageSession):
    """One account. Everybody answers, and says who was asked."""

    def __init__(self, village: Village, account: object, host: object) -> None:
        super().__init__(village, account, host)  # type: ignore[arg-type]
        self.user: str = account.user  # type: ignore[attr-defined]

    async def query(self, query: Query) -> Answer:
        if isinstance(query, AskPing | AskVersion | AskProfile):
            return Answer({"name": f"The phone {query.contact}"})
        raise QueryFailed(Reason.UNSUPPORTED, "Nobody knows.")
