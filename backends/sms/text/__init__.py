"""Texts as octets: alphabets, segments, headers, and parts put together again. Pure."""
