"""The bridge in a hurry: `python -m tests.sms.hurried run -c FILE` tells sooner of what waits."""

from __future__ import annotations

import sys

from backends.sms import departures
from bridge.app.cli import main

TELL_SECONDS = 1.0

if __name__ == "__main__":
    departures.TELL_SECONDS = TELL_SECONDS
    sys.exit(main())
