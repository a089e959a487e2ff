"""A mailbox, watched over IMAP: new mail as files, marks and copies back."""
