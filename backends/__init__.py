"""The adapters: one folder per foreign network. They import `bridge.api` and nothing else of the bridge."""
