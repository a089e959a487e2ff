"""The core: routing, sessions, rooms, roster and durability, without a word of XMPP or of any one network."""
