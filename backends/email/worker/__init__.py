"""Mails are read and written in a process of its own, so that nothing in one can hold up the bridge: `pool`
has the way in, `child` is what runs there."""
