"""The daemon: a supervisor that opens the sockets (`run`), and the workers that it starts."""
