"""The backend that the documentation shows conforms to the contract; the suite finds one that does not."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from bridge import api
from bridge.testing import FakeHost, Scenario
from bridge.testing.checks import (
    NotConforming,
    check_admins_fields,
    check_claim,
    check_claims,
    check_form,
    check_junk,
    check_own,
)
from bridge.testing.conformance import BackendConformance

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "echo_backend.py"


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("echo_backend", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["echo_backend"] = module
    spec.loader.exec_module(module)
    return module


echo = _loaded()
ROOM = api.RoomChat(echo.ROOM)
FRIEND = api.DirectChat(echo.ECHO)


class EchoScenario(Scenario):
    addresses = tuple(echo.KNOWN.values())
    bad_addresses = ("", "nobody", "echo@echo")
    room = echo.ROOM
    commands = (
        api.SendMessage(ROOM, "1", api.Content("hello")),
        api.SendMessage(FRIEND, "2", api.Content("two\nlines")),
        api.SetSubject(echo.ROOM, "new"),
        api.SetReactions(ROOM, api.MessageId("x"), ("👍",)),
        api.LeaveRoom(echo.ROOM),
    )
    queries = (api.AskPing(echo.ECHO), api.AskRooms())

    def backend(self) -> api.Backend:
        return echo.create(echo.Options())


class TestEchoBackend(BackendConformance):
    scenario_class = EchoScenario


async def test_the_echo_answers() -> None:
    host = FakeHost()
    session = echo.create(echo.Options()).open(host.account, host)
    said = api.Content("anyone?")
    assert await session.execute(api.SendMessage(FRIEND, "1", said)) == api.Sent()
    answer = await host.wait(api.MessageReceived)
    assert answer.content == said


def test_the_example_is_as_short_as_the_page_says() -> None:
    code = [line for line in EXAMPLE.read_text().splitlines() if line.strip()]
    assert len(code) <= 60
    page = (EXAMPLE.parents[1] / "write-a-backend.md").read_text()
    assert "Sixty lines of code" in page


def test_the_example_has_an_answer_to_its_own_question() -> None:
    backend = echo.create(echo.Options())
    for typed in (" Echo ", "#hall"):
        assert typed.strip().lower() in backend.info.contact_prompt
        assert backend.contact_from_prompt(typed, {}) in echo.KNOWN.values()


# -- the suite bites


class Rude(echo.EchoSession):
    """Breaks every promise of a session, one at a time."""

    fault = ""

    async def run(self) -> None:
        if self.fault == "early event":
            self.host.emit(api.NameChanged("early"))
        if self.fault == "no connect":
            return
        try:
            await super().run()
            if self.fault == "never ends":
                await echo.asyncio.Event().wait()
            if self.fault == "close raises":
                raise api.ConnectionLost("gone")
        except echo.asyncio.CancelledError:
            if self.fault != "swallows cancel":
                raise
            await super().run()

    async def execute(self, command: api.Command) -> api.Outcome:
        if self.fault == "no outcome":
            return None
        if self.fault == "silent join" and isinstance(command, api.JoinRoom):
            self.host.emit(api.RoomJoined(echo.ROOM, api.OccupantId("me"), ()))
            return api.Sent()
        return await super().execute(command)

    def capabilities(self, chat: api.Chat) -> api.Capabilities:
        native = api.Support.NATIVE if self.fault == "false claim" else api.Support.TEXT
        return api.Capabilities(reaction=native)


class RudeBackend(echo.EchoBackend):
    def open(self, account: api.Account, host: api.Host) -> api.Session:
        return Rude(account, host)


class RudeScenario(EchoScenario):
    def backend(self) -> api.Backend:
        return RudeBackend()


class Suite(BackendConformance):
    __test__ = False
    scenario_class = RudeScenario


@pytest.mark.parametrize(
    ("fault", "check", "found"),
    [
        ("early event", "test_connected_comes_first", "emitted before Connected"),
        ("no connect", "test_connected_comes_first", "returned before it emitted Connected"),
        ("never ends", "test_close_ends_run_soon", "went on for 2.0 s after close"),
        ("close raises", "test_close_ends_run_soon", "raised after close"),
        ("swallows cancel", "test_run_can_be_cancelled_at_any_step", "did not end when it was cancelled"),
        ("no outcome", "test_every_command_ends_in_an_outcome", "which is no outcome"),
        ("silent join", "test_a_room_can_be_joined", "not among the occupants"),
        ("false claim", "test_every_command_ends_in_an_outcome", "is claimed, but refused"),
    ],
)
async def test_a_breach_of_the_session_contract_is_found(
    fault: str, check: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Rude, "fault", fault)
    with pytest.raises(NotConforming, match=found):
        await getattr(Suite(), check)()


def test_an_address_that_changes_on_the_way_is_found() -> None:
    class Shouting(echo.EchoBackend):
        def parse_address(self, local: str) -> api.Address:
            return api.ContactAddress(api.NetworkId(""), api.ContactId(local.upper()))

        def format_address(self, address: api.Address) -> str:
            return f"{address.contact}!"

    with pytest.raises(NotConforming, match="formatted and parsed again"):
        check_junk(Shouting(), "a")


def test_another_exception_than_bad_address_comes_out() -> None:
    class Careless(echo.EchoBackend):
        def parse_address(self, local: str) -> api.Address:
            raise IndexError(local)

    with pytest.raises(IndexError):
        check_junk(Careless(), "a")


class Numbers(echo.EchoBackend):
    """Contacts are numbers, to be normalised as a test says."""

    def __init__(self, meant: Callable[[str, Mapping[str, str]], str]) -> None:
        self.meant = meant

    def parse_address(self, local: str) -> api.Address:
        if not local.removeprefix("+").isdecimal():
            raise api.BadAddress("No number.")
        return number(local)

    def format_address(self, address: api.Address) -> str:
        return str(address.contact)

    def contact_from_prompt(self, text: str, settings: Mapping[str, str]) -> api.Address:
        return self.parse_address(text)

    def normalise(self, address: api.ContactAddress, settings: Mapping[str, str]) -> api.ContactAddress:
        return number(self.meant(address.contact, settings))


def number(text: str) -> api.ContactAddress:
    return api.ContactAddress(api.NetworkId(""), api.ContactId(text))


def with_country(text: str, settings: Mapping[str, str]) -> str:
    if not text.startswith("+") and "country" not in settings:
        raise api.BadAddress("In which country?")
    return text if text.startswith("+") else f"+{settings['country']}{text}"


def test_a_number_with_its_country_is_everybodys() -> None:
    check_own(Numbers(with_country), number("5"), {"country": "1"})
    check_own(Numbers(with_country), number("+15"), {})


@pytest.mark.parametrize(
    ("meant", "found"),
    [
        (lambda text, settings: text + "0", r"is normalised to .*'50'.*, and that to .*'500'"),
        (lambda text, settings: text if settings else text + "0", "and that to"),
        (lambda text, settings: "x", "which is none: No number"),
    ],
)
def test_an_address_that_is_not_everybodys_is_found(
    meant: Callable[[str, Mapping[str, str]], str], found: str
) -> None:
    with pytest.raises(NotConforming, match=found):
        check_own(Numbers(meant), number("5"), {"country": "1"})


def test_a_prompt_that_does_not_normalise_is_found() -> None:
    careless = Numbers(lambda text, settings: text if text.startswith("+") else f"+{text}")
    with pytest.raises(NotConforming, match=r"which is .* to others"):
        check_junk(careless, "5")


@pytest.mark.parametrize(
    ("claims", "found"),
    [(["a"], "no tuple"), (("a", ""), "empty claim"), (("a", "a"), "there twice")],
)
def test_bad_claims_are_found(claims: object, found: str) -> None:
    class Claiming(echo.EchoBackend):
        def claims(self, network: api.NetworkId, settings: Mapping[str, str]) -> object:
            return claims

    with pytest.raises(NotConforming, match=found):
        check_claims(Claiming(), api.NetworkId(""), {})


def test_an_admins_field_that_comes_and_goes_is_found() -> None:
    class Fickle(echo.EchoBackend):
        def registration(self, network: api.NetworkId, known: Mapping[str, str]) -> api.Form:
            return api.Form("Form", "", (api.Field("a", "A", admin=bool(known)),))

    with pytest.raises(NotConforming, match="the admin's fields are now"):
        check_admins_fields(Fickle(), api.NetworkId(""), {"a": "1"})


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ((api.Field("a", "A"), api.Field("a", "B")), "there twice"),
        ((api.Field("password", "Password"),), "not marked as a secret"),
        ((api.Field("password", "Password", api.FieldKind.SECRET, default="x"),), "is filled in"),
        ((api.Field("a", ""),), "without name or label"),
        ((api.Field("a", "A", api.FieldKind.CHOICE),), "choices and kind disagree"),
    ],
)
def test_a_bad_form_is_found(fields: tuple[api.Field, ...], found: str) -> None:
    with pytest.raises(NotConforming, match=found):
        check_form(api.Form("Form", "", fields))


def test_an_honest_refusal_is_fine() -> None:
    session = echo.EchoSession(FakeHost().account, FakeHost())
    reaction = api.SetReactions(ROOM, api.MessageId("x"), ("👍",))
    check_claim(session, reaction, api.Refused(api.Reason.UNSUPPORTED, "no"))
