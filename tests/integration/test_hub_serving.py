"""The hub as a process: the lock, the note, the port, the idle end, the key that is shown once."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import requests

from hub_callbacks import wire
from hub_callbacks.server.folder import HubInUseError, Place, ServeError, open_folder
from hub_callbacks.server.serving import serve
from hub_callbacks.wire import LocalHub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.hubs import HubServer

TIMEOUT_S = 30


def command(data_dir: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "hub_callbacks.server", "--data-dir", str(data_dir), *options]


def run_local(data_dir: Path, *options: str, idle_s: float = 0.0) -> LocalHub:
    """Let a local hub start and, being idle, end; the note that it left."""
    arguments = command(data_dir, "--local", "--idle-s", str(idle_s), *options)
    finished = subprocess.run(arguments, timeout=TIMEOUT_S, check=True, capture_output=True, text=True)
    assert finished.stdout + finished.stderr == ""
    note = LocalHub.read(data_dir)
    assert note is not None
    return note


@pytest.fixture
def start_local(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a local hub for ``tmp_path`` that does not end by itself, and wait until it listens."""
    started = []

    def start(*options: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command(tmp_path, "--local", "--idle-s", "3600", *options))
        started.append(process)
        for _ in range(600):
            note = LocalHub.read(tmp_path)
            if note and note.pid == process.pid:
                return process
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.05)
        pytest.fail("The local hub left no note.")

    yield start
    for process in started:
        process.kill()
        process.wait(TIMEOUT_S)


def read(data_dir: Path) -> LocalHub:
    note = LocalHub.read(data_dir)
    assert note is not None
    return note


def test_local_hub_listens_on_loopback_when_it_has_left_its_note(
    tmp_path: Path, start_local: Callable[..., subprocess.Popen[bytes]]
) -> None:
    start_local("--port", "0")
    note = read(tmp_path)
    reply = requests.post(note.url + wire.AUTH, headers={wire.API_KEY_HEADER: note.key}, timeout=10)
    assert reply.json()["success"] is True
    with pytest.raises(OSError, match=r"refused|timed out|unreachable"):  # only a socket on all addresses has this one
        socket.create_connection(("127.0.0.2", int(note.url.rpartition(":")[2])), timeout=5)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")
def test_local_hub_keeps_its_note_from_others(tmp_path: Path) -> None:
    run_local(tmp_path, "--port", "0")
    assert LocalHub.path(tmp_path).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "hub").stat().st_mode & 0o077 == 0


def test_local_hub_ends_when_it_is_idle_and_comes_back_with_key_and_port(tmp_path: Path) -> None:
    first, second = run_local(tmp_path, "--port", "0"), run_local(tmp_path, "--port", "0")
    assert (first.url, first.key) == (second.url, second.key)


def test_local_hub_takes_another_port_when_its_own_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run_local(tmp_path, "--port", str(port)).url != f"http://127.0.0.1:{port}"


def test_local_hub_takes_the_port_that_it_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert run_local(tmp_path, "--port", str(port)).url == f"http://127.0.0.1:{port}"


def test_second_local_hub_ends_quietly(tmp_path: Path, start_local: Callable[..., subprocess.Popen[bytes]]) -> None:
    start_local("--port", "0")
    note = read(tmp_path)
    assert run_local(tmp_path, "--port", "0") == note


def test_killed_local_hub_is_replaced_and_nothing_acknowledged_is_lost(
    tmp_path: Path, start_local: Callable[..., subprocess.Popen[bytes]]
) -> None:
    first = start_local("--port", "0")
    before = read(tmp_path)
    headers = {wire.API_KEY_HEADER: before.key}
    model_id = requests.post(before.url + wire.MODELS, headers=headers, json={}, timeout=10).json()["data"]["id"]
    for epoch in range(20):
        body = {"type": "metrics", "metrics": {str(epoch): '{"loss": 1}'}}
        assert requests.post(before.url + wire.model(model_id), headers=headers, json=body, timeout=10).ok
    first.kill()
    first.wait(TIMEOUT_S)
    start_local("--port", "0")
    after = read(tmp_path)
    assert after.key == before.key
    (loss,) = requests.get(after.url + wire.metrics(model_id), headers=headers, timeout=10).json()["data"]
    assert list(loss["data"]) == [str(epoch) for epoch in range(20)]


def test_serve_shows_the_admins_key_once(tmp_path: Path) -> None:
    lines = [first_lines(tmp_path, count) for count in (2, 1)]
    assert "key" in lines[0][1]
    assert lines[1][0].startswith("Hub at http://127.0.0.1:")


def first_lines(data_dir: Path, count: int) -> list[str]:
    """Serve until so many lines came, then stop; all lines."""
    with subprocess.Popen(command(data_dir, "--port", "0"), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(count)]
        process.send_signal(signal.SIGINT)
        lines += process.stdout.readlines()
        assert process.wait(TIMEOUT_S) == 0
    assert len(lines) == count
    return lines


def test_serve_refuses_a_folder_that_is_served(start_hub: Callable[[Path], HubServer], tmp_path: Path) -> None:
    hub = start_hub(tmp_path)
    with pytest.raises(HubInUseError, match="Another process serves"):
        serve(Place(data_dir=hub.data_dir), host="127.0.0.1", port=0, announce=pytest.fail)


def test_serve_refuses_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=str(port)):
            serve(Place(data_dir=tmp_path), host="127.0.0.1", port=port, announce=pytest.fail)


def test_serve_refuses_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServeError, match="cannot be made"), open_folder(tmp_path / "file"):
        pytest.fail("It was opened.")


def test_serving_hub_lends_local_trainings_a_key(hub: HubServer) -> None:
    note = read(hub.data_dir)
    assert note.url == hub.url
    reply = requests.post(note.url + wire.AUTH, headers={wire.API_KEY_HEADER: note.key}, timeout=10)
    assert reply.json()["success"] is True


def test_log_holds_no_secret(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        log.open("w") as file,
        subprocess.Popen(command(tmp_path, "--port", "0"), stdout=subprocess.PIPE, stderr=file, text=True) as process,
    ):
        assert process.stdout is not None
        url, key = (process.stdout.readline().split()[-1] for _ in range(2))
        requests.get(f"{url}/login", params={"token": "SECRET"}, headers={wire.API_KEY_HEADER: key}, timeout=10)
        requests.post(url + wire.MODELS, data=b"\xff", headers={wire.API_KEY_HEADER: key}, timeout=10)
        process.send_signal(signal.SIGINT)
        process.wait(TIMEOUT_S)
    assert not [secret for secret in ("SECRET", key) if secret in log.read_text()]
