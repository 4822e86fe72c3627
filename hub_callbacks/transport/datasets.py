"""The hub's endpoints about data sets, a method each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from requests_toolbelt import MultipartEncoder, MultipartEncoderMonitor

from hub_callbacks import wire
from hub_callbacks.transport.api import HubApi
from hub_callbacks.transport.http import CONNECT_TIMEOUT_S
from hub_callbacks.transport.part import Part

_CHECK_S = 600.0  # the hub reads what an archive of millions of files holds before it answers


class DatasetApi(HubApi):
    """One hub, as a keeper of data sets. It raises as `HubApi` does."""

    def create_dataset(self, name: str, *, project_id: str | None = None) -> str:
        """Make a data set without an archive, for all on the hub, or for those of a project; its id."""
        body = {"meta": {"name": name}, **({"projectId": project_id} if project_id else {})}
        return str(self._request("POST", wire.DATASETS, json=body, read=lambda data: data["id"]))

    def datasets(self) -> list[dict[str, Any]]:
        """The data sets that the caller may see, newest first, up to a thousand."""
        asked = {"limit": 1000}
        found: list[dict[str, Any]] = self._request(
            "GET", wire.DATASETS, params=asked, read=lambda data: data["results"]
        )
        return found

    def dataset(self, dataset_id: str) -> dict[str, Any]:
        """One data set."""
        return dict(self._request("GET", wire.dataset(dataset_id), read=dict))

    def upload_archive(self, dataset_id: str, path: Path, *, on_progress: Callable[[int], None]) -> None:
        """Give a data set its zip archive, in place of the one that it has; it is on the hub, verified, on return.

        Args:
            dataset_id: The data set.
            path: The archive, which is read twice.
            on_progress: Called with the number of bytes sent so far.
        """
        with path.open("rb") as file:
            sha256 = Part(file, offset=0, size_bytes=path.stat().st_size).sha256().hex()
            file.seek(0)
            form = MultipartEncoder([(wire.SHA256_FIELD, sha256), ("file", (path.name, file, "application/zip"))])
            body = MultipartEncoderMonitor(form, lambda monitor: on_progress(monitor.bytes_read))
            self._request(
                "POST",
                f"{wire.dataset(dataset_id)}/upload",
                data=body,
                headers={"content-type": body.content_type},
                timeout=(CONNECT_TIMEOUT_S, _CHECK_S),
            )

    def delete_dataset(self, dataset_id: str) -> None:
        """Delete a data set; models that name it keep its name."""
        self._request("DELETE", wire.dataset(dataset_id))
