"""The milter protocol: a mail server asks about each step of a session, and we answer."""
