"""The servers of an address are found, the right ones first, and nothing else is contacted."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from backends.email.discovery import autoconfig
from backends.email.discovery.found import Candidate, Found, domain_of
from backends.email.discovery.search import Search
from backends.email.discovery.trial import imap_login, try_login
from backends.email.discovery.web import NotFetched, Web
from backends.email.values import Security, Server
from bridge.api import AuthFailed, ConnectionLost, Endpoint, Reason, RegistrationRefused
from bridge.testing.fake_host import FakeHost
from tests.email.watching import PASSWORD, fresh_address
from tests.peers.daemon import free_port
from tests.peers.dns import DnsServer, running_dns
from tests.peers.dovecot import Dovecot
from tests.peers.tls import make_certificates

CONFIG = """<?xml version="1.0"?>
<clientConfig version="1.1"><emailProvider id="x">
  <incomingServer type="pop3"><hostname>pop.example.org</hostname><port>995</port>
    <socketType>SSL</socketType><username>%EMAILADDRESS%</username></incomingServer>
  <incomingServer type="imap"><hostname>imap.%EMAILDOMAIN%</hostname><port>993</port>
    <socketType>SSL</socketType><authentication>password-cleartext</authentication>
    <username>%EMAILLOCALPART%</username></incomingServer>
  <incomingServer type="imap"><hostname>oauth.example.org</hostname><port>993</port>
    <socketType>SSL</socketType><authentication>OAuth2</authentication>
    <username>%EMAILADDRESS%</username></incomingServer>
  <outgoingServer type="smtp"><hostname>SMTP.example.net</hostname><port>587</port>
    <socketType>STARTTLS</socketType><username>%EMAILADDRESS%</username></outgoingServer>
</emailProvider></clientConfig>"""


class Site:
    """An https server: path by path what it answers, and what it was asked."""

    def __init__(self, ca_file: Path, port: int) -> None:
        self.pages: dict[str, web.Response] = {}
        self.asked: list[str] = []
        self.port = port
        self.context = ssl.create_default_context(cafile=str(ca_file))

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.host.partition(':')[0]}{request.path_qs}")
        found = self.pages.get(f"{request.host.partition(':')[0]}{request.path}")
        return found or web.Response(status=404)


NAMES = ("example.org", "autoconfig.example.org", "ispdb.example.com")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    certificates = make_certificates(tmp_path, *NAMES)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.cert_file, certificates.key_file)
    site = Site(certificates.ca_file, free_port())
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", site.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", site.port, ssl_context=context).start()
    try:
        yield site
    finally:
        await runner.cleanup()


@pytest.fixture
async def dns() -> AsyncIterator[DnsServer]:
    async with running_dns() as server:
        yield server


def search(dns: DnsServer, site: Site, *hosts: str) -> Search:
    """A search where only these hosts, and the site's, exist."""
    host = FakeHost(endpoints=dict.fromkeys((*NAMES, *hosts), "127.0.0.1"))
    fetcher = Web(host, site.context, port=site.port)
    return Search(host, fetcher, dns.resolver(), fetcher.url("ispdb.example.com", "v1.1/"))


def text(content: str, status: int = 200) -> web.Response:
    return web.Response(text=content, status=status)


async def test_what_the_domain_says_over_https(dns: DnsServer, site: Site) -> None:
    site.pages["autoconfig.example.org/mail/config-v1.1.xml"] = text(CONFIG)
    found = await search(dns, site).find("a+b@example.org")
    assert [(each.server, each.users) for each in found.imap if not each.guessed] == [
        (Server("imap.example.org", 993), ("a+b",))
    ]
    assert [(each.server, each.users) for each in found.smtp if not each.guessed] == [
        (Server("smtp.example.net", 587, Security.STARTTLS), ("a+b@example.org",))
    ]
    assert "autoconfig.example.org/mail/config-v1.1.xml?emailaddress=a%2Bb@example.org" in site.asked


async def test_service_records_by_priority_then_weight(dns: DnsServer, site: Site) -> None:
    dns.add("_imaps._tcp.example.org", "SRV", "10 0 993 c.example.org.", "1 5 1993 b.example.org.")
    dns.add("_imaps._tcp.example.org", "SRV", "1 9 993 a.example.org.")
    dns.add("_imap._tcp.example.org", "SRV", "0 0 0 .")
    dns.add("_submission._tcp.example.org", "SRV", "0 1 587 out.example.org.")
    found = await search(dns, site).find("alice@example.org")
    named = [each.server for each in found.imap if not each.guessed]
    assert named == [
        Server("a.example.org", 993),
        Server("b.example.org", 1993),
        Server("c.example.org", 993),
    ]
    assert found.imap[0].users == ("alice@example.org", "alice")
    assert found.smtp[0].server == Server("out.example.org", 587, Security.STARTTLS)
    assert any("_submissions._tcp.example.org: no such record" in each for each in found.tried)


