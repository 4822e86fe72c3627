"""A hub that is killed at random moments under load: what it has acknowledged stays, and its store passes the check.

python hub_sweep.py --rounds 100                                 on SQLite
python hub_sweep.py --rounds 100 --database-url postgresql://... on an empty PostgreSQL
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from hub_callbacks.server.folder import open_blobs, open_database, open_folder
from hub_callbacks.server.inspection import problems
from hub_callbacks.server.upkeep import sweep
from hubs import ServedHub
from load import Client
from rounds import forking

_CLIENTS = 6
_MOST_REPLIES = 60  # that a hub lives for, and a moment longer: in the middle of others
_MOMENT_S = 0.05
_GIVE_UP_S = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill the hub so many times; 1 when something was wrong after one of them."""
    options = _parser().parse_args(arguments)
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    folder, began = Path(tempfile.mkdtemp(prefix="chaos-hub-")), time.monotonic()
    hub = ServedHub(folder, forking(), database_url=options.database_url)
    hub.start()
    clients = [Client(*hub.address(), rng=random.Random(f"{seed}/{number}")) for number in range(_CLIENTS)]
    try:
        faults = list(_kill(hub, clients, options.rounds, random.Random(seed), folder, options.database_url))
        faults += [fault for client in clients for fault in client.faults()]
    finally:
        hub.end()  # else this process waits for it
    faults += _check_deep(folder, options.database_url)
    _say("\n".join([*faults, ""]) if faults else "")
    _say(
        f"Seed {seed}: {options.rounds} kills, {len(faults)} faults; acknowledged: {sum(len(c.rows) for c in clients)}"
        f" rows, {sum(len(c.checkpoints) for c in clients)} checkpoints. {time.monotonic() - began:.0f} s. {folder}\n"
    )
    if not faults:
        shutil.rmtree(folder)
    return 1 if faults else 0


def _kill(
    hub: ServedHub, clients: Sequence[Client], rounds: int, rng: random.Random, folder: Path, database_url: str
) -> Iterator[str]:
    """Let the clients work while the hub dies and comes back; what the check says of each store that it left."""
    is_over = threading.Event()
    threads = [threading.Thread(target=client.work, args=(is_over,)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        for number in range(rounds):
            _wait(clients, rng.randrange(_MOST_REPLIES))
            time.sleep(rng.uniform(0.0, _MOMENT_S))
            hub.end()
            with open_database(folder / "hub", database_url) as database:
                found = problems(database, lambda: open_blobs(folder / "hub"), is_deep=False)
                yield from (f"after kill {number}: {problem}" for problem in found)
            hub.start()
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def _wait(clients: Sequence[Client], replies: int) -> None:
    """Until the hub has acknowledged so much more.

    Raises:
        TimeoutError: It does not.
    """
    wanted, give_up_at = sum(map(len, clients)) + replies, time.monotonic() + _GIVE_UP_S
    while sum(map(len, clients)) < wanted:
        if time.monotonic() > give_up_at:
            raise TimeoutError("the hub answers nobody")
        time.sleep(0.001)


def _check_deep(folder: Path, database_url: str) -> Iterator[str]:
    """What is wrong with the store, also when all that nothing names was swept away."""
    with open_folder(folder / "hub", database_url=database_url) as opened:
        sweep(opened.store, opened.blobs, before=time.time() + 3600)
        yield from problems(opened.store.database, lambda: opened.blobs, is_deep=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--database-url", default="", help="an empty database; SQLite when not given")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
