"""Tests of bridge.store, the same on SQLite and on PostgreSQL."""
