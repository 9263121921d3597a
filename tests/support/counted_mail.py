"""Mail that was counted, written into a store as a worker does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reputation.statistics.deposit import Deposits
from reputation.statistics.observation import Observation, Profile
from reputation.statistics.tally import Tally, sum_adds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reputation.store import Store

TEXT: Final = "The quarterly report is attached; look at it before the meeting on Thursday."


def a_profile(action: str = "pass", kind: str = "", country: str = "FR") -> Profile:
    """Return what an inbound message is counted by."""
    return Profile(
        direction="inbound",
        listener="inbound",
        action=action,
        stage="message",
        kind=kind,
        size="4096",
        language="fr",
        script="Latin",
        country=country,
        hops="0",
        symbols=("SPF_PASS",),
        auth=(("spf", "pass"),),
    )


def an_observation(
    at: float, action: str = "pass", *, network: str = "AS64500 Example", saved: int = 0
) -> Observation:
    """Return one message."""
    return Observation(
        at=at,
        size=1000,
        unwanted=action != "pass",
        saved=saved,
        profile=a_profile(action, "fraud" if action == "reject" else ""),
        sources=(
            ("block", "192.0.2.0/24"),
            ("network", network),
            ("recipient_domain", "ours.example"),
        ),
        text=TEXT,
    )


def count(store: Store, observations: Iterable[Observation], now: float) -> None:
    """Count `observations` in `store`."""
    tally, deposits = Tally(), Deposits()
    for one in observations:
        tally.count(one)
    tally.spent(now, 7_200_000_000)
    store.write(sum_adds([tally.take_sums()]))
    deposits.add(tally.take_sketches())
    deposits.settle(store, now)
