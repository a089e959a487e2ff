"""What the README says is what works: its snippets attach the bridge, as they stand (but for the port)."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.bridge import Bridge, BridgeSetup
from tests.peers.daemon import own, running, scratch
from tests.peers.ejabberd import Ejabberd, EjabberdSetup, make_tables
from tests.peers.prosody import Prosody, ProsodySetup
from tests.peers.xmpp_client import xmpp_client

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOMAIN = "irc.example.com"


def snippet(mark: str) -> str:
    """The code block below `<!-- tested: mark -->`."""
    found = re.search(rf"<!-- tested: {mark} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found is not None, f"README has no snippet for {mark}"
    return found.group(1)


@pytest.fixture(scope="module")
def prosody() -> Iterator[Prosody]:
    """A Prosody whose component comes from the README alone."""
    with scratch("prosody") as folder:
        server = Prosody(folder, ProsodySetup(host="example.com", components={}))
        global_part, component = snippet("prosody").split("\n\n", 1)
        text = server.config_file.read_text()
        text = re.sub(r"^component_(ports|interfaces) = .*$", "", text, flags=re.MULTILINE)
        global_part = global_part.replace("5347", str(server.component_port))
        server.config_file.write_text(f"{global_part}\n{text}\n{component}")
        with running(server):
            yield server


@pytest.fixture(scope="module")
def ejabberd() -> Iterator[Ejabberd]:
    """An ejabberd whose component listener comes from the README alone."""
    with scratch("ejabberd", Ejabberd.user) as folder:
        server = Ejabberd(folder, EjabberdSetup(host="example.com", components={}))
        text = server.config_file.read_text()
        ours = re.search(rf"  - port: {server.component_port}\n.*?    hosts:\n", text, re.DOTALL)
        assert ours is not None
        block = snippet("ejabberd").replace("5347", str(server.component_port))
        server.config_file.write_text(text.replace(ours.group(0), block))
        with running(server):
            server.add_user("alice", server.password("alice"))
            yield server


@pytest.mark.parametrize("name", ["prosody", "ejabberd"])
async def test_the_snippets_attach_the_bridge(name: str, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue(name)
    with scratch("bridge") as folder:
        bridge = Bridge(folder, server, BridgeSetup(networks="", domain=DOMAIN))
        config = next(block for block in toml_blocks() if "gateway" in tomllib.loads(block))
        bridge.config_file.write_text(
            f'data_dir = "{folder}"\n' + config.replace("5347", str(server.component_port))
        )
        with running(bridge):
            async with xmpp_client(server) as alice:
                answer = await alice.iq(DOMAIN, "<ping xmlns='urn:xmpp:ping'/>")
                assert answer["type"] == "result"


async def test_ejabberd_keeps_messages_in_sql_with_the_snippet_for_it() -> None:
    with scratch("ejabberd", Ejabberd.user) as folder:
        file = folder / "spool" / "ejabberd.db"
        lines = snippet("ejabberd-sql").replace("/var/lib/ejabberd/ejabberd.db", str(file))
        top, modules = lines.split("modules:", 1)
        server = Ejabberd(folder, EjabberdSetup(extra=top))
        text = re.sub(r"  mod_(offline|mam): .*\n", "", server.config_file.read_text())
        server.config_file.write_text(text.replace("modules:", "modules:" + modules))
        make_tables(file)
        own(folder, server.user)
        with running(server):
            server.add_user("alice", server.password("alice"))
            server.add_user("bob", server.password("bob"))
            async with xmpp_client(server) as alice:
                alice.say(server.jid("bob"), "hello")
                await alice.sync()
            with contextlib.closing(sqlite3.connect(file)) as database:
                for table, count in (("spool", 1), ("archive", 2)):
                    assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (count,)


def toml_blocks() -> list[str]:
    """All TOML of the README."""
    return re.findall(r"```toml\n(.*?)```", README, re.DOTALL)


def test_all_toml_of_the_documents_is_toml() -> None:
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for block in re.findall(r"```toml\n(.*?)```", document.read_text(), re.DOTALL):
            tomllib.loads(block)


def test_the_backend_page_shows_the_example_as_it_is() -> None:
    page = (ROOT / "docs" / "write-a-backend.md").read_text()
    found = re.search(r"<!-- example: (\S+) -->\n```python\n(.*?)```", page, re.DOTALL)
    assert found is not None
    assert found.group(2) == (ROOT / found.group(1)).read_text()


def test_every_local_link_leads_somewhere() -> None:
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target}"
