"""The SMTP door: protocol, session and what a client may say about whom it speaks for."""
