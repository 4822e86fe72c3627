"""The files that pages load: our own, and Plotly from its wheel. Their URLs hold a version, so they may be kept."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_FOLDER = Path(__file__).parent / "static"
_PLOTLY = "plotly.min.js"
_MEDIA_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file as it is served, compressed with gzip."""

    body: bytes
    media_type: str


class Assets:
    """The files by version and name; each is read and compressed once, when it is first asked for."""

    def __init__(self) -> None:
        self._own = {file.name: file for file in sorted(_FOLDER.iterdir())}
        # one version for all: modules load each other from beside themselves
        self._version = hashlib.sha256(b"".join(file.read_bytes() for file in self._own.values())).hexdigest()[:12]
        self._plotly_version = f"plotly-{version('plotly')}"
        self._read: dict[Path, Asset] = {}

    @property
    def plotly_url(self) -> str:
        """Path of Plotly; it changes with its release."""
        return f"/static/{self._plotly_version}/{_PLOTLY}"

    def url(self, name: str) -> str:
        """Path of one of our files; it changes with their content."""
        return f"/static/{self._version}/{name}"

    def get(self, version: str, name: str) -> Asset | None:
        """The file, or None: a URL of another version would be kept with the wrong content."""
        path = self._path(version, name)
        if path is None:
            return None
        if path not in self._read:
            body = gzip.compress(path.read_bytes(), 6)
            self._read[path] = Asset(body=body, media_type=_MEDIA_TYPES[path.suffix])
        return self._read[path]

    def _path(self, version: str, name: str) -> Path | None:
        if version == self._version:
            return self._own.get(name)
        return _plotly() if (version, name) == (self._plotly_version, _PLOTLY) else None


def _plotly() -> Path | None:
    """The file in Plotly's package, found without importing it: that would take a second."""
    spec = find_spec("plotly")
    folders = spec.submodule_search_locations if spec else None
    return Path(folders[0]) / "package_data" / _PLOTLY if folders else None
