"""Tests of bridge.core: a real store, a scripted network below, a recording face above."""
