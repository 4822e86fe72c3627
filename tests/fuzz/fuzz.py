"""schemathesis over the hub's whole API: with a key and without, and at last over what could take the key itself away.

python fuzz.py --examples 2000      everything: its own examples, the corners of each schema, and so many by chance
python fuzz.py --examples 3 --short only by chance

It exits with 1 when a reply was a 5xx or not what the OpenAPI document says, or when a key was in a reply or the log.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
    "ensure_resource_availability",
    "ignored_auth",
)
# Not among them: negative_data_rejection, which takes a header that nobody knows for a reason to refuse a request, and
# positive_data_acceptance, for most things that are asked for by chance are not there.
_AWAY = "^/v1/(keys|users)/"  # routes that let somebody in no more


@dataclass(frozen=True)
class Hub:
    """A hub that runs, and what it has said."""

    url: str
    key: str
    log: Path


def main() -> int:
    """Fuzz a hub of its own; the exit status."""
    options = _parser().parse_args()
    with tempfile.TemporaryDirectory() as folder, _hub(Path(folder)) as hub:
        replies = Path(folder) / "replies"
        replies.mkdir()
        failed = [
            name
            for name, limits in (
                ("anyone", []),
                ("admin", ["-H", f"x-api-key: {hub.key}", "--exclude-path-regex", _AWAY]),
                ("people", ["-H", f"x-api-key: {hub.key}", "--include-path-regex", _AWAY]),
            )
            if not _run(hub, limits, options, replies / f"{name}.yaml")
        ]
        said = [hub.log, *replies.glob("*.yaml")]
        failed += [f"a key in {path.name}" for path in said if hub.key.encode() in path.read_bytes()]
    sys.stdout.write(f"Failed: {', '.join(failed)}\n" if failed else "All is well.\n")
    return bool(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Fuzz the hub's API.")
    parser.add_argument("--examples", type=int, default=2000, help="for each operation")
    parser.add_argument("--short", action="store_true", help="by chance only")
    parser.add_argument("--seed", type=int, help="of an earlier run, to do it again")
    return parser


def _run(hub: Hub, limits: list[str], options: argparse.Namespace, replies: Path) -> bool:
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{hub.url}/openapi.json", *limits]
    command += ["--checks", ",".join(CHECKS), "--max-examples", str(options.examples), "--suppress-health-check", "all"]
    command += ["--phases", "fuzzing" if options.short else "examples,coverage,fuzzing,stateful"]
    command += ["--exclude-tag", "unavailable", "--continue-on-failure", "--request-timeout", "30"]
    command += ["--no-shrink"] if options.short else []
    command += ["--report", "vcr", "--report-vcr-path", str(replies), "--output-sanitize", "true"]
    command += ["--seed", str(options.seed)] if options.seed is not None else []
    return subprocess.run(command, check=False, cwd=replies.parent).returncode == 0


@contextmanager
def _hub(folder: Path) -> Iterator[Hub]:
    log = folder / "hub.log"
    command = [sys.executable, "-m", "hub_callbacks.server", "--data-dir", str(folder / "data"), "--port", "0"]
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert process.stdout is not None
        url, key = (process.stdout.readline().split()[-1] for _ in range(2))
        yield Hub(url=url, key=key, log=log)
    finally:
        process.terminate()
        process.wait(60)
        sys.stdout.write(log.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
