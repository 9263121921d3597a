"""Every check there is, the directions it runs for, and which of them a policy needs.

To add a check, write its file, and name its class here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milter.auth.spf import DEFAULT_LIMITS, SpfLimits, SpfMemory
from milter.checks.arc import ArcCheck
from milter.checks.attachments import AttachmentsCheck
from milter.checks.backscatter import BackscatterCheck
from milter.checks.bulk import BulkCheck
from milter.checks.bulk_rules import BulkRulesCheck
from milter.checks.classifier import ClassifierCheck
from milter.checks.connection import ConnectionCheck
from milter.checks.defects import DefectsCheck
from milter.checks.destinations import DestinationsCheck
from milter.checks.dkim import DkimCheck
from milter.checks.dmarc import DmarcCheck
from milter.checks.dnslists.asking import ListAsker
from milter.checks.dnslists.checks import (
    ClientListsCheck,
    HeloListsCheck,
    MessageListsCheck,
    SenderListsCheck,
    SignerListsCheck,
)
from milter.checks.dnslists.relays import relay_addresses
from milter.checks.enclosed import EnclosedCheck
from milter.checks.envelope import EnvelopeCheck
from milter.checks.forwarding import ForwardingCheck
from milter.checks.greylist import GreylistCheck
from milter.checks.gtube import GtubeCheck
from milter.checks.headers import HeadersCheck
from milter.checks.helo import HeloCheck
from milter.checks.html import HtmlCheck
from milter.checks.identities import IdentitiesCheck
from milter.checks.iprev import IprevCheck
from milter.checks.languages import LanguagesCheck
from milter.checks.links import LinksCheck
from milter.checks.lookalike import LookalikeCheck
from milter.checks.mailers import MailersCheck
from milter.checks.mime_form import MimeFormCheck
from milter.checks.oddities import OdditiesCheck
from milter.checks.patterns import PatternsCheck
from milter.checks.rate import RateCheck
from milter.checks.reputation import ReputationCheck
from milter.checks.size import SizeCheck
from milter.checks.spf import SpfCheck
from milter.checks.text import TextCheck
from milter.checks.upstream import UpstreamCheck
from policies.facts import FACTS_BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.checks.base import Check
    from milter.checks.classifier import Weights
    from milter.core.connection import Direction
    from milter.memory.recollection import Recollection
    from policies.compile import Plan

_CLASSES: Final[tuple[type[Check], ...]] = (
    *(ConnectionCheck, IprevCheck, HeloCheck, SpfCheck, EnvelopeCheck),
    *(DkimCheck, ArcCheck, HeadersCheck, SizeCheck, GtubeCheck, ForwardingCheck, LinksCheck),
    DestinationsCheck,
    *(HtmlCheck, PatternsCheck, UpstreamCheck, DmarcCheck),
    *(TextCheck, LanguagesCheck, AttachmentsCheck, EnclosedCheck, ClassifierCheck, LookalikeCheck),
    *(IdentitiesCheck, BulkCheck, BulkRulesCheck),
    *(OdditiesCheck, MimeFormCheck, MailersCheck, DefectsCheck),
    *(ClientListsCheck, HeloListsCheck, SenderListsCheck, MessageListsCheck, SignerListsCheck),
    *(ReputationCheck, BackscatterCheck, GreylistCheck, RateCheck),
)
# Which check runs for mail of which direction. Mail of our own clients is not asked about the
# client: its HELO, its reverse name and its address in lists say nothing about who sends.
DIRECTIONS: Final[dict[str, frozenset[Direction]]] = {
    check.name: check.directions for check in _CLASSES
}
# What strangers' records and keys may take of the time of their stage: what is left is for saying
# what is known without.
_RECORDS_SHARE: Final = 0.8
# What those and the hashes of a large body may take together.
_BODY_SHARE: Final = 0.95
# What the reverse zone of a client may take of it where lists are asked about the name: they are
# asked behind it.
_REVERSE_SHARE: Final = 0.5
# What the authors' name servers may take of the time of all checks that combine: those behind DMARC
# ask, too.
_DMARC_SHARE: Final = 0.5
# Those whose results stand in Authentication-Results, wanted or not by any policy.
_AUTHENTICATION: Final = frozenset({"iprev", "spf", "dkim", "arc", "dmarc"})


@dataclass(frozen=True, slots=True)
class SenderChecks:
    """How senders are authenticated.

    Attributes:
        spf_limits: What one evaluation of SPF may cost.
        trusted_authserv_ids: Whose results are believed on mail that our own relays pass on.
        trusted_sealers: Domains whose ARC seals count.
        protected_domains: Domains of the site that others imitate.
    """

    spf_limits: SpfLimits = DEFAULT_LIMITS
    trusted_authserv_ids: tuple[str, ...] = ()
    trusted_sealers: tuple[str, ...] = ()
    protected_domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Means:
    """What checks work with, beside the policies.

    Attributes:
        hostname: Our own name, that no client may bear.
        clock: Seconds since 1970, for signatures that expire.
        monotonic: Seconds, never going back, for what is remembered.
        authentication: Whether results are written into the header, so that the checks that yield
            them run in any case.
        senders: How senders are authenticated.
        budget_s: Seconds that the checks of a stage have; of those, shares are spent on waiting.
        lists: Asks the DNS lists; None: all of the plan, each believed.
        memory: What is remembered of whom; None: nothing, and the checks that ask it are left out.
        weights: What the classifier learned; None: there is no classifier.
    """

    hostname: str
    clock: Callable[[], float]
    monotonic: Callable[[], float] = time.monotonic
    authentication: bool = True
    senders: SenderChecks = SenderChecks()
    budget_s: float = 20.0
    lists: ListAsker | None = None
    memory: Recollection | None = None
    weights: Weights | None = None


def build_checks(plan: Plan, means: Means) -> tuple[Check, ...]:
    """Return the checks that `plan` needs, in the order in which their evidence shall stand.

    Args:
        plan: What the policies count and read; a check that yields nothing of it is left out.
        means: What they are given.
    """
    asker = means.lists or ListAsker(plan.dns_lists, means.monotonic)
    checks = (
        *_of_the_sender(means, asker),
        *_of_the_message(plan, means, asker),
        *_of_what_others_saw(plan, means, asker),
    )
    wanted = {FACTS_BY_NAME[fact].check for fact in plan.facts}
    if means.authentication:
        wanted |= _AUTHENTICATION
    needed = []
    # Whoever combines stands behind those that it judges by.
    for check in reversed(checks):
        if check.symbols & plan.symbols or check.name in wanted:
            needed.append(check)
            wanted |= {FACTS_BY_NAME[fact].check for fact in getattr(check, "reads", ())}
    return tuple(reversed(needed))


def _of_the_sender(means: Means, asker: ListAsker) -> tuple[Check, ...]:
    hostname, clock, senders = means.hostname, means.clock, means.senders
    wait_s = means.budget_s * _RECORDS_SHARE
    return (
        SpfCheck(hostname, SpfMemory(means.monotonic), senders.spf_limits, clock, wait_s),
        DkimCheck(clock, wait_s, means.budget_s * _BODY_SHARE),
        ArcCheck(clock, senders.trusted_sealers, wait_s),
        IprevCheck(),
        ConnectionCheck(),
        ClientListsCheck(asker, means.budget_s * _REVERSE_SHARE),
        HeloListsCheck(asker),
        SenderListsCheck(asker),
        HeloCheck(hostname),
        EnvelopeCheck(),
    )


def _of_the_message(plan: Plan, means: Means, asker: ListAsker) -> tuple[Check, ...]:
    return (
        MessageListsCheck(asker, relay_addresses),
        HeadersCheck(),
        SizeCheck(),
        GtubeCheck(),
        ForwardingCheck(),
        LinksCheck(),
        DestinationsCheck(),
        HtmlCheck(),
        TextCheck(),
        LanguagesCheck(),
        AttachmentsCheck(),
        EnclosedCheck(),
        *((ClassifierCheck(means.weights),) if means.weights else ()),
        LookalikeCheck(means.senders.protected_domains),
        IdentitiesCheck(),
        BulkCheck(),
        OdditiesCheck(means.clock),
        MimeFormCheck(),
        MailersCheck(),
        PatternsCheck(plan.patterns),
        DefectsCheck(),
    )


def _of_what_others_saw(plan: Plan, means: Means, asker: ListAsker) -> tuple[Check, ...]:
    """Return those that combine; each sees what stands before it, the greylist reputation, too."""
    memory = means.memory
    asked: tuple[Check, ...] = ()
    if memory is not None:
        asked = (
            ReputationCheck(memory),
            BackscatterCheck(memory),
            GreylistCheck(memory),
            RateCheck(memory, plan.rates),
        )
    return (
        UpstreamCheck(means.senders.trusted_authserv_ids),
        DmarcCheck(
            means.budget_s * _DMARC_SHARE, trusts_sealers=bool(means.senders.trusted_sealers)
        ),
        SignerListsCheck(asker),
        BulkRulesCheck(),
        *asked,
    )
