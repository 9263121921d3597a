"""Checks: each looks at one aspect of a transaction and says what it saw; no weights."""
