"""The daemon: a supervisor that opens the sockets, and the workers that it starts."""
