"""What we use and override of aiosmpplib is still there, and as it was: it is not all public."""

from __future__ import annotations

import inspect
import logging

import pytest
from aiosmpplib import ESME
from aiosmpplib.broker import AbstractBroker
from aiosmpplib.correlator import AbstractCorrelator
from aiosmpplib.hook import AbstractHook
from aiosmpplib.retrytimer import AbstractRetryTimer
from aiosmpplib.throttle import AbstractThrottleHandler

from backends.sms.smpp import bind, library, window

OVERRIDDEN = {
    "connect": [],
    "_get_pdu": [],
    "_handle_request": ["pdu", "header"],
    "_handle_response": ["pdu", "header"],
    "_connection_keeper": [],
    "_receive_data": [],
    "_dequeue_messages": [],
    "_end_task": ["task"],
    "_disconnect": [],
}
USED = {"_send_data": ["smpp_message"], "start": []}
STATE = ("_reader", "_writer", "_session_state", "_bound", "_is_shutting_down", "bind_mode", "socket_timeout")


@pytest.mark.parametrize(("name", "parameters"), {**OVERRIDDEN, **USED}.items())
def test_a_method_is_as_we_know_it(name: str, parameters: list[str]) -> None:
    method = getattr(ESME, name)
    assert inspect.iscoroutinefunction(method)
    assert list(inspect.signature(method).parameters) == ["self", *parameters]


def test_only_these_are_overridden() -> None:
    ours = {name for name in vars(bind.Bind) if name in vars(ESME) and not name.startswith("__")}
    assert ours == set(OVERRIDDEN)


def test_its_loops_call_what_we_override() -> None:
    start = inspect.getsource(ESME.start)
    for name in ("connect", "_receive_data", "_dequeue_messages", "_connection_keeper", "_end_task"):
        assert f"self.{name}(" in start
    receiving = inspect.getsource(ESME._receive_data)
    for name in ("_get_pdu", "_handle_request", "_handle_response"):
        assert f"self.{name}" in receiving
    assert "await self.hook.sending(" in inspect.getsource(ESME._send_data).split("self._writer.write(")[0]


def test_the_state_is_as_we_know_it() -> None:
    made = ESME("127.0.0.1", 1, "id", "", log_level=library.SILENT, log_handler=logging.NullHandler())
    for name in STATE:
        assert hasattr(made, name)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (window.Window, AbstractBroker),
        (library.NoCorrelator, AbstractCorrelator),
        (library.Hook, AbstractHook),
        (library.Retry, AbstractRetryTimer),
        (library.NoThrottle, AbstractThrottleHandler),
    ],
)
def test_ours_stand_in_for_theirs(ours: type, theirs: type) -> None:
    assert issubclass(ours, theirs)
    assert not inspect.isabstract(ours)
    for name in theirs.__abstractmethods__:  # type: ignore[attr-defined]
        ours_takes = list(inspect.signature(getattr(ours, name)).parameters)
        assert ours_takes == list(inspect.signature(getattr(theirs, name)).parameters)
