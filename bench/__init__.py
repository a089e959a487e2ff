"""Figures: the bridge as a process between a raw XMPP server end and a raw IRC server end (`python -m bench`)."""
