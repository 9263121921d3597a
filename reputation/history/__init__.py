"""What became of each message: written after the reply, looked for by people, judged again.

`record` is what is kept of one message, `journal` where it is kept and how it is found, `privacy`
what is left out where addresses shall not be kept. Nothing here knows what a verdict is.
"""
