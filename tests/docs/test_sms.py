"""What docs/sms.md has admins write works as it stands (but for hosts, ports and secrets), and its tables say
what the options are."""

from __future__ import annotations

import asyncio
import contextlib
import re
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backends.sms.http.options import TwilioOptions
from backends.sms.options import Options
from backends.sms.smpp.options import SmppOptions
from tests.peers.bridge import Bridge, BridgeSetup
from tests.peers.daemon import accepts, free_port, scratch
from tests.peers.nginx import running_nginx
from tests.peers.prosody import Prosody, ProsodySetup, running_prosody
from tests.peers.smsc import PASSWORD, SYSTEM_ID, PhoneNetwork, phone_network, running_smsc
from tests.peers.twilio import Account, running_twilio
from tests.peers.xmpp_client import message, xmpp_client

PAGE = (Path(__file__).parents[2] / "docs" / "sms.md").read_text()
EXAMPLE = (Path(__file__).parents[2] / "config.example.toml").read_text()
GATEWAY = "sms.example.com"
SMPP, TWILIO = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
HEAD = '[gateway."sms.example.com"]\nbackend = "sms"\nsecret = "change-me"\n'
ROSE = "+15550109999"
USERS = {name: f"{name}-pw" for name in ("alice", "bob", "carol", "admin")}


def placed(text: str, **places: object) -> str:
    """TOML with other values for these keys."""
    for key, value in places.items():
        given = value if isinstance(value, int) else f'"{value}"'
        text, count = re.subn(rf"^(# )?{key} = \S+", f"{key} = {given}", text, flags=re.MULTILINE)
        assert count == 1, f"{key} is {count} times in:\n{text}"
    return text


def toml_of(text: str) -> Any:
    return tomllib.loads(text)["gateway"][GATEWAY]


@contextlib.asynccontextmanager
async def serving(toml: str, files: dict[str, str]) -> AsyncIterator[Prosody]:
    """A bridge with this configuration, which has these files beside it, at a server of example.com. What is
    on this machine is a private network."""
    head = r'^(\[gateway."sms.example.com"\].*\n)'
    toml = re.sub(head, r"\1allow_private_networks = true\n", toml, flags=re.MULTILINE)
    prosody_setup = ProsodySetup(host="example.com", components={GATEWAY: "change-me"}, users=USERS)
    with scratch("bridge") as folder:
        prosody = running_prosody(prosody_setup)
        server = await asyncio.to_thread(prosody.__enter__)
        try:
            bridge = Bridge(folder, server, BridgeSetup())
            for name, content in files.items():
                (folder / name).write_text(content)
            top = f'data_dir = "{folder}"\nadmins = ["admin@example.com"]\n'
            bridge.config_file.write_text(f"{top}[xmpp]\nport = {server.component_port}\n{toml}")
            await asyncio.to_thread(bridge.start)
            try:
                yield server
                assert "Traceback" not in bridge.log_text(), bridge.log_tail()
            finally:
                await asyncio.to_thread(bridge.stop)
        finally:
            await asyncio.to_thread(prosody.__exit__, None, None, None)


async def arrives(server: Prosody, phones: PhoneNetwork, user: str, number: str) -> None:
    """A text to a number is in its user's chat, and is answered from that number."""
    async with xmpp_client(server, user) as client:
        await phones.text(ROSE, number, f"for {user}")
        await client.wait(message(f"{ROSE}@{GATEWAY}", f"for {user}"))
        client.say(f"{ROSE}@{GATEWAY}", f"from {user}")
    [text] = await phones.wait("text", lambda event: event["text"] == f"from {user}")
    assert (f"+{text['from']}", f"+{text['to']}") == (number, ROSE)


async def test_a_carrier_by_smpp_and_a_number_by_command() -> None:
    [command] = re.findall(r"```\n(register-user .*)\n```", PAGE)
    user, number = re.fullmatch(r"register-user (\w+)@example.com numbers=(\+\d+)", command).groups()  # type: ignore[union-attr]
    with running_smsc() as smsc:
        toml = placed(SMPP, host="localhost", port=smsc.tls_port, system_id=SYSTEM_ID)
        toml = toml.replace('carrier = "smpp"', f'carrier = "smpp"\nca_file = "{smsc.ca_file}"')
        async with phone_network(smsc) as phones, serving(toml, {"smpp.password": PASSWORD}) as server:
            await phones.wait("bind")
            for configured, of in toml_of(SMPP)["options"]["numbers"].items():
                await arrives(server, phones, of["user"].partition("@")[0], configured)
            async with xmpp_client(server, "admin") as admin:
                admin.say(GATEWAY, command)
                assert "is registered" in (await admin.wait(message(GATEWAY)))["body"]
            await arrives(server, phones, user, number)


