"""Sends texts by a provider's REST interface (Twilio's Messages resource)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from backends.sms import addresses
from backends.sms.carrier import Desk, NotPossible
from backends.sms.http.access import own_access
from backends.sms.http.client import SECONDS, Client
from backends.sms.http.line import Line
from backends.sms.http.missed import Missed, begin
from backends.sms.http.options import OWN, TwilioOptions, access
from backends.sms.http.reasons import LATER, failure, refusal
from backends.sms.http.rest import NoAnswer, NotReached, Reply, Rest
from backends.sms.text.segments import count
from backends.sms.values import Outgoing
from bridge.api import (
    Attachment,
    Capabilities,
    Content,
    Host,
    Later,
    Outcome,
    Reason,
    Refused,
    Resolver,
    Sent,
    SentPart,
    Support,
    Unknown,
)

LONGEST = 1600
"""Characters of a text (Twilio's Messages resource, `Body`)."""
MOST_FILES = 10
SOON, LATEST = 1.0, 3600.0
"""After so many seconds a text is tried again that the provider took none of."""


class TwilioCarrier:
    """One account with a provider (see `backends.sms.carrier.Carrier`): a route of the admin's, or a user's
    own. `external_url` is where the provider reaches our webhooks.

    A text is handed over once. The provider has no key that would drop a double, so a time-out or a break
    after the request began to go out is `Unknown`, and so is a 5xx."""

    def __init__(
        self,
        name: str,
        options: TwilioOptions,
        resolver: Resolver,
        external_url: str,
        *,
        line: Line | None = None,
        seconds: float = SECONDS,
    ) -> None:
        """Reads the secrets' files, unless a `line` is given (see `own_carrier`). An answer is waited for
        `seconds`. Raises `ValueError`, naming the option."""
        self._line = line or Line(name, access(options, name), resolver, options.ca_file)
        self._callback = self._line.webhook(external_url, "status") if options.reports else ""
        self._client = Client(resolver, options.ca_file, options.max_in_flight, seconds)
        self._rest = Rest(self._line.access, self._client)
        self._turns = asyncio.Semaphore(options.max_in_flight)

    @property
    def line(self) -> Line:
        """Its receiving side, for `Webhooks.add`."""
        return self._line

    @property
    def capabilities(self) -> Capabilities:
        """Texts, and files as MMS."""
        return Capabilities(attachment=Support.NATIVE)

    def segments(self, text: str) -> int:
        """In how many texts it goes out, as the network counts. Raises `NotPossible`."""
        if len(text) > LONGEST:
            raise NotPossible(f"The text has {len(text)} characters; {LONGEST} can be sent at most.")
        return count(text)

    async def run(self, desk: Desk) -> None:
        """Until cancelled: what comes in comes by the webhooks; what they missed is fetched."""
        try:
            await Missed(self._line, self._rest).run(desk)
        finally:
            await self.close()

    async def connected(self, host: Host, number: str) -> None:
        """See `Carrier.connected`: texts from before it had the number are not for it."""
        await begin(host, number)

    async def close(self) -> None:
        """Close its connections; the end of `run` does it, too."""
        await self._client.close()

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Hand a text over. A file that is no https URL, or one too many, goes along as a line of text.
        What is only a file's address is left out of the text."""
        files, text = _with_links(outgoing)
        if len(text) > LONGEST:
            return Refused(Reason.TOO_LONG, f"The text is too long: {LONGEST} characters at most.")
        if why := addresses.can_answer(outgoing.contact):
            return Refused(Reason.FORBIDDEN, why)
        if not text and not files:
            return Refused(Reason.BAD_REQUEST, "There is nothing to send.")
        form = [("From", outgoing.number), ("To", addresses.tel(outgoing.contact)), ("Body", text)]
        form += [("MediaUrl", each.url) for each in files]
        if self._callback:
            form.append(("StatusCallback", self._callback))
        async with self._turns:
            try:
                reply = await self._rest.post("/Messages.json", form)
            except NotReached as error:
                return Later(SOON, f"The provider cannot be reached: {error}.")
            except NoAnswer as error:
                return Unknown(f"The provider did not answer: {error}.")
        return self._outcome(reply, Content(text, attachments=tuple(files)))

    def _outcome(self, reply: Reply, content: Content) -> Outcome:
        if reply.status == 429 or (reply.code in LATER and reply.status < 500):
            after = reply.after if reply.after is not None else SOON
            return Later(min(max(after, SOON), LATEST), "The provider takes no more texts for now.")
        if reply.status >= 500 or reply.status == 408:
            return Unknown(f"The provider has a fault ({reply.status}).")
        reason, words = refusal(reply.status, reply.code, reply.message)
        if not reply.ok:
            return Refused(reason, words)
        if reply.body.get("status") in ("failed", "undelivered"):
            return Refused(reason, failure(reply.code))
        sid = reply.body.get("sid")
        if not isinstance(sid, str) or not sid:
            return Unknown("The provider took it without a word.")
        return Sent((SentPart(self._line.message_id(sid), content),))


def own_carrier(
    settings: Mapping[str, str],
    secrets: Mapping[str, str],
    resolver: Resolver,
    external_url: str,
    *,
    own_api: str = "",
    ca_file: str = "",
) -> TwilioCarrier:
    """The carrier of a user's own account, made from what they registered (see `own_access`; the setting
    `hook` is the word in its webhooks' address). Raises `ValueError`, whose args are (text, field)."""
    access = own_access(settings, secrets, own_api)
    options = TwilioOptions(access.sid, "", ca_file=ca_file)
    number, hook = settings.get("number", ""), settings.get("hook", "")
    line = Line("", access, resolver, ca_file, number=number, hook=hook)
    return TwilioCarrier(OWN, options, resolver, external_url, line=line)


def _with_links(outgoing: Outgoing) -> tuple[list[Attachment], str]:
    files = [each for each in outgoing.attachments if each.url.startswith("https://")][:MOST_FILES]
    links = [each.url for each in outgoing.attachments if each not in files]
    said = "" if outgoing.text.strip() in {each.url for each in files} else outgoing.text
    lines = [said, *(url for url in links if url not in said)]
    return files, "\n".join(filter(None, lines)).encode("utf-8", "replace").decode("utf-8")
