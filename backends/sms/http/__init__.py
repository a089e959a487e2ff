"""Texts by a provider's HTTP interface in Twilio's shape (Twilio, SignalWire): sending by REST, receiving by
webhooks."""
