"""One file a schema version, each with the revision before it."""
