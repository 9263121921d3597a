"""Text made comparable: the same words in every disguise, and what the disguise was."""
