"""Rules of SpamAssassin, read and said again in the language of policies."""
