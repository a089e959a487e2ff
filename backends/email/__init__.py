"""The email backend: correspondents as contacts, mail as chat; for mailboxes (IMAP) and a domain (SMTP)."""
