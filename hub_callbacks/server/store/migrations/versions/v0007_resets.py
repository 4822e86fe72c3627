"""Which trainings of a run a reset has done away with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add it; nobody knows of the resets before."""
    op.add_column("models", sa.Column("reset_at", sa.Double))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("models", "reset_at")
