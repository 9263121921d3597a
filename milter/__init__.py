"""Gatepost's door: connections, messages, authentication, checks, relay and the wiring of all."""

__version__ = "0.1.0"
