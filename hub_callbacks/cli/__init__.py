"""The command ``hub-callbacks``."""

from hub_callbacks.cli.main import main

__all__ = ["main"]
