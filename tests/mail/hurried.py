"""The bridge in a hurry (`python -m tests.mail.hurried run -c FILE`): it tells sooner of broken links."""

from __future__ import annotations

import sys

from bridge.app.cli import main
from bridge.core import events

MEND_SECONDS = 1.0

if __name__ == "__main__":
    events.MEND_SECONDS = MEND_SECONDS
    sys.exit(main())
