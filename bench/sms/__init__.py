"""Texts in the bench: what one costs, in and out, and whether 500 a second each way go through one bind."""
