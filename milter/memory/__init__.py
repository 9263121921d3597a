"""The store as an event loop may use it: asked with a deadline, written to in batches."""
