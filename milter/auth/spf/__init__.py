"""SPF: may this address send for this domain (RFC 7208).

`record` reads what a domain publishes, `macros` what may stand in it, `evaluation` asks the
questions that a record makes necessary and decides, `memory` keeps results, `check` is the way in.
"""

from milter.auth.spf.check import SpfMeans, check_helo, check_spf, remembered_helo
from milter.auth.spf.memory import SpfMemory
from milter.auth.spf.result import DEFAULT_LIMITS, SpfLimits, SpfResult

__all__ = [
    "DEFAULT_LIMITS",
    "SpfLimits",
    "SpfMeans",
    "SpfMemory",
    "SpfResult",
    "check_helo",
    "check_spf",
    "remembered_helo",
]
