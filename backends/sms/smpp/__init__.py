"""The SMPP 3.4 carrier: one bind to an SMSC, over which texts go out, and texts and receipts come in."""
