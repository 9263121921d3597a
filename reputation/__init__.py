"""Memory: what was seen of whom. Takes plain values and knows nothing of mail servers."""
