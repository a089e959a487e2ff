"""A worker process that never comes to the end of a job."""

from __future__ import annotations

from backends.email.worker import child
from backends.email.worker.jobs import Answer, Job


def endless(job: Job) -> Answer:
    while True:
        hash(job)


if __name__ == "__main__":
    child.do = endless
    child.main()
