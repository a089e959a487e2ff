"""`python -m bridge` is the same as `xmpp-bridge`."""

from bridge.app.cli import main

if __name__ == "__main__":
    main()
