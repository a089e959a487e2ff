"""The commands of a gateway, each defined once, for ad-hoc dialogues (XEP-0050) and for chat alike."""
