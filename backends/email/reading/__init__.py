"""Raw mails into `ReadMail`: `mail.read_mail` is the way in. No input makes anything here raise, except
that a file can't be read or written (OSError)."""
