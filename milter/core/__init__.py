"""Values that every layer of the door shares; no I/O, no clock, no chance."""
