"""The SMS backend: phone numbers as contacts, texts as chat; by SMPP and by providers' HTTP interfaces."""
