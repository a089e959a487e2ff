"""A network with one contact, who says everything back, and one room, where they live."""

import asyncio

import msgspec

from bridge import api

ECHO, ROOM = api.ContactId("echo"), api.RoomId("#hall")
KNOWN: dict[str, api.Address] = {
    ECHO: api.ContactAddress(api.NetworkId(""), ECHO),
    ROOM: api.RoomAddress(api.NetworkId(""), ROOM),
}


class EchoSession:
    def __init__(self, account: api.Account, host: api.Host) -> None:
        self.nick, self.host = account.nick or "you", host
        self.closing = asyncio.Event()

    async def run(self) -> None:
        self.host.emit(api.Connected(self.nick))
        await self.closing.wait()

    async def close(self, reason: str) -> None:
        self.closing.set()

    async def execute(self, command: api.Command) -> api.Outcome:
        match command:
            case api.JoinRoom(nick=nick):
                people = (api.Occupant(api.OccupantId(nick)), api.Occupant(api.OccupantId(ECHO)))
                self.host.emit(api.RoomJoined(ROOM, people[0].name, people, subject="Anyone there?"))
            case api.LeaveRoom():
                self.host.emit(api.RoomLeft(ROOM, api.Departure.LEFT))
            case api.SendMessage(chat=chat, content=content):
                sender = api.OccupantId(ECHO if isinstance(chat, api.RoomChat) else "")
                answer = api.MessageReceived(chat, sender, api.MessageId(""), content)
                asyncio.get_running_loop().call_soon(self.host.emit, answer)
            case _:
                return api.Refused(api.Reason.UNSUPPORTED, "An echo can't do that.")
        return api.Sent()

    async def query(self, query: api.Query) -> api.Answer:
        raise api.QueryFailed(api.Reason.UNSUPPORTED, "An echo has no answers of its own.")

    def capabilities(self, chat: api.Chat) -> api.Capabilities:
        return api.Capabilities()


class EchoBackend:
    info = api.BackendInfo(
        "echo", "xmpp", "Echo", "Echoes", rooms=True, on_demand=True, contact_prompt=f"{ECHO} or {ROOM}?"
    )

    def parse_address(self, local: str) -> api.Address:
        if local not in KNOWN:
            raise api.BadAddress(f"Only {ECHO} and {ROOM} live here.")
        return KNOWN[local]

    def format_address(self, address: api.Address) -> str:
        return next((local for local, known in KNOWN.items() if known == address), "")

    def contact_from_prompt(self, text: str, settings: object) -> api.Address:
        return self.parse_address(text.strip().lower())

    def display_name(self, address: api.Address) -> str:
        return self.format_address(address) or "Echo"

    def registration(self, network: api.NetworkId, known: object) -> api.Form:
        return api.Form("Echo", "Nothing to fill in.")

    async def check_registration(self, network: object, values: object, resolver: object) -> dict[str, str]:
        return {}

    def open(self, account: api.Account, host: api.Host) -> api.Session:
        return EchoSession(account, host)


class Options(msgspec.Struct, frozen=True):
    """No options."""


def create(options: Options) -> EchoBackend:
    return EchoBackend()
