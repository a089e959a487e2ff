"""Finds the servers of a mail address, and tries them."""
