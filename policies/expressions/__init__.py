"""The expressions of policies: CEL over typed facts, behind an interface of our own."""
