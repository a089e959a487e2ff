"""Tests of the IRC backend."""
