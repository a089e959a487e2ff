"""Knows what the SMS backend is as a whole: its description, addresses, registration, its carriers, and how
sessions start."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import msgspec

from backends.sms import addresses, forms
from backends.sms.carrier import Carrier
from backends.sms.choices import Choices
from backends.sms.departures import Limits
from backends.sms.desk import FrontDesk
from backends.sms.http import own
from backends.sms.http.carrier import TwilioCarrier, own_carrier
from backends.sms.http.webhooks import Webhooks
from backends.sms.keeping import kept
from backends.sms.numbers import ASSIGNED, CONFIGURED, Numbers, read, write
from backends.sms.options import Options, host_and_port
from backends.sms.options import check as check_options
from backends.sms.session import SmsSession, capabilities
from backends.sms.signup import SECRETS, SignUp
from backends.sms.smpp.carrier import SmppCarrier
from backends.sms.smpp.options import SmppOptions
from backends.sms.text.numbers import region_of
from backends.sms.values import OWN_ROUTE
from bridge.api import (
    Account,
    Address,
    BackendInfo,
    ConnectionLost,
    ContactAddress,
    Endpoint,
    Form,
    GatewayHost,
    Host,
    NetworkId,
    Resolver,
    Session,
)

log = logging.getLogger(__name__)

PROMPT = "Which phone number? (like +1 555 123 4567)"
NETWORK = NetworkId("")


class SmsBackend:
    """Texts on one gateway domain; see `bridge.api.ServingBackend`."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._numbers = Numbers(options)
        self._to_mend: asyncio.Queue[tuple[str, Mapping[str, str]]] = asyncio.Queue()
        self._choices = Choices()
        self._gateway = _Gateway()
        self._desk = FrontDesk(self._numbers, self._choices, self._gateway)
        self._webhooks: Webhooks | None = None
        if options.webhook_listen:
            where = host_and_port("webhook_listen", options.webhook_listen)
            self._webhooks = Webhooks(*where, options.webhook_url)
        self._carriers = {name: self._carrier(name) for name in options.routes}
        self._info = BackendInfo(
            name="sms",
            type="sms",
            title="SMS",
            description="Texts to phones",
            registration_required=True,
            contacts_online=True,
            contact_prompt=PROMPT,
            contact_features=capabilities(),
        )

    def _carrier(self, name: str) -> Carrier:
        options = self._options.routes[name]
        if isinstance(options, SmppOptions):
            country = options.country or self._options.country
            return SmppCarrier(name, msgspec.structs.replace(options, country=country), self._gateway)
        carrier = TwilioCarrier(name, options, self._gateway, self._options.webhook_url)
        if self._webhooks is not None:
            self._webhooks.add(carrier.line)
        return carrier

    @property
    def info(self) -> BackendInfo:
        """What it is."""
        return self._info

    # -- addresses

    def parse_address(self, local: str) -> Address:
        """See `Backend.parse_address`."""
        return addresses.parse(local)

    def format_address(self, address: Address) -> str:
        """See `Backend.format_address`."""
        return addresses.format_(address)

    def normalise(self, address: ContactAddress, settings: Mapping[str, str]) -> ContactAddress:
        """A number as the account's country writes it is the one with `+`. Raises BadAddress."""
        contact = addresses.normalise(address.contact, self._country(settings))
        return address if contact == address.contact else ContactAddress(NETWORK, contact)

    def contact_from_prompt(self, text: str, settings: Mapping[str, str]) -> Address:
        """See `Backend.contact_from_prompt`."""
        return addresses.from_prompt(text, self._country(settings))

    def display_name(self, address: Address) -> str:
        """See `Backend.display_name`."""
        return addresses.display(address.contact) if isinstance(address, ContactAddress) else self._info.title

    def _country(self, settings: Mapping[str, str]) -> str:
        """Where an account's numbers without + belong."""
        if settings.get("country"):
            return settings["country"]
        numbers = [*read(settings.get(CONFIGURED, "")), *read(settings.get(ASSIGNED, ""))]
        own_number = settings.get("number", "")
        first = own_number or (numbers[0].number if numbers else "")
        return (region_of(first) if first else "") or self._options.country

    # -- registration

    def registration(self, network: NetworkId, known: Mapping[str, str]) -> Form:
        """See `Backend.registration`."""
        return forms.form(self._options, known)

    async def check_registration(
        self, network: NetworkId, values: Mapping[str, str], resolver: Resolver
    ) -> Mapping[str, str]:
        """See `Backend.check_registration`. A user's own account with a provider is tried."""
        return await SignUp(self._options, self._numbers, self._try_account(resolver)).judge(values)

    def _try_account(self, resolver: Resolver) -> Callable[[Mapping[str, str]], Awaitable[Mapping[str, str]]]:
        async def try_account(given: Mapping[str, str]) -> Mapping[str, str]:
            place = {"own_api": self._options.own_api, "ca_file": self._options.own_ca_file}
            secrets = {name: given.get(name, "") for name in SECRETS}
            phone = await own.try_account(given, secrets, resolver, **place)
            await own.point_here(given, secrets, phone, self._options.webhook_url, resolver, **place)
            return {}

        return try_account

    def claims(self, network: NetworkId, settings: Mapping[str, str]) -> tuple[str, ...]:
        """A number is one account's alone; so is the address of an own account's webhooks."""
        configured = [each.number for each in read(settings.get(CONFIGURED, ""))]
        names = [each.number for each in read(settings.get(ASSIGNED, ""))]
        if settings.get("provider"):
            names += [settings["number"], _hook(settings["hook"])]
        names = [each for each in names if not self._numbers.is_configured(each)]
        return tuple(dict.fromkeys([*configured, *names]))

    # -- sessions

    def open(self, account: Account, host: Host) -> Session:
        """See `Backend.open`."""
        settings = account.settings
        if wrong := self._numbers.mended(account):
            self._to_mend.put_nowait((account.user, wrong))
        carriers = dict(self._carriers)
        own_route = self._own(account, host)
        if own_route is not None:
            carriers[OWN_ROUTE] = own_route
        limits = Limits(
            notice=int(settings.get("notice") or self._options.segments_notice),
            most=self._options.most_segments,
            hours=self._options.give_up_hours,
        )
        return SmsSession(
            host,
            self._numbers.of(account),
            carriers,
            self._choices,
            limits,
            int(settings.get("texts_per_day") or self._options.texts_per_day),
            self._desk,
        )

    def _own(self, account: Account, host: Host) -> TwilioCarrier | None:
        if not account.settings.get("provider") or not self._options.takes_own_accounts:
            return None
        try:
            return own_carrier(
                account.settings,
                account.secrets,
                host,
                self._options.webhook_url,
                own_api=self._options.own_api,
                ca_file=self._options.own_ca_file,
            )
        except ValueError as error:  # registered when it was another gateway, say
            log.warning("an own account cannot be used: %s", error, extra={"account": account.id})
            return None

    # -- serving

    async def serve(self, host: GatewayHost) -> None:
        """See `ServingBackend.serve`."""
        self._gateway.host = host
        for user, numbers in self._numbers.configured.items():
            await host.enrol(user, NETWORK, {CONFIGURED: write(numbers)})

        async def holder(hook: str) -> Host | None:
            return await host.holder(_hook(hook))

        async with asyncio.TaskGroup() as group:
            for name, carrier in self._carriers.items():
                group.create_task(kept(f"the route {name}", partial(carrier.run, self._desk)))
            if self._webhooks is not None:
                place = {"own_api": self._options.own_api, "ca_file": self._options.own_ca_file}
                group.create_task(kept("webhooks", partial(self._webhooks.run, self._desk, holder, **place)))
            group.create_task(kept("the configured numbers", partial(self._mend, host)))

    async def _mend(self, host: GatewayHost) -> None:
        """Who had a number by an older configuration has it no longer."""
        while True:
            user, settings = await self._to_mend.get()
            try:
                await host.enrol(user, NETWORK, settings)
            except ConnectionLost:
                self._to_mend.put_nowait((user, settings))
                raise


def _hook(hook: str) -> str:
    """The claim that an own account's webhooks are found by."""
    return f"hook {hook}"


class _Gateway:
    """What carriers ask of the bridge, once it serves."""

    def __init__(self) -> None:
        self.host: GatewayHost | None = None

    def _serving(self) -> GatewayHost:
        if self.host is None:
            raise ConnectionLost("The gateway is starting.")
        return self.host

    async def resolve(self, name: str, port: int) -> tuple[Endpoint, ...]:
        """See `Resolver.resolve`."""
        return await self._serving().resolve(name, port)

    async def holder(self, claim: str) -> Host | None:
        """See `GatewayHost.holder`."""
        return await self._serving().holder(claim)


def create(options: Options) -> SmsBackend:
    """The backend for one gateway domain. Raises `ValueError` with a text that names the option."""
    check_options(options)
    return SmsBackend(options)
