"""Tests of the SMS backend."""
