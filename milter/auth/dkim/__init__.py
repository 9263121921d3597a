"""DKIM (RFC 6376, 8301, 8463): who vouches for this message, and was it changed since.

dkimpy reads tags and keys and hashes headers; what it is slow at or too lenient with is done here.
"""

from milter.auth.dkim.result import DkimResult
from milter.auth.dkim.verify import check_dkim

__all__ = ["DkimResult", "check_dkim"]
