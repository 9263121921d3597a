"""How senders are authenticated, as the settings say; for live mail and for the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milter.auth.spf import SpfLimits
from milter.checks.catalogue import SenderChecks

if TYPE_CHECKING:
    from milter.settings import Settings


def sender_checks(settings: Settings) -> SenderChecks:
    """Return how `settings` have senders authenticated."""
    return SenderChecks(
        spf_limits=SpfLimits(**settings.spf.model_dump()),
        trusted_authserv_ids=settings.trusted_authserv_ids,
        trusted_sealers=settings.trusted_sealers,
        protected_domains=settings.protected_domains,
    )