async def test_hosts_of_others_that_only_dns_names_come_late(dns: DnsServer, site: Site) -> None:
    dns.add("_imaps._tcp.example.org", "SRV", "0 1 993 imap.elsewhere.example.")
    site.pages["ispdb.example.com/v1.1/example.org"] = text(CONFIG)
    found = await search(dns, site, "mail.example.org").find("alice@example.org")
    assert [(each.server.host, each.outside, each.guessed) for each in found.imap][:3] == [
        ("imap.example.org", False, False),
        ("imap.elsewhere.example", True, False),
        ("mail.example.org", False, True),
    ]


async def test_a_provider_is_known_by_its_exchanger(dns: DnsServer, site: Site) -> None:
    dns.add("example.org", "MX", "20 mx2.other.example.", "10 mx.in.provider.example.")
    site.pages["ispdb.example.com/v1.1/provider.example"] = text(CONFIG)
    found = await search(dns, site).find("alice@example.org")
    assert found.imap[0].server.host == "imap.example.org"
    assert found.imap[0].outside


async def test_usual_names_where_there_are_such_hosts(dns: DnsServer, site: Site) -> None:
    found = await search(dns, site, "mail.example.org", "smtp.example.org").find("alice@example.org")
    assert [(each.server.host, each.server.port) for each in found.imap] == [
        ("mail.example.org", 993), ("mail.example.org", 143), ("example.org", 993), ("example.org", 143),
    ]  # fmt: skip
    assert [(each.server.host, each.server.port) for each in found.smtp][:2] == [
        ("smtp.example.org", 465), ("smtp.example.org", 587),
    ]  # fmt: skip
    assert any(each.startswith("imap.example.org: ") for each in found.tried)


async def test_by_hand_beats_all(dns: DnsServer, site: Site) -> None:
    server = Server("10.0.0.1", 143, Security.PLAIN)
    found = await search(dns, site).find("alice@example.org", imap=server, smtp=server, user="al")
    assert found.imap == found.smtp == (Candidate(server, ("al",), "given by hand"),)
    assert not dns.asked
    assert not site.asked
    found = await search(dns, site).find("alice@example.org", imap=server)
    assert [each.server for each in found.imap] == [server]
    assert found.smtp[0].server == Server("example.org", 465)


