"""The next hop: an SMTP and LMTP client, its connections, and transactions relayed through them.

There is no queue and no bounce here. A transaction gets the hop's own answer, or an error that
tells the client to come again.
"""
