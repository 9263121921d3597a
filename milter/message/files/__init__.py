"""Files in a message: what they are by their bytes, and what lies in them."""
