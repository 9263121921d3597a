"""HTML of a message: what a person sees of it, what is hidden, and where it leads."""
