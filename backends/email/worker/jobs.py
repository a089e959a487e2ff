"""The values that go to a worker process and back, as MessagePack with four octets of length before it."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from backends.email.values import Draft, Limits, ReadMail, WrittenMail

LONGEST = 32 * 1024 * 1024
"""Octets of a job or an answer; neither has files in it."""

LENGTH = 4


class Read(msgspec.Struct, frozen=True, tag=True):
    """Read the mail in `path`; its files go to `folder`."""

    path: str
    folder: str
    limits: Limits


class Compose(msgspec.Struct, frozen=True, tag=True):
    """Write a draft to the new file `path`."""

    draft: Draft
    path: str


class WasRead(msgspec.Struct, frozen=True, tag=True):
    """The answer to `Read`."""

    mail: ReadMail


class WasWritten(msgspec.Struct, frozen=True, tag=True):
    """The answer to `Compose`."""

    mail: WrittenMail


class Invalid(msgspec.Struct, frozen=True, tag=True):
    """The draft can't be written: ValueError."""

    why: str


class NoFile(msgspec.Struct, frozen=True, tag=True):
    """A file can't be read or written: OSError."""

    number: int
    why: str
    path: str


class Failed(msgspec.Struct, frozen=True, tag=True):
    """What no mail should lead to: too little memory, or a bug. `why` has no text of the mail in it."""

    why: str


Job: TypeAlias = Read | Compose
Answer: TypeAlias = WasRead | WasWritten | Invalid | NoFile | Failed

_ENCODER = msgspec.msgpack.Encoder()
_JOBS: msgspec.msgpack.Decoder[Job] = msgspec.msgpack.Decoder(Job)
_ANSWERS: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def frame(value: Job | Answer) -> bytes:
    """A value as it is sent. Raises ValueError for a Job with text that is none (lone surrogates)."""
    body = _ENCODER.encode(value)
    return len(body).to_bytes(LENGTH, "big") + body


def length(prefix: bytes) -> int:
    """How long the value after these octets is. Raises ValueError if it is longer than any can be."""
    found = int.from_bytes(prefix, "big")
    if found > LONGEST:
        raise ValueError("not a length")
    return found


def job(body: bytes) -> Job:
    """A job, from the octets after its length."""
    return _JOBS.decode(body)


def answer(body: bytes) -> Answer:
    """An answer, from the octets after its length. Raises msgspec.MsgspecError for what is none."""
    return _ANSWERS.decode(body)
