"""What outlives the process: one database, one writer, and a vault for secrets.

`Store.open` in `engine` is the way in.
"""
