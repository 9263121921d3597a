"""What documents and pictures say, read in a process that may die of it."""
