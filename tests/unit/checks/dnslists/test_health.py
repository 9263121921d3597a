from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

import pytest

from milter.checks.dnslists.health import (
    FAILURES_IN_A_ROW,
    FIRST_RETRY_S,
    LAST_RETRY_S,
    PROBE_EVERY_S,
    PROBE_QUESTIONS,
    REFUSALS_IN_A_ROW,
    SUSPECT,
    SUSPECT_EVERY_S,
    TRIAL,
    WINDOW,
    ListHealth,
    Report,
    State,
)
from policies.dnslists import DEFAULT_POINTS, UNFORGED, Asks, DnsList, ProbePoints

LIST = DnsList(
    "bl.example",
    (Asks.CLIENT_IP,),
    "block",
    codes={IPv4Address("127.0.0.2"): "BL"},
    points=DEFAULT_POINTS["addresses"],
)
# Test points are questions, too.
COUNTED = replace(LIST, a_day=100 + PROBE_QUESTIONS)
NOON = 1_790_000_000.0 // 86_400 * 86_400 + 43_200


@dataclass(slots=True)
class Life:
    """A list, and a clock that a test turns."""

    dns_list: DnsList = LIST
    now: float = 0.0
    changes: list[Report] = field(default_factory=list)
    health: ListHealth = field(init=False)

    def __post_init__(self) -> None:
        self.health = ListHealth(
            [self.dns_list], lambda: self.now, lambda: NOON + self.now, self.changes.append
        )

    def state(self) -> State:
        return self.health.reports()[0].state

    def probe(self, trouble: str = "") -> None:
        assert self.health.due() == [self.dns_list]
        self.health.probed(self.dns_list, trouble)

    def told(self, outcome: str, times: int, begin: int = 0, *, first: bool = True) -> None:
        ask = self.dns_list.asks[0]
        for number in range(begin, begin + times):
            client = f"10.{number // 256}.{number % 256}.7"
            self.health.told(self.dns_list, ask, client, outcome, first=first)

    def wait(self, seconds: float) -> None:
        self.now += seconds


def working(dns_list: DnsList = LIST) -> Life:
    life = Life(dns_list)
    life.probe()
    return life


