"""Tests that every backend should pass, whatever its network.

With pytest and pytest-asyncio (`asyncio_mode = "auto"`), a test file needs this and no more:

    from bridge.testing.conformance import BackendConformance

    class TestMyBackend(BackendConformance):
        scenario_class = MyScenario        # a subclass of bridge.testing.Scenario

Nothing here imports pytest, so the methods can be run by hand as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import msgspec

from bridge.api import (
    Answer,
    BadAddress,
    Command,
    Connected,
    ConnectionLost,
    FieldKind,
    JoinRoom,
    Later,
    MessageReceived,
    NetworkId,
    ProtocolError,
    QueryFailed,
    Refused,
    RoomJoined,
    Sent,
    ServingBackend,
    Session,
    Unknown,
)
from bridge.testing.checks import (
    NotConforming,
    check_admins_fields,
    check_claim,
    check_claims,
    check_form,
    check_junk,
    check_own,
    junk,
    require,
)
from bridge.testing.fake_host import FakeHost
from bridge.testing.scenario import Scenario

CLOSE_SECONDS = 2.0
ANSWER_SECONDS = 30.0
OUTCOMES = (Sent, Later, Refused, Unknown)


class Running:
    """A session whose `run` is a task."""

    def __init__(self, session: Session, host: FakeHost) -> None:
        self.session = session
        self.host = host
        self.task = asyncio.create_task(session.run())

    async def connected(self) -> None:
        """Wait for `Connected`; if `run` ends before, raise what it raised."""
        waiting = asyncio.create_task(self.host.wait(Connected, timeout=ANSWER_SECONDS))
        await asyncio.wait({waiting, self.task}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            self.task.result()
            raise NotConforming("run() returned before it emitted Connected")
        waiting.result()

    async def execute(self, command: Command) -> object:
        """One command's outcome, checked to be one."""
        async with asyncio.timeout(ANSWER_SECONDS):
            outcome = await self.session.execute(command)
        require(isinstance(outcome, OUTCOMES), f"{command} ended as {outcome!r}, which is no outcome")
        return outcome

    async def end(self) -> None:
        """Cancel `run`, if it still runs."""
        self.task.cancel()
        await asyncio.wait({self.task})
        if not self.task.cancelled():
            self.task.exception()


