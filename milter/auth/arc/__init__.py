"""ARC (RFC 8617): what forwarders say that they saw, and whether their chain of seals holds.

A hint: only what sealers say whom the site trusts counts for anything. Seals nothing. Nothing but
`milter.checks.arc` needs this folder; without both, mail is judged as if nobody had sealed it.
"""

from milter.auth.arc.result import ArcResult
from milter.auth.arc.verify import check_arc

__all__ = ["ArcResult", "check_arc"]
