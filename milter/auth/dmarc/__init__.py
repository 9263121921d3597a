"""DMARC (RFC 9989): whether the author's domain stands behind the message, and what it asks for.

Knows records, the DNS tree walk, alignment and the wish of the domain. What is done about a failure
is the policy's business. Sends no reports.
"""

from milter.auth.dmarc.evaluate import check_dmarc
from milter.auth.dmarc.result import DmarcResult, Identifier
from milter.auth.dmarc.walk import Walker

__all__ = ["DmarcResult", "Identifier", "Walker", "check_dmarc"]
