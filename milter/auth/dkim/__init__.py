"""DKIM (RFC 6376, 8301, 8463): who vouches for this message, and was it changed since.

It is compared with dkimpy in tests; docs/decisions/dkim-keys-first.md says why that is not used.
"""

from milter.auth.dkim.result import DkimResult
from milter.auth.dkim.verify import check_dkim, claimed_signers

__all__ = ["DkimResult", "check_dkim", "claimed_signers"]
