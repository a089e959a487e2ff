"""Figures: the bridge as a process between a raw XMPP and a raw IRC server end (`python -m bench`)."""
