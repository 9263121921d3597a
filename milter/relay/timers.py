"""The deadlines of a client (RFC 5321 §4.5.3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Timers:
    """How long each answer of the next hop is waited for, in seconds (RFC 5321 §4.5.3.2).

    Attributes:
        connect_s: For the connection itself.
        address_s: For one address of a host's name, while another is left to be tried.
        greeting_s: For the 220 (RFC 5321 §4.5.3.2.1).
        ehlo_s: For the answer to EHLO, HELO, LHLO and XCLIENT.
        starttls_s: For the answer to STARTTLS, and again for the handshake.
        mail_s: For the answer to MAIL (RFC 5321 §4.5.3.2.2).
        rcpt_s: For the answer to RCPT (RFC 5321 §4.5.3.2.3).
        data_s: For the 354 (RFC 5321 §4.5.3.2.4).
        block_s: Without progress while the message is sent (RFC 5321 §4.5.3.2.5).
        final_s: From the final dot to its reply: a minute less than the ten that our own client
            waits (RFC 5321 §4.5.3.2.6), so that the answer still reaches it (RFC 1047).
        dot_by_s: After our client's final dot, for ours. Checks take some of our client's ten
            minutes, and so may MAIL and RCPT said anew, the 354 and the message; one that would end
            later than this is given up while the hop holds nothing, and the client gets 4xx. What
            is left is for the final answer, whose loss would double the message (RFC 1047).
        answer_by_s: After our client's final dot, for the hop's answer to ours, where that is
            earlier than `final_s`: half a minute is left to remember it and to say it.
        reset_s: For the answer to RSET.
        quit_s: For the answer to QUIT.
        queue_s: For a free place among the connections: short, because those who hold one may be
            clients that say nothing, and whoever hears 4xx comes again.
        retry_s: For which a host that failed is tried last.
        failover_s: For all from the connection to the answer to EHLO, while another host is left to
            be tried: one that hangs, as a stopped process does, takes connections and never greets.
            A server that makes clients wait for its greeting on purpose does so for a few seconds.
        hung_s: After which a host that is not ready counts as failed where nobody waits for it any
            more: every client may be less patient than we are.
    """

    connect_s: float = 30
    address_s: float = 5
    greeting_s: float = 300
    ehlo_s: float = 300
    starttls_s: float = 120
    mail_s: float = 300
    rcpt_s: float = 300
    data_s: float = 120
    block_s: float = 180
    final_s: float = 540
    dot_by_s: float = 240
    answer_by_s: float = 570
    reset_s: float = 20
    quit_s: float = 5
    queue_s: float = 5
    retry_s: float = 30
    failover_s: float = 20
    hung_s: float = 10


DEFAULT_TIMERS: Final = Timers()
