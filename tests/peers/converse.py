"""Knows how Converse.js is served as a page, and how a test (or the demo's check) acts in it with Chromium.

The page itself needs no browser here: the demo serves it to a person's own. Playwright is imported
only where a headless Chromium is started.
"""

from __future__ import annotations

import contextlib
import functools
import html
import http.server
import json
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tests.peers.daemon import find_program, scratch

if TYPE_CHECKING:
    from playwright.async_api import Page

DIST = Path(__file__).resolve().parents[2] / ".cache/converse/dist"
CDN = "https://cdn.conversejs.org/14.0.0/dist"
PROMPT_SECONDS = 30.0

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{dist}/converse.min.css">
</head>
<body class="converse-fullscreen">
<script type="module">
import "{dist}/converse.min.js";
const settings = {settings};
const accounts = {accounts};
const user = new URLSearchParams(location.search).get("as");
Object.assign(settings, accounts[user] ?? Object.values(accounts)[0]);
converse.initialize(settings);
</script>
</body>
</html>
"""


@dataclass
class PageSetup:
    """What the page is logged in to. The first account is taken unless the URL says `?as=NAME`."""

    websocket_url: str
    accounts: Mapping[str, tuple[str, str]]
    """name -> (bare JID, password)"""
    rooms: Sequence[str] = ()
    """room addresses that open by themselves; the nick is the account's name"""
    title: str = "Converse.js"
    settings: Mapping[str, Any] = field(default_factory=dict)
    """more of Converse's own settings"""


def page_html(setup: PageSetup) -> str:
    """The page. Converse comes from npm's folder where that is there, else from its CDN."""
    dist = "/converse" if (DIST / "converse.min.js").exists() else CDN
    settings = {
        "view_mode": "fullscreen", "authentication": "login", "auto_login": True,
        "websocket_url": setup.websocket_url, "assets_path": f"{dist}/",
        "discover_connection_methods": False, "auto_reconnect": True, "loglevel": "warn",
        "allow_non_roster_messaging": True, "clear_cache_on_logout": True,
        "persistent_store": "sessionStorage",
        "muc_show_info_messages": [], "show_background": False, "i18n": "en", "locked_muc_nickname": False,
        "play_sounds": False, "show_desktop_notifications": False, "allow_bookmarks": False,
        "show_self_in_roster": False,
        **setup.settings,
    }  # fmt: skip
    accounts = {
        name: {
            "jid": jid,
            "password": password,
            "auto_join_rooms": [{"jid": room, "nick": name} for room in setup.rooms],
        }
        for name, (jid, password) in setup.accounts.items()
    }
    return _PAGE.format(
        title=html.escape(setup.title), dist=dist, settings=_script(settings), accounts=_script(accounts)
    )


def _script(value: object) -> str:
    return json.dumps(value).replace("</", "<\\/")


class _Handler(http.server.SimpleHTTPRequestHandler):
    """`/` is the page, `/converse/...` its files."""

    protocol_version = "HTTP/1.1"
    extensions_map: ClassVar = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".wasm": "application/wasm",
    }

    def __init__(self, page: bytes, *arguments: Any) -> None:
        self.page = page
        super().__init__(*arguments, directory=str(DIST))

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/":
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(self.page)))
            self.end_headers()
            self.wfile.write(self.page)
        elif path.startswith("/converse/"):
            self.path = path.removeprefix("/converse")
            super().do_GET()
        else:
            self.send_error(404)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: who looks at the page is not of interest."""


@contextlib.contextmanager
def serving(setup: PageSetup, port: int = 0) -> Iterator[str]:
    """Serve the page on loopback and yield its URL. OSError when the port is taken."""
    handler = functools.partial(_Handler, page_html(setup).encode())
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class ConversePage:
    """What a person does and sees in the page. Raises AssertionError with the page's text when it fails."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.console: list[str] = []
        page.on("console", lambda message: self.console.append(message.text))
        page.on("pageerror", lambda error: self.console.append(str(error)))

    async def text(self) -> str:
        """All text on the page."""
        return await self.page.inner_text("body")

    async def _wait(self, what: str, selector: str, seconds: float) -> None:
        from playwright.async_api import Error

        try:
            await self.page.locator(selector).first.wait_for(timeout=seconds * 1000)
        except Error as failed:
            console = "\n  ".join(self.console[-15:])
            raise AssertionError(
                f"{what} did not appear in {seconds} s.\nThe page shows:\n{await self.text()}\n"
                f"Its console:\n  {console}"
            ) from failed

    async def wait_room(self, seconds: float = PROMPT_SECONDS) -> None:
        """Wait until a room is joined: it takes text."""
        await self._wait("a joined room", "converse-muc textarea.chat-textarea:visible", seconds)

    async def wait_title(self, text: str, seconds: float = PROMPT_SECONDS) -> None:
        """Wait until the open room is called that."""
        selector = f"converse-muc-heading .chatbox-title:has-text({_quoted(text)})"
        await self._wait(f"the title {text!r}", selector, seconds)

    async def wait_occupant(self, nick: str, seconds: float = PROMPT_SECONDS) -> None:
        """Wait until the room's list of occupants shows a nick."""
        selector = f"converse-muc-sidebar .occupant-nick:has-text({_quoted(nick)})"
        await self._wait(f"the occupant {nick}", selector, seconds)

    async def wait_message(self, text: str, seconds: float = PROMPT_SECONDS) -> None:
        """Wait until a message that holds this text is shown."""
        selector = f"converse-chat-message:has-text({_quoted(text)})"
        await self._wait(f"a message with {text!r}", selector, seconds)

    async def wait_received(self, text: str, seconds: float = PROMPT_SECONDS) -> None:
        """Wait until one of our messages with this text has the sign that it was received (XEP-0184)."""
        selector = f"converse-chat-message:has-text({_quoted(text)}):has(.chat-msg__receipt)"
        await self._wait(f"the receipt for {text!r}", selector, seconds)

    async def open_chat(self, name: str, seconds: float = PROMPT_SECONDS) -> None:
        """Click on somebody in the list of contacts, once they are there."""
        selector = f"converse-roster-contact:has-text({_quoted(name)}) a.open-chat"
        await self._wait(f"the contact {name}", selector, seconds)
        await self.page.locator(selector).first.click()

    async def send(self, text: str) -> None:
        """Type into the open chat and press Enter."""
        box = self.page.locator("textarea.chat-textarea:visible").first
        await box.fill(text)
        await box.press("Enter")

    async def screenshot(self, file: Path) -> None:
        await self.page.screenshot(path=str(file))


def _quoted(text: str) -> str:
    """As a string of CSS, which knows JSON's escapes of quotes, but not those of other characters."""
    return json.dumps(text, ensure_ascii=False)


@contextlib.asynccontextmanager
async def open_converse(url: str, *, width: int = 1200, height: int = 760) -> AsyncIterator[ConversePage]:
    """The page in a headless Chromium with a profile of its own, gone after the `async with`."""
    from playwright.async_api import async_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    quiet += ["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"]
    with scratch("chromium") as profile:
        async with async_playwright() as playwright:
            context = await playwright.chromium.launch_persistent_context(
                str(profile), executable_path=find_program("chromium"), headless=True, args=quiet,
                viewport={"width": width, "height": height},
            )  # fmt: skip
            try:
                page = ConversePage(await context.new_page())
                await page.page.goto(url)
                yield page
            finally:
                await context.close()
