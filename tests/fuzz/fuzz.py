"""schemathesis over the hub's whole API: with a key and without, and at last over what could take the key itself away.

python fuzz.py --examples 2000      everything: its own examples, corners of the schemas, so many by chance, sequences
python fuzz.py --examples 3 --short only by chance
python fuzz.py --examples 2000 --part admin --seed 7 -- --include-path /v1/models    a piece of it again

It exits with 1 when a reply was a 5xx, or not what the OpenAPI document says, or to a request that the document allows
a refusal, or to one that it forbids none; or when a key was in a reply or the log. What is allowed beyond, and why,
stands in schemathesis.toml.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

_HERE = Path(__file__).parent
_AWAY = "^/v1/(keys|users)/"  # routes that let somebody in no more
_PARTS = {
    "anyone": [],
    "admin": ["--exclude-path-regex", _AWAY],
    "people": ["--include-path-regex", _AWAY],
}
_TOGETHER = (("anyone",), ("admin", "people"))  # each on a hub of its own, and both at once
_START_S = 120.0


@dataclass(frozen=True)
class Hub:
    """A hub that runs, and what it has said since it announced itself."""

    url: str
    key: str
    log: Path
    announced_bytes: int

    def said(self) -> bytes:
        return self.log.read_bytes()[self.announced_bytes :]


def main() -> int:
    """Fuzz hubs of its own; the exit status."""
    options = _parser().parse_args()
    wanted = [[part for part in parts if part in (options.part or _PARTS)] for parts in _TOGETHER]
    with ThreadPoolExecutor() as threads:
        failed = [name for found in threads.map(partial(_fuzz, options), filter(None, wanted)) for name in found]
    sys.stdout.write(f"Failed: {', '.join(failed)}\n" if failed else "All is well.\n")
    return bool(failed)


def _fuzz(options: argparse.Namespace, parts: Sequence[str]) -> list[str]:
    """Fuzz a hub, one part after the other; what failed."""
    with tempfile.TemporaryDirectory() as folder, _hub(Path(folder)) as hub:
        keys = Path(folder) / "keys"
        keys.write_text(f"{hub.key}\n")
        failed = [part for part in parts if not _run(hub, part, options, keys)]
        said = hub.said()
        failed += [f"key {number} is in the log" for number, key in enumerate(keys.read_bytes().split()) if key in said]
        _show(said)
    return failed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Fuzz the hub's API.")
    parser.add_argument("--examples", type=int, default=2000, help="for each operation")
    parser.add_argument("--short", action="store_true", help="by chance only")
    parser.add_argument("--seed", type=int, help="of an earlier run, to do it again")
    parser.add_argument("--part", action="append", choices=_PARTS, help="not all of them; may be given more than once")
    parser.add_argument("more", nargs="*", help="arguments for schemathesis, after --")
    return parser


def _run(hub: Hub, part: str, options: argparse.Namespace, keys: Path) -> bool:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(_HERE / "schemathesis.toml")]
    command += ["run", f"{hub.url}/openapi.json", *_PARTS[part], *options.more]
    command += [] if part == "anyone" else ["-H", f"x-api-key: {hub.key}"]
    command += ["--max-examples", str(options.examples), "--suppress-health-check", "all"]
    command += ["--phases", "fuzzing" if options.short else "examples,coverage,fuzzing,stateful"]
    command += ["--exclude-tag", "unavailable", "--continue-on-failure", "--request-timeout", "30"]
    command += ["--wait-for-schema", "60"]
    command += ["--no-shrink"] if options.short else []
    command += ["--generation-database", "none"]  # with one, Hypothesis spends more than half of its time on sorting it
    command += ["--seed", str(options.seed)] if options.seed is not None else []
    env = {**os.environ, "SCHEMATHESIS_HOOKS": str(_HERE / "hooks.py"), "FUZZ_KEYS": str(keys)}
    began = time.monotonic()
    ran = subprocess.run(command, check=False, cwd=keys.parent, env=env, capture_output=True, text=True)
    sys.stdout.write(f"--- {part}, {time.monotonic() - began:.0f} s\n{ran.stdout}{ran.stderr}")
    sys.stdout.flush()
    return ran.returncode == 0


@contextmanager
def _hub(folder: Path) -> Iterator[Hub]:
    log = folder / "hub.log"
    command = [sys.executable, "-c", "from hub_callbacks.cli import main; main()", "serve", "--port", "0"]
    env = {**os.environ, "HUB_CALLBACKS_DATA_DIR": str(folder / "data"), "HUB_CALLBACKS_ACCESS_LOG": "text"}
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=env)
    try:
        url, key = _announced(log)
        yield Hub(url=url, key=key, log=log, announced_bytes=log.stat().st_size)
    finally:
        process.terminate()
        process.wait(60)


def _announced(log: Path) -> list[str]:
    give_up_at = time.monotonic() + _START_S
    while time.monotonic() < give_up_at:
        lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
        if len(lines) == 2 and lines[1].endswith("\n"):
            return [line.split()[-1] for line in lines]
        time.sleep(0.05)
    raise TimeoutError(f"the hub did not start: {log.read_text(encoding='utf-8')}")


def _show(said: bytes) -> None:
    """The hub's log, but for a line for each request."""
    lines = said.decode(errors="replace").splitlines()
    sys.stdout.writelines(f"{line}\n" for line in lines if not line.endswith(" ms"))


if __name__ == "__main__":
    sys.exit(main())
