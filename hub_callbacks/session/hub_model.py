"""A model of the hub: what it is, what it starts from, and its files on this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from hub_callbacks import wire
from hub_callbacks.errors import DatasetError, ModelNotFoundError, PermanentError, RetryableError
from hub_callbacks.session import addresses, datasets
from hub_callbacks.session.access import address, asking, not_found
from hub_callbacks.session.download import fetch, identify
from hub_callbacks.session.identifier import parse
from hub_callbacks.session.plan import plan
from hub_callbacks.session.retrying import call_retrying
from hub_callbacks.settings import Settings
from hub_callbacks.transport.sdk import hub_client


class HubModel:
    """What an identifier names: a model of the hub, or a file that a run will be made of.

    Attributes:
        settings: Which hub, and with which key.
        model_id: The model's id; None before it has one.
        model_file: Weights (a URL or a name) or architecture of a model of the hub.
        train_args: Training arguments of a model of the hub; None when there is nothing to train.
        state: ``new``, ``resumable`` or ``trained``; None for no model of the hub.
        data: The model as the hub describes it.
        filename: The ``.pt`` or ``.yaml`` file; None for a model of the hub.
    """

    def __init__(self, identifier: str | None, *, settings: Settings) -> None:
        """Take the identifier apart, and load the model that it names.

        Args:
            identifier: As `identifier.parse` takes it; None for no model yet.
            settings: Which hub, and with which key, unless the identifier says so.

        Raises:
            IdentifierError: The identifier has none of the forms.
            HubModelError: There is no such model, or it cannot be trained.
            TransportError: The model cannot be loaded.
        """
        self.settings = settings
        self.model_id: str | None = None
        self.model_file: str | None = None
        self.train_args: Mapping[str, Any] | None = None
        self.state: Literal["new", "resumable", "trained"] | None = None
        self.data: Mapping[str, Any] = {}
        self.filename: str | None = None
        self._client: Any = None
        self._model: Any = None
        if identifier is not None:
            given = parse(identifier, web_root=addresses.web_root(settings))
            self.filename = given.filename
            self.settings = addresses.settings_for(given, settings)
            if given.model_id:
                self.load_model(given.model_id)

    @property
    def model_url(self) -> str | None:
        """The run's page, None before `start`; before the local hub has started, on the port that it will try first."""
        return addresses.web_root(self.settings) + wire.page(self.model_id) if self.model_id else None

    @property
    def api_url(self) -> str | None:
        """Where the hub's API has the model; None before `start`."""
        root = self.settings.api_url or addresses.web_root(self.settings)
        return root + wire.model(self.model_id) if self.model_id else None

    @property
    def auth_header(self) -> dict[str, str]:
        """The header that signs a request to the hub; the local hub makes its key when it starts."""
        local = wire.LocalHub.read(self.settings.data_dir) if self.settings.is_local else None
        key = local.key if local else self.settings.api_key
        return {wire.API_KEY_HEADER: key} if key else {}

    @property
    def client(self) -> Any:
        """``hub_sdk.HUBClient``, signed in on first use.

        Raises:
            TransportError: The hub does not answer, or does not know the key.
        """
        if self._client is None:
            self._client = hub_client(**address(self.settings))
        return self._client

    @property
    def model(self) -> Any:
        """The model as ``hub_sdk.Models``, read from the hub on first use.

        Raises:
            TransportError: The hub does not answer, or does not know the key.
        """
        if self._model is None:
            self._model = self.client.model(self.model_id)
        return self._model

    def load_model(self, model_id: str) -> None:
        """Load a model from the hub: what to train from, and with what arguments.

        Raises:
            ModelNotFoundError: The hub has no such model.
            HubModelError: It cannot be trained: its data set is not ready.
            TransportError: The hub does not answer, does not know the key, or does not let it see the model.
        """
        self.model_id, self._model = model_id, None
        page = str(self.model_url)
        with asking(self.settings, page) as api:
            self.data = api.read(model_id)
        if not self.data:
            raise ModelNotFoundError(not_found(page))
        self.state, self.model_file, self.train_args = plan(self.data, page=page)

    def check_own(self) -> None:
        """Have the hub check that the model may be trained with this key; no answer is none that forbids it.

        Raises:
            TransportError: It may not.
        """
        try:
            with asking(self.settings, str(self.model_url)) as api:
                api.check_own(str(self.model_id))
        except RetryableError:
            return  # all that the training needs is here

    def fetch_weights(self) -> str:
        """What Ultralytics starts from: a file on this machine, or a name that it knows itself.

        Raises:
            TransportError: It cannot be downloaded, or came damaged.
        """
        return self._fetch_model(str(self.model_file))

    def fetch_best(self) -> Path | None:
        """The best checkpoint so far of a model that is resumed; None when the hub has none.

        Raises:
            TransportError: As for `fetch_weights`.
        """
        url = self.data.get("weights") if self.data.get("has_best_weights") else None
        return Path(self._fetch_model(str(url))) if url else None

    def fetch_data(self) -> str:
        """What Ultralytics takes as ``data``: a data set of the hub is downloaded and unpacked.

        Raises:
            DatasetError: It cannot be unpacked, or there is nothing in it to train on.
            TransportError: It cannot be downloaded, or came damaged.
        """
        data = str((self.train_args or {}).get("data") or "")
        if not data.startswith(("http://", "https://")):
            return data
        if not urlsplit(data).path.endswith(".zip"):
            raise DatasetError(f"The data set of {self.model_url} is no .zip file: {data.partition('?')[0]}")
        folder = self.settings.data_dir / "datasets" / identify(data)
        if not folder.exists():
            archive = fetch(data, self.settings.data_dir / "cache", label="data set")
            name = (self.data.get("dataset") or {}).get("name") or urlsplit(data).path.rpartition("/")[2]
            datasets.unpack(archive, folder, name=str(name))
            archive.unlink(missing_ok=True)  # another training may have unpacked it, too
        datasets.note_use(folder)
        return datasets.found_in(folder)

    def request_queue(
        self,
        request_func: Callable[..., Any],
        retry: int = 3,
        timeout: float = 30,
        thread: bool = True,
        verbose: bool = True,
        progress_total: int | None = None,
        stream_response: bool | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Call a function of your own that talks to the hub, and again while it fails in a way that can heal.

        Uploads of the session itself do not come here: they go through the outbox.

        Args:
            request_func: The function; None, `RetryableError` and a response with a status that can heal are failures.
            retry: How often to call it again.
            timeout: Seconds after which it is not called again.
            thread: Whether to call it in a daemon thread; then None is returned at once.
            verbose: Whether to log each failure, with what the hub says.
            progress_total: As ``stream_response``; there is no bar for what is received.
            stream_response: Whether to read a response to its end, as an upload through hub-sdk wants.
            *args: The function's arguments.
            **kwargs: The function's keyword arguments.

        Returns:
            What the function returned last, a refusal of the hub too; None when every call did.
        """
        call = partial(
            call_retrying,
            partial(request_func, *args, **kwargs),
            retry=retry,
            timeout_s=timeout,
            verbose=verbose,
            sleep=time.sleep,
            is_streamed=bool(stream_response or progress_total),
        )
        if not thread:
            return call()
        threading.Thread(target=call, daemon=True).start()
        return None

    def _fetch_model(self, file: str) -> str:
        if "://" not in file:
            return file
        label = f"{self.model_id} {urlsplit(file).path.rpartition('-')[0].rpartition('-')[2] or 'weights'}"
        cache, limit_bytes = self.settings.data_dir / "cache", self.settings.cache_mb * 1e6
        sha256 = self._sha256(file)
        return str(fetch(file, cache, label=label, sha256=sha256, suffix=".pt", limit_bytes=limit_bytes))

    def _sha256(self, url: str) -> str:
        """What the hub says of the checkpoint at that URL; empty where it has no list of them."""
        try:
            with asking(self.settings, str(self.model_url)) as api:
                stored = api.checkpoints(str(self.model_id))
        except (PermanentError, ModelNotFoundError):
            return ""  # a hub of HUB v1 alone
        path = urlsplit(url).path
        return next((one["sha256"] for one in stored if urlsplit(one["url"]).path == path), "")
