"""Statistics of mail over windows of time, kept in the store; `docs/statistics.md` says what of.

`observation` is what is told of one message, `tally` gathers many of them, `deposit` puts them into
the store, `figures` reads a window back, and `money` puts prices to it. What comes from a set that
has an end (actions, countries) is counted exactly; sources, domains and campaigns, of which there
may be any number, in sketches of bounded size (`heavy`, `campaigns`) that state their error.
"""
