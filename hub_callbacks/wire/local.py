"""How the processes of a user find the local hub, and know it from another user's on the same port."""

from __future__ import annotations

import hmac
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

CHALLENGE_HEADER = "hub-callbacks-challenge"  # of ``GET /healthz``
PROOF_HEADER = "hub-callbacks-proof"  # of its reply


def proof(seal: str, challenge: str) -> str:
    """What a hub answers to a challenge, which only those can who know its seal: HMAC-SHA-256, hexadecimal."""
    return hmac.digest(seal.encode(), challenge.encode(), "sha256").hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalHub:
    """The note that a running local hub leaves for the processes of its user, mode 0600.

    Attributes:
        url: Where it listens, ``http://127.0.0.1:<port>``.
        key: The admin's API key.
        seal: With this it proves that it is the one that left the note (`proof`); it is never sent.
        pid: Its process.
    """

    url: str
    key: str
    seal: str
    pid: int

    @staticmethod
    def path(data_dir: Path) -> Path:
        """Where the note lies under a data folder."""
        return data_dir / "hub" / "hub.json"

    @classmethod
    def read(cls, data_dir: Path) -> LocalHub | None:
        """The note, or None when no local hub has ever run there (or its note is half written)."""
        try:
            return cls(**json.loads(cls.path(data_dir).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, data_dir: Path) -> None:
        """Replace the note in one step, readable by its user alone."""
        path = self.path(data_dir)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{self.pid}")
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(self), file)
        temporary.replace(path)
