"""The daemon's HTTP port: metrics, health, a page, and messages to scan."""
