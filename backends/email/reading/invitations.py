"""Knows invitations (text/calendar, RFC 5545, RFC 5546): what, when, where and who, in lines for a chat.
Pure."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from backends.email.reading.words import one_line

LONGEST = 256 * 1024
"""Octets of a calendar that are looked at."""

MOST_EVENTS, MOST_PEOPLE = 5, 20
_LONGEST_FIELD = 500
_TITLES = {
    "REQUEST": "Invitation",
    "CANCEL": "Cancelled",
    "REPLY": "Answer to an invitation",
    "COUNTER": "Another time proposed",
    "DECLINECOUNTER": "Proposed time declined",
}
_ANSWERS = {
    "ACCEPTED": "accepts",
    "DECLINED": "declines",
    "TENTATIVE": "may come",
    "DELEGATED": "sends someone else",
}


def lines(data: bytes) -> list[str]:
    """A calendar's events in words; empty if it has none, or can't be read."""
    from icalendar import Calendar

    try:
        calendar = Calendar.from_ical(data[:LONGEST])
        events = [each for each in calendar.walk() if each.name in ("VEVENT", "VTODO")]
        method = str(calendar.get("METHOD", "")).upper()
        found = [_event(each, method) for each in events[:MOST_EVENTS]]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, RecursionError):
        # whatever the library makes of a broken calendar: the file itself is shown as an attachment
        return []
    return [line for event in found for line in (*event, "")][:-1]


def _event(event: Any, method: str) -> list[str]:
    title = _TITLES.get(method, "Event" if event.name == "VEVENT" else "Task")
    if _text(event, "STATUS").upper() == "CANCELLED":
        title = "Cancelled"
    result = [f"{title}: {_text(event, 'SUMMARY') or '(no title)'}"]
    if when := _when(event):
        result.append(f"When: {when}")
    if event.get("RRULE") is not None:
        result.append(f"Repeats: {_repeats(event)}")
    if where := _text(event, "LOCATION"):
        result.append(f"Where: {where}")
    if organizer := event.get("ORGANIZER"):
        result.append(f"From: {_person(organizer)}")
    if people := _people(event, method):
        result.append(f"Who: {people}")
    return result


def _text(event: Any, name: str) -> str:
    value = event.get(name, "")
    value = value[0] if isinstance(value, list) and value else value
    return one_line(str(value))[:_LONGEST_FIELD]


def _moment(event: Any, name: str) -> date | None:
    """A time, or a day; None if there is none."""
    value = getattr(event.get(name), "dt", None)
    return value if isinstance(value, date) else None


def _when(event: Any) -> str:
    start = _moment(event, "DTSTART") or _moment(event, "DUE")
    if start is None:
        return ""
    end = _moment(event, "DTEND")
    length = getattr(event.get("DURATION"), "dt", None)
    if end is None and isinstance(length, timedelta):
        end = start + length
    if not isinstance(start, datetime):
        return _days(start, end)
    zone = _zone(start)
    text = f"{start:%a %d %b %Y, %H:%M}"
    if isinstance(end, datetime) and end > start.replace(tzinfo=end.tzinfo):
        text += f"–{end:%H:%M}" if end.date() == start.date() else f" – {end:%a %d %b %Y, %H:%M}"
    return f"{text} ({zone})" if zone else text


def _days(start: date, end: date | None) -> str:
    """Whole days; the end is the first day that is no part of it (RFC 5545 §3.6.1)."""
    last = end - timedelta(days=1) if end is not None else start
    text = f"{start:%a %d %b %Y}"
    return f"{text} – {last:%a %d %b %Y}" if last > start else f"{text}, all day"


def _zone(moment: datetime) -> str:
    if moment.tzinfo is None:
        return ""
    name = getattr(moment.tzinfo, "key", "") or moment.tzname() or ""
    offset = moment.utcoffset() or timedelta()
    if not offset:
        return "UTC" if name in ("", "UTC", "Etc/UTC") else f"{name}, UTC"
    minutes = int(offset.total_seconds()) // 60
    sign, minutes = ("-" if minutes < 0 else "+"), abs(minutes)
    return one_line(f"{name}, UTC{sign}{minutes // 60:02}:{minutes % 60:02}")


def _repeats(event: Any) -> str:
    rule = event["RRULE"]
    rule = rule[0] if isinstance(rule, list) else rule
    return one_line(rule.to_ical().decode("utf-8", "replace"))[:_LONGEST_FIELD]


def _person(value: Any) -> str:
    address = str(value)
    address = address[7:] if address[:7].lower() == "mailto:" else address
    name = one_line(str(getattr(value, "params", {}).get("CN", ""))).strip("\"'")
    return one_line(f"{name} <{address}>" if name and name != address else address)[:_LONGEST_FIELD]


def _people(event: Any, method: str) -> str:
    people = event.get("ATTENDEE", [])
    people = people if isinstance(people, list) else [people]
    shown = [_person(each) + _answer(each, method) for each in people[:MOST_PEOPLE]]
    if len(people) > MOST_PEOPLE:
        shown.append(f"and {len(people) - MOST_PEOPLE} more")
    return ", ".join(shown)


def _answer(value: Any, method: str) -> str:
    answer = _ANSWERS.get(str(value.params.get("PARTSTAT", "")).upper(), "")
    return f" {answer}" if answer and method == "REPLY" else ""
