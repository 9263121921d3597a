"""Reading a message from bytes: bounded, linear, lazy. Pure; judges nothing and raises nothing."""
