"""DNS lists: what is asked about a message, what the answers mean, and whom to believe."""
