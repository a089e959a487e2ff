"""The SMPP carrier, against a real SMSC."""
