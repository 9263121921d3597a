"""One transaction through all checks to its outcome, the same for every door."""