class BackendConformance:
    """The suite. Set `scenario_class`."""

    scenario_class: type[Scenario]

    @asynccontextmanager
    async def running(self, scenario: Scenario) -> AsyncIterator[Running]:
        """The network is up, and one session is connected."""
        async with scenario.network():
            host = FakeHost(scenario.account)
            running = Running(scenario.backend().open(scenario.account, host), host)
            try:
                await running.connected()
                yield running
            finally:
                await running.end()

    def test_the_info_is_sane(self) -> None:
        backend = self.scenario_class().backend()
        info = backend.info
        require(info == backend.info, "info is not constant")
        require(
            info.name and info.type and info.title and info.description, "info has an empty name or title"
        )
        require(info.category in ("gateway", "conference"), f"no such category: {info.category!r}")
        require(info.pace.burst >= 0 and info.pace.per_second >= 0, "the pace is negative")
        for features in (info.room_features, info.contact_features):
            require(min(features.max_text, features.max_body) >= 0, "a limit is negative")
        require(
            info.rooms or self.scenario_class.room is None, "a room in the scenario, but info.rooms is false"
        )

    def test_addresses_survive_the_round_trip(self) -> None:
        scenario = self.scenario_class()
        backend = scenario.backend()
        for address in scenario.addresses:
            local = backend.format_address(address)
            require(
                backend.parse_address(local) == address,
                f"{address} became {local!r}, and that something else",
            )
            require(backend.display_name(address), f"{address} has no display name")

    def test_bad_addresses_are_refused(self) -> None:
        scenario = self.scenario_class()
        backend = scenario.backend()
        for local in scenario.bad_addresses:
            try:
                address = backend.parse_address(local)
            except BadAddress as error:
                require(str(error), f"BadAddress for {local!r} has no text")
            else:
                raise NotConforming(f"{local!r} was taken for {address}")

    def test_junk_is_an_address_or_bad(self) -> None:
        scenario = self.scenario_class()
        backend = scenario.backend()
        for local in junk():
            check_junk(backend, local, scenario.account.settings)

    def test_an_address_is_one_contacts_whoever_writes_it(self) -> None:
        scenario = self.scenario_class()
        backend = scenario.backend()
        for address in (*scenario.addresses, *map(backend.parse_address, scenario.own_addresses)):
            check_own(backend, address, scenario.account.settings)

    def test_claims_are_names(self) -> None:
        scenario = self.scenario_class()
        backend = scenario.backend()
        if hasattr(backend, "serve"):
            for settings in (scenario.account.settings, {}):
                check_claims(cast("ServingBackend", backend), scenario.account.network, settings)

    def test_the_registration_form_is_sane(self) -> None:
        scenario = self.scenario_class()
        backend = scenario.backend()
        for network in {scenario.account.network, NetworkId("")}:
            check_form(backend.registration(network, {}))
            check_form(backend.registration(network, scenario.account.settings))
            check_admins_fields(backend, network, scenario.account.settings)

    def test_known_values_fill_the_form_but_secrets_do_not(self) -> None:
        scenario = self.scenario_class()
        backend = scenario.backend()
        fields = backend.registration(scenario.account.network, {}).fields
        marker = "conformance-secret"
        known = {field.name: marker for field in fields if field.kind is FieldKind.SECRET}
        for field in backend.registration(scenario.account.network, known).fields:
            require(marker not in (field.default, field.help), f"the form shows the secret {field.name!r}")

    async def test_connected_comes_first(self) -> None:
        async with self.running(self.scenario_class()) as running:
            kinds = [type(event).__name__ for event in running.host.events]
            before = kinds[: kinds.index("Connected")]
            require(set(before) <= {"NetworkNotice"}, f"emitted before Connected: {before}")

    async def test_a_room_can_be_joined(self) -> None:
        scenario = self.scenario_class()
        if scenario.room is None:
            return
        async with self.running(scenario) as running:
            outcome = await running.execute(JoinRoom(scenario.room, scenario.account.nick))
            require(isinstance(outcome, Sent), f"joining ended as {outcome}")
            joined = await running.host.wait(RoomJoined, lambda event: event.room == scenario.room)
            names = [occupant.name for occupant in joined.occupants]
            require(joined.me in names, f"RoomJoined: {joined.me!r} is not among the occupants {names}")
            require(len(names) == len(set(names)), "RoomJoined: somebody is there twice")

    async def test_every_command_ends_in_an_outcome(self) -> None:
        scenario = self.scenario_class()
        async with self.running(scenario) as running:
            if scenario.room is not None:
                await running.execute(JoinRoom(scenario.room, scenario.account.nick))
                await running.host.wait(RoomJoined)
            for command in scenario.commands:
                outcome = await running.execute(command)
                check_claim(running.session, command, outcome)
                require(not running.task.done(), f"the session ended after {command}")

    async def test_every_query_is_answered(self) -> None:
        scenario = self.scenario_class()
        async with self.running(scenario) as running:
            for query in scenario.queries:
                try:
                    async with asyncio.timeout(ANSWER_SECONDS):
                        answer = await running.session.query(query)
                except QueryFailed as error:
                    require(str(error), f"QueryFailed for {query} has no text")
                else:
                    require(isinstance(answer, Answer), f"{query} was answered with {answer!r}")

    async def test_events_can_be_stored(self) -> None:
        scenario = self.scenario_class()
        async with self.running(scenario) as running:
            for command in scenario.commands:
                await running.execute(command)
            for event in running.host.events:
                again = msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=type(event))
                require(again == event, f"{event} is not the same after it was stored")

    async def test_close_ends_run_soon(self) -> None:
        async with self.running(self.scenario_class()) as running:
            await running.session.close("the test is over")
            done, _ = await asyncio.wait({running.task}, timeout=CLOSE_SECONDS)
            require(done, f"run() went on for {CLOSE_SECONDS} s after close()")
            require(
                running.task.exception() is None, f"run() raised after close(): {running.task.exception()!r}"
            )

    async def test_run_can_be_cancelled_at_any_step(self) -> None:
        scenario = self.scenario_class()
        async with scenario.network():
            for steps in range(12):
                host = FakeHost(scenario.account)
                running = Running(scenario.backend().open(scenario.account, host), host)
                for _ in range(steps):
                    await asyncio.sleep(0)
                running.task.cancel()
                done, _ = await asyncio.wait({running.task}, timeout=CLOSE_SECONDS)
                require(done, f"run() did not end when it was cancelled after {steps} steps")

    async def test_a_broken_link_ends_run(self) -> None:
        scenario = self.scenario_class()
        if not scenario.has("break_link"):
            return
        async with self.running(scenario) as running:
            await scenario.break_link()
            done, _ = await asyncio.wait({running.task}, timeout=ANSWER_SECONDS)
            require(done, "run() went on without a link")
            error = running.task.exception()
            require(
                isinstance(error, ConnectionLost | ProtocolError), f"a broken link ended run() with {error!r}"
            )
            for command in scenario.commands[:1]:
                outcome = await running.execute(command)
                require(isinstance(outcome, Later | Unknown), f"without a link, {command} ended as {outcome}")

    async def test_nothing_is_smuggled_in(self) -> None:
        scenario = self.scenario_class()
        if not scenario.injections:
            return
        async with self.running(scenario) as running:
            for command in scenario.injections:
                await running.execute(command)
            await running.session.close("the test is over")
            await asyncio.wait({running.task}, timeout=CLOSE_SECONDS)
            require(not scenario.smuggled(), f"smuggled in: {scenario.smuggled()}")

    async def test_storing_comes_before_acknowledging(self) -> None:
        scenario = self.scenario_class()
        if not scenario.has("incoming"):
            return
        async with self.running(scenario) as running:
            running.host.hold_storing = True
            await scenario.incoming()
            await running.host.wait(MessageReceived)
            for _ in range(20):
                await asyncio.sleep(0)
            require(not scenario.acknowledged(), "acknowledged before the event was stored")
            running.host.hold_storing = False
            running.host.store()
            async with asyncio.timeout(ANSWER_SECONDS):
                await scenario.wait_acknowledged()

    async def test_what_a_crash_forgot_comes_again(self) -> None:
        scenario = self.scenario_class()
        if not scenario.has("incoming"):
            return
        async with scenario.network():
            host = FakeHost(scenario.account)
            first = Running(scenario.backend().open(scenario.account, host), host)
            await first.connected()
            host.hold_storing = True
            await scenario.incoming()
            await host.wait(MessageReceived)
            await first.end()
            host.lose_unstored()
            host.hold_storing = False
            again = Running(scenario.backend().open(scenario.account, host), host)
            try:
                await host.wait(MessageReceived, timeout=ANSWER_SECONDS)
            finally:
                await again.end()