async def test_a_silent_dns_holds_up_nothing_for_long(
    dns: DnsServer, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backends.email.discovery.records._SECONDS", 0.3)
    dns.silent = True
    site.pages["example.org/.well-known/autoconfig/mail/config-v1.1.xml"] = text(CONFIG)
    found = await search(dns, site).find("alice@example.org")
    assert found.imap[0].server.host == "imap.example.org"
    assert "DNS _imaps._tcp.example.org: no answer" in found.tried


BAD_PAGES = {
    "no XML": text("hello"),
    "another XML": text("<a/>"),
    "entities": text('<!DOCTYPE a [<!ENTITY b "c">]><clientConfig>&b;</clientConfig>'),
    "large": text("x" * 300_000),
    "error": text(CONFIG, status=500),
    "to http": web.Response(status=302, headers={"Location": "http://example.org/x"}),
    "to a number": web.Response(status=302, headers={"Location": "https://127.0.0.1:{port}/x"}),
    "to itself": web.Response(status=302, headers={"Location": "config-v1.1.xml"}),
    "to another port": web.Response(status=302, headers={"Location": "https://example.org:25/x"}),
    "to nowhere": web.Response(status=302),
    "to somewhere hidden": web.Response(status=302, headers={"Location": "https://hidden.example:{port}/x"}),
    "an odd encoding": web.Response(body=b'<?xml version="1.0" encoding="utf-99"?><clientConfig/>'),
}


@pytest.mark.parametrize("kind", BAD_PAGES)
async def test_a_bad_page_is_told_and_left(dns: DnsServer, site: Site, kind: str) -> None:
    page = BAD_PAGES[kind]
    headers = {name: value.format(port=site.port) for name, value in page.headers.items()}
    body = page.body if isinstance(page.body, bytes) else b""
    headers = {name: value for name, value in headers.items() if name == "Location"}
    site.pages["autoconfig.example.org/mail/config-v1.1.xml"] = web.Response(
        body=body, status=page.status, headers=headers
    )
    found = await search(dns, site).find("alice@example.org")
    assert all(each.guessed for each in found.imap)
    assert any("autoconfig.example.org" in each and "for IMAP" not in each for each in found.tried)


async def test_the_guard_is_asked_for_every_host(site: Site) -> None:
    asked: list[str] = []

    class Strict(FakeHost):
        async def resolve(self, name: str, port: int) -> tuple[Endpoint, ...]:
            asked.append(name)
            if name == "hidden.example":
                raise ConnectionLost("private networks are not allowed", Reason.FORBIDDEN)
            return (Endpoint("127.0.0.1", port, name),)

    site.pages["example.org/a"] = web.Response(
        status=301, headers={"Location": f"https://hidden.example:{site.port}/b"}
    )
    fetcher = Web(Strict(), site.context, port=site.port)
    with pytest.raises(NotFetched, match=r"private networks are not allowed|no connection"):
        await fetcher.fetch(fetcher.url("example.org", "a"))
    assert asked == ["example.org", "hidden.example"]
    for url in (
        "http://example.org/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "ftp://x",
        "https://localhost/",
    ):
        with pytest.raises(NotFetched):
            await fetcher.fetch(url)
    untrusting = Web(Strict(), ssl.create_default_context(), port=site.port)
    with pytest.raises(NotFetched, match="certificate"):
        await untrusting.fetch(untrusting.url("example.org", "a"))


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_no_file_whatsoever_breaks_the_reader(data: bytes) -> None:
    for document in (data, b"<clientConfig>" + data + b"</clientConfig>"):
        with contextlib.suppress(ValueError):
            autoconfig.read(document, "alice@example.org", "test")


@pytest.mark.parametrize(
    "address", ["", "a", "@b.example", "a@", "a@b", "a@127.0.0.1", "a@b..example", "a@b c.d"]
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match="not a mail address"):
        domain_of(address)


def test_domains_in_other_scripts() -> None:
    assert domain_of("a@Bücher.Example") == "xn--bcher-kva.example"


async def said_yes(server: Server, user: str, password: str) -> None:
    """An SMTP side that takes everybody."""


async def test_a_login_is_tried_at_the_candidates_in_order(dovecot: Dovecot) -> None:
    address = fresh_address()
    dovecot.add_account(address, PASSWORD)
    host = FakeHost(endpoints={dovecot.server: "127.0.0.1"})
    good = Server(dovecot.server, dovecot.tls_port)
    found = Found(
        imap=(
            Candidate(Server("nowhere.example.org", 993), (address,), "test"),
            Candidate(Server(dovecot.server, free_port()), (address,), "test"),
            Candidate(good, ("nobody", address), "test"),
        ),
        smtp=(Candidate(good, ("alice", address), "test"),),
    )
    asked: list[str] = []

    async def smtp(server: Server, user: str, password: str) -> None:
        asked.append(user)

    tried = await try_login(found, PASSWORD, imap_login(host, dovecot.trusting()), smtp)
    assert (tried.imap.server, tried.imap.user) == (good, address)
    assert tried.smtp.user == address
    assert asked == [address]


async def test_a_refusal_says_which_server_said_what(dovecot: Dovecot) -> None:
    address = fresh_address()
    dovecot.add_account(address, PASSWORD)
    host = FakeHost(endpoints={dovecot.server: "127.0.0.1"})
    good = Candidate(Server(dovecot.server, dovecot.tls_port), (address,), "test")
    imap = imap_login(host, dovecot.trusting())
    with pytest.raises(
        RegistrationRefused, match=r"(?s)reading.*mail\.example\.org said: .*failed"
    ) as refused:
        await try_login(Found(imap=(good,), smtp=(good,)), "wrong", imap, said_yes)
    assert refused.value.field == "password"
    assert "wrong" not in str(refused.value).split("said")[1]

    async def smtp(server: Server, user: str, password: str) -> None:
        raise AuthFailed("smtp.example.org said: 535 no")

    with pytest.raises(RegistrationRefused, match=r"(?s)sending.*smtp\.example\.org said: 535 no"):
        await try_login(Found(imap=(good,), smtp=(good,)), PASSWORD, imap, smtp)
    with pytest.raises(RegistrationRefused, match=r"(?s)by hand.*nothing there"):
        await try_login(Found(tried=("nothing there",)), PASSWORD, imap, smtp)
    untrusting = imap_login(host, ssl.create_default_context())
    with pytest.raises(RegistrationRefused, match="authority that nobody here knows") as refused:
        await try_login(Found(imap=(good,), smtp=(good,)), PASSWORD, untrusting, said_yes)
    assert refused.value.field == ""
