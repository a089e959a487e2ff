"""What `check --options` lists: TOML that says the same, and what more may be said."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from bridge.app.option_list import default_list, option_list
from tests.app.support import HEAD, good

TABLE = '[gateway."irc.example.com".options]'
SMS = """
country = "DE"
webhook_listen = "127.0.0.1:8080"
webhook_url = "https://sms.example.com/hooks"
numbers."+15551230001" = {user = "alice@example.com", route = "main"}
routes.main = {carrier = "smpp", host = "smpp.example.com", system_id = "me", window = 5}
routes.web = {carrier = "twilio", account_sid = "AC0123456789", auth_token_file = "/etc/token"}
"""
NESTED = """
ports = [7]
relay = {host = "a"}
relays = [{host = "b"}, {host = "c", port = 26}]
named."x.y" = {host = "d"}
links.one = {kind = "wire", length = 2}
links.two = {kind = "radio", channel = 3}
"""


@pytest.mark.parametrize(("backend", "options"), [("sample", NESTED), ("sms", SMS)])
def test_what_is_listed_says_the_same(backend: str, options: str, tmp_path: Path) -> None:
    head = HEAD.replace("sample", backend)
    [gateway] = good(tmp_path, f"{head}{TABLE}{options}").gateways
    listed = option_list(gateway)
    listed = re.sub(r"^(password|greeting) = .*$", "", listed, flags=re.MULTILINE)  # secrets are not shown
    [again] = good(tmp_path, head + listed).gateways
    assert again.options == gateway.options


def samples(listed: str) -> list[str]:
    """The tables that are listed as comments, each as TOML."""
    blocks = [block for block in listed.split("\n\n") if block.startswith("# [")]
    lines = [[line.removeprefix("# ") for line in block.splitlines()] for block in blocks]
    return ["\n".join(line for line in each if re.match(r"\[|[a-z_]+ = ", line)) for each in lines]


def test_each_kind_of_table_is_explained_with_its_defaults(tmp_path: Path) -> None:
    [gateway] = good(tmp_path, f"{HEAD}{TABLE}{NESTED}").gateways
    listed = option_list(gateway)
    path = 'gateway."irc.example.com".options'
    for lines in (
        f'[{path}.relay]\nhost = "a"    # a text\n',
        f'[[{path}.relays]]\nhost = "c"    # a text\nport = 26    # a whole number',
        f'[{path}.named."x.y"]\nhost = "d"    # a text\n',
        f'[{path}.links.one]\nkind = "wire"\nlength = 2    # a whole number\n',
        f'# [{path}.links.NAME]\n# A wire.\n# kind = "wire"\n# length must be given',
        f'# [{path}.links.NAME]\n# A radio.\n# kind = "radio"\n# channel = 1',
        f"# [[{path}.relays]]\n",
    ):
        assert f"\n\n{lines}" in listed
    found = [tomllib.loads(each)["gateway"]["irc.example.com"]["options"] for each in samples(listed)]
    assert {"links": {"NAME": {"kind": "radio", "channel": 1, "pass_file": ""}}} in found
    assert {"links": {"NAME": {"kind": "wire", "colour": "red"}}} in found


def test_the_carriers_of_sms_are_listed_before_there_is_a_configuration() -> None:
    listed = default_list("sms")
    assert listed.startswith('# backend = "sms"\n[gateway."sms.example.com".options]\n# Options of the SMS')
    tables = [tomllib.loads(each)["gateway"]["sms.example.com"]["options"] for each in samples(listed)]
    routes = [each["routes"]["NAME"] for each in tables if "routes" in each]
    assert [each["carrier"] for each in routes] == ["smpp", "twilio"]
    assert (routes[0]["window"], routes[1]["api"]) == (50, "https://api.twilio.com")
    for line in ("system_id must be given    # a text", "account_sid must be given    # a text"):
        assert f"\n# {line}\n" in listed
