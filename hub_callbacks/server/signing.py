"""Signed tokens: short texts that only this hub can have made, good for one purpose and until a moment."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Signer:
    """Makes and checks tokens with HMAC-SHA-256 (RFC 2104).

    Attributes:
        secret: The hub's own; every process on one store has the same.
        clock: Unix time, seconds.
    """

    secret: str = field(repr=False)
    clock: Callable[[], float] = time.time

    def sign(self, purpose: str, subject: str, *, ttl_s: float) -> str:
        """A token for the subject (no dots in it), safe in a URL and in a cookie."""
        expires = int(self.clock() + ttl_s)
        return f"{expires}.{subject}.{self._mac(purpose, expires, subject)}"

    def check(self, purpose: str, token: str) -> str | None:
        """The subject of a token that is ours, for this purpose and not expired; else None."""
        match token.split("."):
            case [expires, subject, mac] if expires.isascii() and expires.isdigit() and len(expires) < 16:
                genuine = hmac.compare_digest(mac.encode(), self._mac(purpose, int(expires), subject).encode())
                return subject if genuine and self.clock() < int(expires) else None
        return None

    @property
    def fingerprint(self) -> str:
        """Tells this hub's cookies from those of another hub on the same host: cookies do not know ports."""
        return hashlib.sha256(f"fingerprint\n{self.secret}".encode()).hexdigest()[:8]

    @property
    def seal(self) -> str:
        """What stands for the secret in the hub's note on its machine (`wire.LocalHub`)."""
        return hashlib.sha256(f"seal\n{self.secret}".encode()).hexdigest()

    def _mac(self, purpose: str, expires: int, subject: str) -> str:
        message = f"{purpose}\n{expires}\n{subject}".encode()
        digest = hmac.digest(self.secret.encode(), message, "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
