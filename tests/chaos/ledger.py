"""The trainer's own account of what it has made: one line each, appended in one write that outlives the process."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Ledger:
    """Takes the lines. What `write` was given is in the kernel's hands when it returns: no kill takes it back."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, what: str, **details: Any) -> None:
        os.write(self._descriptor, (json.dumps({"what": what, **details}) + "\n").encode())


@dataclass(slots=True)
class Account:
    """What a ledger says.

    Attributes:
        has_begun: The callback that begins the run has returned.
        is_ending: The callback that ends it was called.
        has_ended: The training is over.
        made: Epoch to the row that the trainer had in it.
        returned: The epochs whose row's callback has returned.
        saved: SHA-256 of each checkpoint to its epoch.
        kept: The epochs whose checkpoint's callback has returned.
    """

    has_begun: bool = False
    is_ending: bool = False
    has_ended: bool = False
    made: dict[int, dict[str, float]] = field(default_factory=dict)
    returned: set[int] = field(default_factory=set)
    saved: dict[str, int] = field(default_factory=dict)
    kept: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, path: Path) -> Account:
        account = cls()
        for line in path.read_text().splitlines() if path.exists() else ():
            account._add(json.loads(line))
        return account

    def _add(self, line: dict[str, Any]) -> None:
        match line:
            case {"what": "made", "epoch": epoch, "row": row}:
                self.made[epoch] = row
            case {"what": "returned", "epoch": epoch}:
                self.returned.add(epoch)
            case {"what": "saved", "epoch": epoch, "sha256": sha256}:
                self.saved[sha256] = epoch
            case {"what": "kept", "epoch": epoch}:
                self.kept.add(epoch)
            case {"what": "has_begun" | "is_ending" | "has_ended" as claim}:
                setattr(self, claim, True)
