"""The supervisor where the machine has little left."""

from __future__ import annotations

import resource

import pytest

from tests.support.plain_daemon import plain_client, plain_configuration, plain_daemon

pytestmark = pytest.mark.slow


def test_daemon_takes_all_the_descriptors_that_it_may_have() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
    try:
        with plain_daemon(plain_configuration()) as daemon:
            (worker,) = daemon.worker_pids

            allowed = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert allowed == (before[1], before[1])


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_daemon_serves_without_the_standard_descriptors(closed: str) -> None:
    without = ("sh", "-c", f'exec "$@" {closed}', "sh")
    with plain_daemon(plain_configuration(), prefix=without) as daemon:
        with plain_client(("127.0.0.1", daemon.port)) as client:
            assert client.say("bye") == "bye"
        daemon.reload()
        assert daemon.stop() == 0
