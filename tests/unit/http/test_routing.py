"""What is asked and who answers belong together: nothing is promised that nobody answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milter.app.scan_port import RequestMeans, worker_routes
from milter.http.callers import Guard
from milter.http.catalogue import OF_SUPERVISOR, OF_WORKERS
from milter.http.endpoint import Access
from milter.http.pace import Pace
from milter.http.page import ASSETS
from milter.http.rate import Rate
from milter.http.server import Views, own_routes
from tests.support.http_door import a_whole_door
from tests.support.passing import no_worker

if TYPE_CHECKING:
    from milter.http.health import Status


def _no_status() -> Status:
    raise AssertionError("nobody asks for the state here")


def test_every_endpoint_of_the_workers_is_answered_by_them() -> None:
    routes = worker_routes(RequestMeans(Guard(b""), a_whole_door(), None, dict, Pace(1000)))
    assert [route.endpoint for route in routes] == list(OF_WORKERS)


def test_every_endpoint_of_the_supervisor_is_answered_by_it() -> None:
    passer = no_worker()
    views = Views(_no_status, bytes, passer, list, Rate(1, lambda: 0.0))
    assert [route.endpoint for route in own_routes(views, Guard(b""))] == list(OF_SUPERVISOR)
    assert [route.endpoint.path for route in passer.routes()] == [one.path for one in OF_WORKERS]
    passer.close()


def test_what_names_somebody_or_changes_something_needs_the_token() -> None:
    open_to_all = {one.path for one in (*OF_SUPERVISOR, *OF_WORKERS) if one.access is Access.OPEN}
    health = {"/healthz", "/readyz", "/ping"}
    sums = {
        "/metrics",
        "/v1/lists",
        "/v1/stats",
        "/v1/status",
        "/v1/checks",
        "/stat",
        "/v1/openapi.json",
    }
    page = {"/", *(one.path for one in ASSETS)}
    assert open_to_all == page | sums | health
