"""Several connections in one process, and other processes that come and go: SQLite's locks hold."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

from hub_callbacks.outbox import Hub, Outbox, OutboxFolder

VISIT = """
import sys
from pathlib import Path
from hub_callbacks.outbox import Hub, Outbox, OutboxFolder
outbox = Outbox(OutboxFolder(Path(sys.argv[1])))
outbox.hubs.save(Hub(api_url=sys.argv[2]))
outbox.close()
"""


def test_visitor_does_not_delete_the_wal_under_open_connections(tmp_path: Path) -> None:
    """Closing any descriptor of the file drops the locks of the whole process (sqlite.org/howtocorrupt.html, 2.2).

    A visitor that then closes its connection takes itself for the last one and deletes the WAL: what the others go on
    to write into it is lost.
    """
    folder = OutboxFolder(tmp_path)
    first, second = Outbox(folder), Outbox(folder)
    subprocess.run([sys.executable, "-c", VISIT, str(tmp_path), "http://visitor"], check=True)
    assert folder.database.with_name("outbox.db-wal").exists()
    first.hubs.save(Hub(api_url="http://first"))
    subprocess.run([sys.executable, "-c", VISIT, str(tmp_path), "http://visitor2"], check=True)
    second.hubs.save(Hub(api_url="http://second"))
    first.close()
    second.close()
    assert hubs_in(folder) == ["http://first", "http://second", "http://visitor", "http://visitor2"]


def hubs_in(folder: OutboxFolder) -> list[str]:
    with sqlite3.connect(folder.database) as connection:
        rows = connection.execute("SELECT api_url FROM hubs ORDER BY api_url").fetchall()
    connection.close()
    return [url for (url,) in rows]
