"""What asks the DNS: one protocol, a client, a cache and a fake behind it."""
