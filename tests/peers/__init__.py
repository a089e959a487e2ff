"""The real servers and clients that tests and the demo run against, one file each."""
