"""The XMPP face: the component stream, and one module per family of XMPP extensions on top of it."""
