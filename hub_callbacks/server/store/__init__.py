"""What the hub keeps: models, their metrics, their checkpoints, keys."""
