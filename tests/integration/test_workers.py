"""A hub that several worker processes serve on one port."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import psutil
import pytest
import requests

from hub_callbacks import wire
from hub_callbacks.server.folder import Place, ServeError
from hub_callbacks.server.listening import reserve
from hub_callbacks.server.serving import serve
from tests.integration.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.hubs import HubServer
    from tests.integration.conftest import TusClient

TIMEOUT_S = 60
REQUESTS = 30


@pytest.fixture(scope="module")
def start(start_hub: Callable[..., HubServer], create_database: Callable[[], str]) -> Callable[[Path, int], HubServer]:
    """Start a hub with so many workers."""
    return lambda folder, count: start_hub(folder, "--workers", str(count), "--database-url", create_database())


@pytest.fixture
def own_hub(start: Callable[[Path, int], HubServer], tmp_path: Path) -> HubServer:
    """A hub of two workers for one test, which may kill them."""
    return start(tmp_path, 2)


@pytest.fixture(scope="module")
def hub(start: Callable[[Path, int], HubServer], tmp_path_factory: pytest.TempPathFactory) -> HubServer:
    """A hub of two workers; the tests of the module share it."""
    return start(tmp_path_factory.mktemp("hub"), 2)


def workers(hub: HubServer) -> list[psutil.Process]:
    """Those that live."""
    return [child for child in psutil.Process(hub.process.pid).children() if is_worker(child)]


def is_worker(child: psutil.Process) -> bool:
    """Whether it is not Python's own, which looks after what processes share."""
    with suppress(psutil.Error):  # it is dead, or a zombie
        return "multiprocessing.spawn" in " ".join(child.cmdline())
    return False


def ask_often(hub: HubServer) -> None:
    for _ in range(REQUESTS):  # each on a connection of its own
        assert requests.get(hub.url + wire.HEALTH, timeout=30).ok


def counted(hub: HubServer) -> dict[str, float]:
    found = re.findall(r"^(\S+) (\S+)$", hub.send("GET", wire.NUMBERS).text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def test_workers_serve_one_hub_and_count_together(hub: HubServer) -> None:
    assert len(workers(hub)) == 2
    model_id = hub.ask("POST", wire.MODELS, json={})["id"]
    for _ in range(REQUESTS):
        assert hub.ask("GET", wire.model(model_id))["id"] == model_id
    ask_often(hub)
    numbers = counted(hub)
    assert numbers['hub_callbacks_requests_total{method="GET",route="/healthz",status="200"}'] == REQUESTS
    assert numbers["hub_callbacks_requests_in_flight"] == 1
    assert numbers['hub_callbacks_things{kind="runs"}'] == 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no way to deal connections out")
def test_each_worker_gets_its_share_of_the_connections(hub: HubServer) -> None:
    port = int(hub.url.rpartition(":")[2])
    with ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S))

        def shares() -> list[int]:
            open_ones = [worker.net_connections() for worker in workers(hub)]
            return [len([one for one in ones if one.laddr[1] == port and one.raddr]) for ones in open_ones]

        eventually(lambda: sum(shares()) == 40, timeout_s=TIMEOUT_S)
        assert min(shares()) >= 5  # at random, less would come once in a million times


def test_port_that_a_hub_of_workers_has_is_not_shared_with_another_hub(hub: HubServer) -> None:
    port = int(hub.url.rpartition(":")[2])
    with pytest.raises(ServeError, match=str(port)), reserve("127.0.0.1", port):
        pytest.fail("It was reserved twice.")


def test_hub_says_when_postgresql_grants_too_few_connections(
    start: Callable[[Path, int], HubServer], tmp_path: Path
) -> None:
    hub = start(tmp_path, 5)
    assert hub.process.stdout is not None
    assert "grants 100 connections, and 5 workers may want 120" in hub.process.stdout.readline()


def test_killed_worker_is_replaced_and_what_it_counted_stays(own_hub: HubServer) -> None:
    ask_often(own_hub)
    before = workers(own_hub)
    before[0].kill()
    eventually(lambda: len([one for one in workers(own_hub) if one not in before]) == 1, timeout_s=TIMEOUT_S)
    assert len(workers(own_hub)) == 2
    ask_often(own_hub)
    numbers = counted(own_hub)
    assert numbers['hub_callbacks_requests_total{method="GET",route="/healthz",status="200"}'] == 2 * REQUESTS
    assert numbers["hub_callbacks_requests_in_flight"] == 1


def test_workers_end_with_their_keeper_however_it_ends(own_hub: HubServer) -> None:
    before = workers(own_hub)
    own_hub.process.kill()
    assert not psutil.wait_procs(before, timeout=TIMEOUT_S)[1]
    with pytest.raises(requests.ConnectionError):
        requests.get(own_hub.url + wire.HEALTH, timeout=30)


def test_hub_that_is_stopped_lets_its_workers_finish_uploads(
    own_hub: HubServer, create_client: Callable[..., TusClient]
) -> None:
    client = create_client(own_hub)
    location, before = client.begin(client.content), client.files()
    stuck = client.stuck(location, client.content)
    client.ask_until(location, lambda: client.files() > before)
    working = workers(own_hub)
    own_hub.process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        own_hub.process.wait(1)  # it waits for the last byte
    assert stuck.go_on().startswith(b"HTTP/1.1 204 ")
    assert own_hub.process.wait(TIMEOUT_S) == 0
    assert not psutil.wait_procs(working, timeout=TIMEOUT_S)[1]


def test_only_postgresql_is_served_by_several_workers(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match="For 2 workers, name a PostgreSQL"):
        serve(Place(data_dir=tmp_path), host="127.0.0.1", port=0, announce=pytest.fail, workers=2)
    assert not list(tmp_path.iterdir())