@pytest.mark.parametrize(
    "clients",
    [
        pytest.param([f"192.0.2.{n}" for n in range(200)], id="a-24"),
        pytest.param([f"2001:db8::{n:x}" for n in range(200)], id="a-64"),
        pytest.param([f"2001:db8:0:{n:x}::7" for n in range(200)], id="many-64-of-a-48"),
    ],
)
def test_listed_network_is_one_subject_however_many_clients_it_has(clients: list[str]) -> None:
    life = working()
    # The mail of others, some of it listed as on most sites.
    life.told("not_listed", WINDOW // 5)
    life.told("listed", WINDOW // 5, begin=WINDOW // 5)

    for client in clients:
        life.health.told(LIST, Asks.CLIENT_IP, client, "listed")

    assert life.health.believes(LIST)


def test_listed_networks_set_aside_what_lists_nearly_all_of_them() -> None:
    life = working()
    for number in range(WINDOW):
        life.health.told(LIST, Asks.CLIENT_IP, f"2001:db8:{number:x}::7", "listed")

    assert not life.health.believes(LIST)


def test_new_list_is_not_asked_before_its_test_points() -> None:
    life = Life()
    assert not life.health.may_ask(LIST)
    life.probe()
    assert life.health.may_ask(LIST)
    assert life.health.believes(LIST)


def test_list_without_probing_is_believed_from_the_start() -> None:
    health = ListHealth([LIST], lambda: 0.0, lambda: NOON, probing=False)
    assert health.may_ask(LIST)
    assert health.believes(LIST)


@pytest.mark.parametrize(("graded", "state"), [(True, State.UP), (False, State.ASIDE)])
def test_list_that_grades_everybody_is_believed_while_most_grades_are_good(
    *, graded: bool, state: State
) -> None:
    life = Life(replace(LIST, graded=graded))
    life.probe()
    life.told("unknown", 60)

    assert life.state() is state


def test_list_that_grades_everybody_badly_is_set_aside() -> None:
    life = Life(replace(LIST, graded=True))
    life.probe()
    life.told("listed", 60)

    assert life.state() is State.ASIDE


def test_test_points_are_due_every_ten_minutes() -> None:
    life = working()
    life.wait(PROBE_EVERY_S - 1)
    assert life.health.due() == []
    life.wait(1)
    assert life.health.due() == [LIST]
    assert life.health.due() == []


def test_list_that_fails_its_test_points_is_set_aside_and_comes_back() -> None:
    life = working()
    life.wait(PROBE_EVERY_S)
    life.probe("it lists 127.0.0.1: it lists the world")
    assert not life.health.may_ask(LIST)
    assert not life.health.believes(LIST)
    life.wait(FIRST_RETRY_S)
    life.probe()
    assert life.state() is State.UP
    assert [(c.state, c.reason) for c in life.changes] == [
        (State.UP, ""),
        (State.ASIDE, "it lists 127.0.0.1: it lists the world"),
        (State.UP, ""),
    ]


def test_list_that_stays_bad_is_tried_at_growing_intervals() -> None:
    life, pauses = Life(), []
    life.probe("no answer")
    for _ in range(9):
        pauses.append(life.health.reports()[0].retry_s)
        life.wait(pauses[-1])
        life.probe("no answer")
    assert pauses == [30, 60, 120, 240, 480, 960, 1920, LAST_RETRY_S, LAST_RETRY_S]


def test_list_that_comes_and_goes_is_left_alone_for_longer() -> None:
    life = working()
    life.told("error", REFUSALS_IN_A_ROW)
    life.wait(FIRST_RETRY_S)
    life.probe()
    life.told("error", REFUSALS_IN_A_ROW)
    assert life.health.reports()[0].retry_s == 2 * FIRST_RETRY_S


def test_list_that_was_well_for_long_begins_anew() -> None:
    life = working()
    life.told("error", REFUSALS_IN_A_ROW)
    life.wait(FIRST_RETRY_S)
    life.probe()
    life.wait(3 * FIRST_RETRY_S)
    life.told("error", REFUSALS_IN_A_ROW)
    assert life.health.reports()[0].retry_s == FIRST_RETRY_S


@pytest.mark.parametrize(
    ("outcome", "run"), [("error", REFUSALS_IN_A_ROW), ("temperror", FAILURES_IN_A_ROW)]
)
def test_run_of_failures_sets_a_list_aside(outcome: str, run: int) -> None:
    life = working()
    life.told(outcome, run - 1)
    assert life.state() is State.UP
    life.told(outcome, 1, begin=run)
    assert life.state() is State.ASIDE


@pytest.mark.parametrize("outcome", ["error", "temperror"])
def test_failures_that_are_no_run_leave_a_list_as_it_is(outcome: str) -> None:
    life = working()
    for _ in range(20):
        life.told(outcome, 2)
        life.told("not_listed", 1)
    assert life.state() is State.UP


def test_list_that_lists_nearly_everything_is_set_aside() -> None:
    life = working()
    life.told("not_listed", 4)
    life.told("listed", WINDOW - 5, begin=4)
    assert life.state() is State.UP
    life.told("listed", 1, begin=WINDOW - 1)
    assert life.state() is State.ASIDE
    assert life.changes[-1].reason == "it listed 46 of the last 50 subjects"


def test_listings_in_a_row_have_the_test_points_asked_at_once() -> None:
    life = working()
    life.wait(SUSPECT_EVERY_S)
    life.told("listed", SUSPECT - 1)
    assert life.health.due() == []
    life.told("listed", 1, begin=SUSPECT)
    assert life.health.due() == [LIST]


def test_listings_in_a_row_have_the_test_points_asked_now_and_then() -> None:
    life, asked = working(), 0
    for number in range(120):
        life.wait(1)
        # A list on which many are, and truly.
        life.told("not_listed" if number % 8 == 7 else "listed", 1, begin=number)
        asked += len(life.health.due())
    assert asked == 120 / SUSPECT_EVERY_S


def test_listings_of_one_subject_or_with_others_between_are_no_suspicion() -> None:
    life = working()
    life.wait(SUSPECT_EVERY_S)
    for number in range(20):
        life.told("listed", 2, begin=100)
        life.told("not_listed", 1, begin=number)
    assert life.health.due() == []


@pytest.mark.parametrize("ask", [ask for ask in Asks if ask not in UNFORGED])
def test_listings_of_what_senders_write_have_the_test_points_asked_and_no_more(ask: Asks) -> None:
    life = working(replace(LIST, asks=(ask,)))
    life.wait(SUSPECT_EVERY_S)
    life.told("listed", 2 * WINDOW)
    assert life.state() is State.UP
    assert life.health.due() == [life.dns_list]


def test_listings_of_what_senders_write_count_where_there_are_no_test_points() -> None:
    life = working(replace(LIST, asks=(Asks.URL_DOMAIN,), points=ProbePoints()))
    life.told("listed", WINDOW)
    assert life.state() is State.ASIDE


def test_one_message_stands_for_one_subject() -> None:
    life = working()
    for message in range(WINDOW - 1):
        life.told("listed", 1, begin=20 * message)
        life.told("listed", 19, begin=20 * message + 1, first=False)
    assert life.state() is State.UP
    life.told("listed", 1, begin=20 * WINDOW)
    assert life.state() is State.ASIDE


@pytest.mark.parametrize("outcome", ["listed", "unknown"])
def test_one_subject_again_and_again_is_one_subject(outcome: str) -> None:
    life = working()
    for _ in range(10 * WINDOW):
        life.told(outcome, 1)
    assert life.state() is State.UP


def test_list_may_have_a_share_of_its_own() -> None:
    life = Life(replace(LIST, most_hits=98))
    life.probe()
    life.told("not_listed", 1)
    life.told("listed", WINDOW - 1, begin=1)
    assert life.state() is State.UP
    life.told("listed", 1, begin=WINDOW)
    assert life.state() is State.ASIDE


def test_list_that_listed_the_world_comes_back_on_trial() -> None:
    life = working()
    life.told("listed", WINDOW)
    life.wait(FIRST_RETRY_S)
    life.probe()
    assert life.state() is State.TRIAL
    assert life.health.may_ask(LIST)
    assert not life.health.believes(LIST)
    life.told("not_listed", 5)
    life.told("listed", TRIAL - 5, begin=5)
    assert life.state() is State.UP


def test_list_on_trial_that_still_lists_everything_goes_again() -> None:
    life = working()
    life.told("listed", WINDOW)
    life.wait(FIRST_RETRY_S)
    life.probe()
    life.told("listed", TRIAL)
    assert life.state() is State.ASIDE
    assert life.health.reports()[0].retry_s == 2 * FIRST_RETRY_S


@pytest.mark.parametrize("outcome", ["error", "temperror"])
def test_one_question_for_which_many_messages_wait_is_one_failure(outcome: str) -> None:
    life = working()
    for _ in range(10):
        life.told(outcome, 2)
    assert life.state() is State.UP
    life.told(outcome, 5, begin=1)
    assert life.state() is State.ASIDE


def test_questions_of_the_day_are_counted_and_end() -> None:
    life = working(COUNTED)
    asked = [life.health.may_ask(COUNTED) for _ in range(150)]
    assert asked.count(True) == 100
    assert life.state() is State.SPENT
    assert life.changes[-1].reason == "its 103 questions of the day are asked"


def test_questions_of_other_workers_count() -> None:
    life = working(COUNTED)
    life.health.count_others({"bl.example": 99})
    assert [life.health.may_ask(COUNTED) for _ in range(2)] == [True, False]


def test_questions_begin_anew_with_the_day() -> None:
    life = working(COUNTED)
    life.health.count_others({"bl.example": 100})
    assert not life.health.may_ask(COUNTED)
    life.wait(43_200)
    assert life.health.may_ask(COUNTED)
    assert life.health.reports()[0].asked == 1


def test_list_that_was_spent_on_trial_is_on_trial_the_next_day_and_probed_at_once() -> None:
    life = working(COUNTED)
    life.told("listed", WINDOW)
    life.wait(FIRST_RETRY_S)
    life.probe()
    while life.health.may_ask(COUNTED):
        pass
    assert life.state() is State.SPENT
    assert life.health.due() == []
    life.wait(43_200)
    assert life.health.may_ask(COUNTED)
    assert life.state() is State.TRIAL
    assert not life.health.believes(COUNTED)
    life.probe()
    life.told("not_listed", TRIAL)
    assert life.state() is State.UP


@pytest.mark.parametrize(("a_day", "probes"), [(0, 144), (100_000, 144), (330, 11)])
def test_list_that_may_be_asked_little_is_probed_seldom(a_day: int, probes: int) -> None:
    life, due = Life(replace(LIST, a_day=a_day)), 0
    for _ in range(1440):
        for dns_list in life.health.due():
            life.health.probed(dns_list, "")
            due += 1
        life.wait(60)
    assert due == probes


def test_lists_of_one_zone_and_key_share_their_health() -> None:
    other = replace(LIST, asks=(Asks.RECEIVED_IP,))
    keyed = replace(LIST, key="k")
    health = ListHealth([LIST, other, keyed], lambda: 0.0, lambda: NOON)
    assert health.due() == [LIST, keyed]
    health.probed(LIST, "")
    assert health.believes(other)
    assert not health.believes(keyed)


def test_report_shows_no_key() -> None:
    health = ListHealth([replace(LIST, key="s3cret")], lambda: 0.0, lambda: NOON)
    assert "s3cret" not in repr(health.reports())
