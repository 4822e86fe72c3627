"""``python -m hub_callbacks.server``: how the courier starts the local hub, in a process of its own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hub_callbacks.errors import HubCallbacksError
from hub_callbacks.server.folder import Place
from hub_callbacks.server.limits import Limits
from hub_callbacks.server.listening import LOOPBACK
from hub_callbacks.server.serving import serve, serve_local
from hub_callbacks.settings import Settings

_IDLE_S = 900.0  # an evening's pause between two looks at the curves; starting again takes a second


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stopped or idle; the exit status."""
    options = _parser().parse_args(arguments)
    data_dir = options.data_dir.expanduser().absolute()
    try:
        limits = Limits.of(Settings.load())
        if options.local:
            serve_local(port=options.port, data_dir=data_dir, idle_s=options.idle_s, limits=limits)
        else:
            place = Place(data_dir=data_dir, database_url=options.database_url, blobs_url=options.blobs_url)
            where = {"host": options.host, "port": options.port}
            serve(place, **where, announce=_say, limits=limits, workers=options.workers)
    except HubCallbacksError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hub_callbacks.server", description="Serve a hub.")
    parser.add_argument("--data-dir", type=Path, required=True, help="folder under which everything local lies")
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on (ignored with --local)")
    parser.add_argument("--port", type=int, default=8420, help="port to listen on; with --local, the preferred one")
    parser.add_argument("--database-url", default="", help="where the store is, if not there")
    parser.add_argument("--blobs-url", default="", help="where files are, if not there")
    parser.add_argument("--workers", type=int, default=1, help="processes that serve it; several need PostgreSQL")
    parser.add_argument("--local", action="store_true", help="be the local hub: on loopback, until it is idle")
    parser.add_argument("--idle-s", type=float, default=_IDLE_S, help="with --local: seconds without a request")
    return parser


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