async def test_the_commented_lines_of_the_example() -> None:
    lines = EXAMPLE[EXAMPLE.index('# [gateway."sms.example.com"]') :].split("\n\n")[0].splitlines()
    toml = "\n".join(re.sub(r"^# (.*?)(  # .*)?$", r"\1", line) for line in lines)
    numbers = toml_of(toml)["options"]["numbers"]
    with running_smsc() as smsc:
        at = f'host = "localhost", port = {smsc.tls_port}, ca_file = "{smsc.ca_file}"'
        toml = toml.replace('host = "smpp.carrier.example"', at).replace('"acme"', f'"{SYSTEM_ID}"')
        async with phone_network(smsc) as phones, serving(toml, {"smpp.pw": PASSWORD}) as server:
            await phones.wait("bind")
            for number, of in numbers.items():
                await arrives(server, phones, of["user"].partition("@")[0], number)


async def test_a_provider_behind_nginx(tmp_path: Path) -> None:
    options = toml_of(HEAD + TWILIO)["options"]
    [(number, of)] = options["numbers"].items()
    [configured] = re.findall(r"POST to `(\S+)`", PAGE)
    found = re.search(r"<!-- tested: nginx -->\n```nginx\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    port = free_port()
    lines = found[1].replace(options["webhook_listen"], f"127.0.0.1:{port}")
    assert lines != found[1]
    with running_nginx(lines) as nginx:
        async with running_twilio(tmp_path) as provider:
            account = Account(options["routes"]["web"]["account_sid"], "t0ken")
            provider.accounts[account.sid] = account
            account.add_number(number, sms_url=configured)
            provider.reach[options["webhook_url"]] = f"http://127.0.0.1:{nginx.port}/hooks"
            toml = placed(HEAD + TWILIO, webhook_listen=f"127.0.0.1:{port}")
            more = f'carrier = "twilio"\napi = "{provider.url}"\nca_file = "{provider.ca_file}"'
            toml = toml.replace('carrier = "twilio"', more)
            async with serving(toml, {"twilio.token": account.token}) as server:
                while not accepts(port):
                    await asyncio.sleep(0.02)
                async with xmpp_client(server, of["user"].partition("@")[0]) as carol:
                    assert (await provider.text(ROSE, number, "Tea?")).status == 200
                    await carol.wait(message(f"{ROSE}@{GATEWAY}", "Tea?"))
                    stanza_id = carol.say(f"{ROSE}@{GATEWAY}", "At five.")
                    await provider.arrived.wait()
                    [sid] = provider.callbacks
                    assert (await provider.tell(sid, "delivered")).status == 204
                    received = "{urn:xmpp:receipts}received"
                    got = await carol.wait(lambda s: s.name == "message" and s.xml.find(received) is not None)
                    assert got.xml.find(received).get("id") == stanza_id


def rows(start: str) -> dict[str, tuple[str, str]]:
    """The options in the first table below a heading: name -> (default, as it is written; what it is)."""
    table = PAGE[PAGE.index(start) :].split("| --- | --- | --- |\n", 1)[1].split("\n\n", 1)[0]
    found = {}
    for line in table.splitlines():
        names, default, text = (cell.strip() for cell in line.split("|")[1:4])
        defaults = re.findall(r"`([^`]*)`", default)
        for at, name in enumerate(re.findall(r"`(\w+)`", names)):
            found[name] = (defaults[at] if len(defaults) > at else "", text)
    return found


@pytest.mark.parametrize(
    ("heading", "kind", "elsewhere"),
    [
        ("## A carrier by SMPP", SmppOptions, {}),
        ("## Twilio and SignalWire", TwilioOptions, {}),
        ("## Numbers and limits", Options, {"routes": {}, "numbers": {}, "own_api": "", "own_ca_file": ""}),
    ],
)
def test_the_tables_have_all_options_and_their_defaults(
    heading: str, kind: type[msgspec.Struct], elsewhere: dict[str, Any]
) -> None:
    listed = rows(heading)
    for field in msgspec.structs.fields(kind):
        default = {} if field.default is msgspec.NODEFAULT and not field.required else field.default
        if field.encode_name in elsewhere:
            assert default == elsewhere[field.encode_name]
            continue
        said = listed.pop(field.encode_name)[0]
        if field.required:
            assert said == ""
        else:
            assert tomllib.loads(f"x = {said}")["x"] == default, field.encode_name
    assert not listed


def test_the_values_in_the_tables_are_those_that_are_taken() -> None:
    listed = rows("## A carrier by SMPP")
    for field in msgspec.structs.fields(SmppOptions):
        info = msgspec.inspect.type_info(field.type)
        if isinstance(info, msgspec.inspect.LiteralType):
            written = set(re.findall(r'"(\w+)"', " ".join(listed[field.encode_name])))
            assert written == set(info.values), field.encode_name
