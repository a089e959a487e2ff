"""Finds what is new in the text of a mail. Pure.

What is cut: the mail that is answered where it stands below the answer (with `>` marks, under a line that
says who wrote it, or under a block of header lines), signatures, lines of phones, footers of lists. What
stays: a quote above the text, answers between quotes with those quotes, and everything in a mail that
forwards another one. If nothing would be left but the quote, the quote stays."""

from __future__ import annotations

import re

from backends.email.reading import attributions, footers, header_blocks, marks, reply_parser

LONGEST = 64 * 1024
"""Characters in which quotes and signatures are looked for; what is after them is cut in any case."""


def find(text: str, *, forward: bool = False, flowed: bool = False) -> tuple[str, bool]:
    """The new text, and whether anything was cut. The text may have marks (`marks`) in it. `forward`: a block
    of header lines begins something that is forwarded, not what is answered."""
    lines = [line if line == "-- " else line.rstrip() for line in text[:LONGEST].split("\n")]
    kept, forwarded = _split_at_forward(lines, forward)
    new = _without_quotes(kept, flowed) if not forwarded else _trimmed(_without_end(kept, flowed))
    if forwarded and new:
        new = [*new, ""]
    result = "\n".join([*new, *forwarded]).strip("\n")
    if not result.strip():
        result = "" if _only_footer(lines, flowed) else text[:LONGEST].strip("\n")
    whole = re.sub(r"\s+", "", marks.without(text))
    return result, whole != re.sub(r"\s+", "", marks.without(result))


def _split_at_forward(lines: list[str], forward: bool) -> tuple[list[str], list[str]]:
    """The lines before a forwarded mail, and those from there on. `forward`: a block of header
    lines is one, too."""
    for index, line in enumerate(lines):
        if _begins_forward(lines, index):
            return lines[:index], lines[index:]
        quote = line.startswith(marks.QUOTE) or header_blocks.is_original_line(line)
        if quote or header_blocks.begins_at(lines, index):
            if forward:
                start = header_blocks.above(lines, index)
                return lines[:start], lines[start:]
            if any(_begins_forward(lines, each) for each in range(index + 1, min(index + 4, len(lines)))):
                continue  # the mailer's markup for a quote is around a forwarded mail
            break
    return lines, []


def _begins_forward(lines: list[str], index: int) -> bool:
    """Whether a line says that a forwarded mail follows; Apple Mail has that line in the quote, as "
    "its first."""
    line = lines[index].removeprefix(marks.ATTRIBUTION)
    if line.startswith(">") and not (index and lines[index - 1].startswith(">")):
        line = line[1:]
    return header_blocks.is_forward_line(line)


def _without_quotes(lines: list[str], flowed: bool) -> list[str]:
    lines = _trimmed(lines)
    lines = _above_header_block(lines)
    for _ in range(6):
        before = len(lines)
        lines = _without_end(lines, flowed)
        lines = _without_trailing_quote(lines)
        lines = _above_bare_quote(lines)
        if len(lines) == before:
            break
    return _trimmed(reply_parser.shortened(lines))


def _trimmed(lines: list[str]) -> list[str]:
    start, end = 0, len(lines)
    while end > start and not marks.without(lines[end - 1]).strip() and not marks.images(lines[end - 1]):
        end -= 1
    while start < end and not lines[start].strip():
        start += 1
    return lines[start:end]


def _without_end(lines: list[str], flowed: bool) -> list[str]:
    """Lines without signature, lines of phones and footers of lists at their end."""
    for _ in range(8):
        lines = _trimmed(lines)
        starts = (
            footers.list_start(lines),
            footers.signature_start(lines, flowed=flowed),
            footers.phone_start(lines),
        )
        found = [start for start in starts if start is not None]
        if not found:
            break
        lines = lines[: min(found)]
    return lines


def _above_header_block(lines: list[str]) -> list[str]:
    for index, line in enumerate(lines):
        if not (
            line.startswith(marks.QUOTE)
            or header_blocks.is_original_line(line)
            or header_blocks.begins_at(lines, index)
        ):
            continue
        above = _trimmed(lines[: header_blocks.above(lines, index)])
        if above and header_blocks.is_original_line(above[-1]):
            above = _trimmed(above[:-1])
        if above:
            return above
    return lines


def _without_trailing_quote(lines: list[str]) -> list[str]:
    """Without a quote at the end, and the line before it that says who wrote it."""
    end = len(lines)
    while end and (not lines[end - 1].strip() or lines[end - 1].startswith(">")):
        end -= 1
    above = _without_attribution(lines[:end], strict=end == len(lines))
    return above if above else lines


def _without_attribution(lines: list[str], *, strict: bool) -> list[str]:
    """`strict` where no quote was below: a text may end with "he wrote:" by itself."""
    lines = _trimmed(lines)
    for count in range(1, min(attributions.MOST_LINES, len(lines)) + 1):
        start = len(lines) - count
        if attributions.length_at(lines, start, strict=strict) == count and _goes_back(lines, start):
            return _trimmed(lines[:start])
    return lines


def _goes_back(lines: list[str], start: int) -> bool:
    """Whether an attribution may begin here: not in the middle of one that begins earlier."""
    earlier = range(max(0, start - attributions.MOST_LINES + 1), start)
    return not any(attributions.length_at(lines, each) == len(lines) - each for each in earlier)


def _above_bare_quote(lines: list[str]) -> list[str]:
    """Above an attribution that a text without quote marks follows, as some mailers write it."""
    for index, line in enumerate(lines):
        count = attributions.length_at(lines, index, strict=not line.startswith(marks.ATTRIBUTION))
        if not count:
            continue
        rest = _trimmed(lines[index + count :])
        above = _trimmed(lines[:index])
        if above and rest and not rest[0].startswith(">"):
            return above
    return lines


def _only_footer(lines: list[str], flowed: bool) -> bool:
    """Whether there is nothing but a signature or the like."""
    return not _without_end(lines, flowed)
