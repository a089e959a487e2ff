"""Drafts into mails: `compose.compose` is the way in."""
