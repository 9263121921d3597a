"""Judgement: evidence in, verdict out. Pure; no I/O but in `loader`, no clock."""
