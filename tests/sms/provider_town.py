"""A town with a provider of texts that is reached by HTTP, and perhaps a short message centre beside it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.mail.reader import until
from tests.peers.bridge import BridgeSetup, running_bridge
from tests.peers.daemon import accepts, free_port, scratch
from tests.peers.prosody import ProsodySetup, running_prosody
from tests.peers.smsc import PASSWORD, Smsc, running_smsc
from tests.peers.twilio import Account, Called, Twilio, running_twilio, signature
from tests.peers.xmpp_client import XmppServer
from tests.sms.town import GATEWAY, Town, smpp_route, toml

EXTERNAL = "https://sms.example.org/hooks"
"""How the provider knows the bridge; `Twilio.reach` has where that is."""
ROUTE = "web"
USERS = {name: f"{name}-pw" for name in ("alice", "bob", "carol", "dave", "admin")}


@dataclass
class ProviderTown(Town):
    """All servers of the town. `account` is the gateway's own with the provider: that of the route `web`;
    `routes` is their TOML."""

    provider: Twilio
    account: Account
    hooks_port: int
    routes: str

    async def texted(self, sender: str, number: str, body: str, **more: object) -> Called:
        """Somebody texts a number of the gateway's account. The bridge takes it."""
        called = await self.provider.text(sender, number, body, **more)  # type: ignore[arg-type]
        assert called.status == 200, called
        return called

    async def got(self, number: str, body: str, seconds: float = 10.0) -> str:
        """Return when a phone has this text once; the provider's id of it."""
        found = self.provider.phones
        await until(lambda: body in found.get(number, []), seconds, lambda: found.get(number))
        assert found[number].count(body) == 1
        return next(sid for sid in self.provider.callbacks if self.is_text(sid, number, body))

    async def remembered(self, *sids: str) -> None:
        """Return when the bridge has stored that these texts went out: with the next group commit."""

        def stored() -> bool:
            with contextlib.closing(sqlite3.connect(self.bridge.folder / "bridge.db")) as database:
                rows = database.execute("SELECT network_id FROM message_ids").fetchall()
            return {sid for (known,) in rows for sid in sids if known.endswith(sid)} == set(sids)

        await until(stored, 10.0, lambda: sids)

    def is_text(self, sid: str, number: str, body: str) -> bool:
        """Whether a text of the provider's is the one."""
        return (self.provider.messages[sid]["to"], self.provider.messages[sid]["body"]) == (number, body)

    async def post(self, path: str, body: bytes, headers: Mapping[str, str], method: str = "POST") -> Called:
        """Any request to the bridge's listener."""
        return await self.provider.post(f"{EXTERNAL}{path}", body, headers, method=method)

    def signed(self, path: str, fields: Mapping[str, str]) -> dict[str, str]:
        """The header that makes a request the provider's."""
        return {"X-Twilio-Signature": signature(self.account.token, f"{EXTERNAL}{path}", fields)}

    async def listening(self) -> None:
        """Return when the bridge takes requests."""
        await until(lambda: accepts(self.hooks_port), 20, self.bridge.log_tail)

    def configure(self, numbers: Mapping[str, tuple[str, str]]) -> None:
        """From the next start on, these are whose numbers are which."""
        self.bridge.setup.networks = self.routes + numbers_of(self.xmpp, numbers)
        self.bridge.write_config()

    async def restart(self, *, crash: bool = False) -> None:
        """The bridge ends and starts again."""
        await self.bridge.restart(crash=crash)
        await self.listening()


@dataclass
class Plan:
    """What is in a town. `numbers`: number -> (user, route); those of the route `web` the provider has.
    `smpp`: there is a route `main`, too, with these options of its bind. `options` are the backend's."""

    numbers: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    smpp: Mapping[str, object] | None = None
    web: bool = True
    options: Mapping[str, object] = field(default_factory=dict)
    limits: str = ""
    admins: tuple[str, ...] = ()
    module: str = "bridge"


@contextlib.asynccontextmanager
async def running_provider_town(plan: Plan, xmpp: XmppServer | None = None) -> AsyncIterator[ProviderTown]:
    """A fresh town, gone after the `async with`; the bridge must have had no fault then. The provider runs on
    this event loop."""
    async with contextlib.AsyncExitStack() as stack:
        if xmpp is None:
            setup = ProsodySetup(components={GATEWAY: "sekrit"}, users=USERS)
            xmpp = stack.enter_context(running_prosody(setup))
        folder = stack.enter_context(scratch("provider-town"))
        provider = await stack.enter_async_context(running_twilio(folder))
        provider.media_at = f"https://localhost:{provider.media_port}"
        numbers = [number for number, (_, route) in plan.numbers.items() if route == ROUTE]
        account = provider.add_account(*numbers)
        for number in numbers:
            account.numbers[number]["sms_url"] = f"{EXTERNAL}/{ROUTE}/in#rc=5&rp=all"
        smsc = stack.enter_context(running_smsc() if plan.smpp is not None else no_smsc())
        hooks_port = free_port()
        provider.reach[EXTERNAL] = f"http://127.0.0.1:{hooks_port}{urlsplit(EXTERNAL).path}"
        routes = _routes(plan, folder, smsc, provider, account)
        options = {**_options(provider, hooks_port), **plan.options}
        bridge = running_bridge(
            xmpp,
            BridgeSetup(
                backend="sms",
                domain=GATEWAY,
                module=plan.module,
                options=toml(options),
                networks=routes + numbers_of(xmpp, plan.numbers),
                extra=f"[limits]\n{plan.limits}\n",
                top={"admins": str([xmpp.jid(user) for user in plan.admins])},
            ),
        )
        # the provider is asked things while the bridge starts
        running = await asyncio.to_thread(bridge.__enter__)
        stack.push(bridge)
        town = ProviderTown(xmpp, smsc, running, provider, account, hooks_port, routes)
        await town.listening()
        yield town
        assert "Traceback" not in running.log_text(), running.log_tail()


def _options(provider: Twilio, hooks_port: int) -> dict[str, object]:
    return {
        "country": "US",
        "webhook_listen": f"127.0.0.1:{hooks_port}",
        "webhook_url": EXTERNAL,
        "own_api": provider.url,
        "own_ca_file": str(provider.ca_file),
    }


def _routes(plan: Plan, folder: Path, smsc: Smsc, provider: Twilio, account: Account) -> str:
    text = ""
    if plan.smpp is not None:
        (folder / "smpp.password").write_text(f"{PASSWORD}\n")
        text += smpp_route(smsc, str(folder / "smpp.password"), **plan.smpp)
    if plan.web:
        (folder / "token").write_text(f"{account.token}\n")
        given = {
            "carrier": "twilio",
            "account_sid": account.sid,
            "auth_token_file": str(folder / "token"),
            "api": provider.url,
            "ca_file": str(provider.ca_file),
        }
        text += f'[gateway."{GATEWAY}".options.routes.{ROUTE}]\n{toml(given)}'
    return text


def numbers_of(xmpp: XmppServer, numbers: Mapping[str, tuple[str, str]]) -> str:
    """The TOML of whose number is which, and by which route."""
    lines = [f'[gateway."{GATEWAY}".options.numbers]']
    for number, (user, route) in numbers.items():
        lines.append(f'"{number}" = {{ user = "{xmpp.jid(user)}", route = "{route}" }}')
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def no_smsc() -> Iterator[Smsc]:
    """One that is not started."""
    with scratch("smsc") as folder:
        yield Smsc(folder)
