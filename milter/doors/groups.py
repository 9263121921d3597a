"""Recipients that get the same message: under one policy, postmaster apart from others."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from policies.compile import Policy


class Group(NamedTuple):
    """Recipients that get the same message: the same policy, and postmaster apart from others.

    Attributes:
        policy: Theirs.
        postmaster: Whether they are postmasters of ours.
        key: Equal for recipients that share everything that shows.
    """

    policy: Policy
    postmaster: bool
    key: tuple[str, str, bool]

    @property
    def refusal(self) -> tuple[str, bool]:
        """Equal for recipients that are refused together."""
        return (self.policy.refusal_key, self.postmaster)


def group_of(policy: Policy, *, postmaster: bool) -> Group:
    """Return the group of a recipient."""
    return Group(policy, postmaster, (policy.refusal_key, policy.marks_key, postmaster))


def must_be_apart(group: Group, first: Group, mode: str) -> bool:
    """Return whether `group` cannot be in one transaction with `first`.

    Args:
        group: Of one recipient.
        first: Of the first recipient of the transaction.
        mode: `differing_recipients` of the listener.
    """
    if mode == "separate":
        return group.refusal != first.refusal
    # What the postmaster must get would carry the message past the filter to the others too.
    return group.postmaster != first.postmaster
