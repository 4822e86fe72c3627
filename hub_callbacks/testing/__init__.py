"""For the tests of plugins, and our own: a trainer without Ultralytics, and a hub that can be told to misbehave."""

from hub_callbacks.testing.hub import FaultHub
from hub_callbacks.testing.received import Endpoint, ReceivedArtifact, ReceivedCheckpoint, ReceivedRequest, ReceivedRun
from hub_callbacks.testing.trainer import StubTrainer

__all__ = [
    "Endpoint",
    "FaultHub",
    "ReceivedArtifact",
    "ReceivedCheckpoint",
    "ReceivedRequest",
    "ReceivedRun",
    "StubTrainer",
]
