"""The questions that rspamd's clients ask, answered in its shape, so that they need no change."""
