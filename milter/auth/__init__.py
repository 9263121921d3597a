"""Authentication of who sent a message; each method gives a result in the words of RFC 8601."""
