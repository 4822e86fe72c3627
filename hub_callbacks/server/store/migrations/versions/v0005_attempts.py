"""Which training of a run holds, and from which epoch on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add it; what is there is of the first."""
    op.add_column("models", sa.Column("attempt_at", sa.Double))
    op.add_column("models", sa.Column("attempt_epoch", sa.Integer))
    op.execute("UPDATE models SET attempt_at = started_at, attempt_epoch = 0 WHERE started_at IS NOT NULL")


def downgrade() -> None:
    """Drop it."""
    op.drop_column("models", "attempt_epoch")
    op.drop_column("models", "attempt_at")
