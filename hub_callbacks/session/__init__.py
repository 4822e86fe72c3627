"""The HUB training session: one run, from its first epoch to its receipt."""

from hub_callbacks.session.session import HUBTrainingSession

__all__ = ["HUBTrainingSession"]
