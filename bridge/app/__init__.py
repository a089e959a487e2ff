"""The application: configuration, command line, logs, and the wiring of the floors below into one process."""
