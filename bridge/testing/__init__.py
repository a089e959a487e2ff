"""For authors of backends: a host to run a session against, and tests that every backend should pass."""

from bridge.testing.fake_gateway import FakeGatewayHost
from bridge.testing.fake_host import FakeHost, NotEmitted
from bridge.testing.scenario import Scenario

__all__ = ["FakeGatewayHost", "FakeHost", "NotEmitted", "Scenario"]
