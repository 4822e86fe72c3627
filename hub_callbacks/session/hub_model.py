"""A model of the hub, as `hub_sdk` sees it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from hub_callbacks import wire
from hub_callbacks.courier import local_hub
from hub_callbacks.errors import IdentifierError
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
        model_file: Weights or architecture of a model of the hub.
        train_args: Training arguments of a model of the hub; None when there is nothing to train.
        filename: The ``.pt`` or ``.yaml`` file; None for a model of the hub.
    """

    def __init__(self, identifier: str | None, *, settings: Settings) -> None:
        """Take the identifier apart, and load the model that it names.

        Args:
            identifier: As `identifier.parse` takes it; None for no model yet.
            settings: Which hub, and with which key.

        Raises:
            IdentifierError: The identifier has none of the forms, or the model cannot be trained.
            TransportError: The model cannot be loaded.
        """
        self.settings = settings
        self.model_id: str | None = None
        self.model_file: str | None = None
        self.train_args: Mapping[str, Any] | None = None
        self.filename: str | None = None
        self._api_key = settings.api_key
        self._client: Any = None
        self._model: Any = None
        if identifier is not None:
            given = parse(identifier, web_root=self._web_root())
            self.filename = given.filename
            self._api_key = given.api_key or self._api_key
            if given.model_id:
                self.load_model(given.model_id)

    @property
    def model_url(self) -> str | None:
        """The run's page, None before `start`; before the local hub has started, on the port that it will try first."""
        return self._web_root() + wire.page(self.model_id) if self.model_id else None

    @property
    def client(self) -> Any:
        """``hub_sdk.HUBClient``, signed in on first use.

        Raises:
            TransportError: The hub does not answer, or does not know the key.
        """
        if self._client is None:
            self._client = hub_client(**self._address())
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
            IdentifierError: The hub has no such model, or its data set is not ready.
            TransportError: The hub does not answer, or does not know the key.
        """
        self.model_id, self._model = model_id, None
        if not self.model.data:
            raise IdentifierError(f"The hub has no model {model_id!r} that your key may see. Check {self.model_url}.")
        self.model_file, self.train_args = plan(self.model, page=self._web_root() + wire.page(model_id))

    def request_queue(
        self,
        request_func: Callable[..., Any],
        retry: int = 3,
        timeout: float = 30,
        thread: bool = True,
        verbose: bool = True,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Call a function of your own that talks to the hub, and again while it fails in a way that can heal.

        Uploads of the session itself do not come here: they go through the outbox.

        Args:
            request_func: The function; None and `RetryableError` are failures.
            retry: How often to call it again.
            timeout: Seconds after which it is not called again.
            thread: Whether to call it in a daemon thread; then None is returned at once.
            verbose: Whether to log each failure.
            *args: The function's arguments.
            **kwargs: The function's keyword arguments.

        Returns:
            What the function returned; None when every call did.
        """
        call = partial(
            call_retrying,
            partial(request_func, *args, **kwargs),
            retry=retry,
            timeout_s=timeout,
            verbose=verbose,
            sleep=time.sleep,
        )
        if not thread:
            return call()
        threading.Thread(target=call, daemon=True).start()
        return None

    def _web_root(self) -> str:
        known = self.settings.web_url or self.settings.api_url
        if known:
            return known
        hub = wire.LocalHub.read(self.settings.data_dir)
        return hub.url if hub else f"http://127.0.0.1:{self.settings.port}"

    def _address(self) -> dict[str, str]:
        if not self.settings.is_local:
            return {"api_url": self.settings.api_url, "web_url": self._web_root(), "api_key": self._api_key}
        hub = local_hub.ensure(self.settings.data_dir, port=self.settings.port)
        return {"api_url": hub.url, "web_url": hub.url, "api_key": hub.key}
