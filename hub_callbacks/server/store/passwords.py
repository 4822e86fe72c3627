"""Passwords, stored so that whoever reads the store cannot use them (scrypt, RFC 7914)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from typing import Final

_N, _R, _P = 1 << 14, 8, 5  # 16 MiB and some 150 ms each: OWASP's Password Storage Cheat Sheet
_SALT_BYTES: Final = 16


def hash_password(password: str) -> str:
    """What to store of a password."""
    salt = os.urandom(_SALT_BYTES)
    return f"scrypt.{_text(salt)}.{_text(_digest(password, salt))}"


def is_password(password: str, stored: str | None) -> bool:
    """Whether it is the password of which `hash_password` made ``stored``; without one it takes as long to say no."""
    _, salt, digest = (stored or f"scrypt.{_text(bytes(_SALT_BYTES))}.").split(".")
    return hmac.compare_digest(_text(_digest(password, base64.b64decode(salt))), digest)


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "replace"), salt=salt, n=_N, r=_R, p=_P, dklen=32)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
