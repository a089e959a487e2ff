"""What runs in a worker process: jobs from standard input, answers to standard output, until the input ends.
It has no secrets, little memory, and a limit of processor time for each job; who overruns it is killed."""

from __future__ import annotations

import math
import os
import resource
import sys
from pathlib import Path
from typing import BinaryIO

from backends.email.reading.mail import read_mail
from backends.email.worker import jobs
from backends.email.worker.jobs import (
    Answer,
    Compose,
    Failed,
    Invalid,
    Job,
    NoFile,
    Read,
    WasRead,
    WasWritten,
)
from backends.email.writing.compose import compose

OPEN_FILES = 64


def main() -> None:
    """The arguments are the octets of address space and the seconds of processor time for each job."""
    memory, seconds = int(sys.argv[1]), int(sys.argv[2])
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that a library prints may get between the answers
    limit(memory)
    while (job := _next(source)) is not None:
        _limit_time(seconds)
        target.write(_frame(do(job)))
        target.flush()


def limit(memory: int) -> None:
    """Bound what this process may use, for good."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    sys.setrecursionlimit(1000)


def _limit_time(seconds: int) -> None:
    """Be killed (SIGXCPU) after so much more processor time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(used.ru_utime + used.ru_stime) + seconds
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard == resource.RLIM_INFINITY or soft < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _next(source: BinaryIO) -> Job | None:
    prefix = source.read(jobs.LENGTH)
    return jobs.job(source.read(jobs.length(prefix))) if len(prefix) == jobs.LENGTH else None


def do(job: Job) -> Answer:
    """Do a job. Whatever happens, there is an answer, unless the process is killed."""
    try:
        if isinstance(job, Read):
            return WasRead(read_mail(Path(job.path), Path(job.folder), job.limits))
        return _write(job)
    except OSError as error:
        return NoFile(error.errno or 0, error.strerror or "", str(error.filename or ""))
    except MemoryError:
        return Failed("it takes too much memory")
    except Exception as error:  # noqa: BLE001  # a bug of ours is answered with a tombstone, not with silence
        return Failed(f"{type(error).__name__} in {_place(error)}")


def _write(job: Compose) -> Answer:
    try:
        return WasWritten(compose(job.draft, Path(job.path)))
    except ValueError as error:
        return Invalid(str(error) if str(error).isascii() else "it can't be written")


def _place(error: BaseException) -> str:
    """Where a bug is: file and line, without anything of the mail."""
    trace, place = error.__traceback__, "?"
    while trace is not None:
        place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _frame(answer: Answer) -> bytes:
    try:
        return jobs.frame(answer)
    except ValueError as error:
        return jobs.frame(Failed(f"{type(error).__name__} in the answer"))


if __name__ == "__main__":
    main()
