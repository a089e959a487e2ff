"""The wire layer: pure parts by properties, the stream against Prosody and a misbehaving raw server."""
