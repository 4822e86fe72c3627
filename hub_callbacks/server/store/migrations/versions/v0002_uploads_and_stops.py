"""Uploads that continue after a break, how fast a run's epochs come, and who asked a run to stop."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add them."""
    for column in _columns():
        op.add_column("models", column)
    _uploads()


def downgrade() -> None:
    """Drop them."""
    op.drop_table("uploads")
    for column in _columns():
        op.drop_column("models", column.name)


def _columns() -> list[sa.Column[float] | sa.Column[str]]:
    return [
        sa.Column("last_row_at", sa.Double),
        sa.Column("epoch_times", sa.Text),
        sa.Column("stop_reason", sa.Text),
    ]


def _uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(20), nullable=False),
        sa.Column("model_seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("filename", sa.String(16), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("is_best", sa.Boolean, nullable=False),
        sa.Column("is_final", sa.Boolean, nullable=False),
        sa.Column("map", sa.Double, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("blob", sa.String(64), nullable=False),
        sa.Column("offset_bytes", sa.BigInteger, nullable=False),
        sa.Column("is_published", sa.Boolean, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
        sa.ForeignKeyConstraint(["model_seq"], ["models.seq"], name="fk_uploads_model_seq_models", ondelete="CASCADE"),
    )
    op.create_index("ix_uploads_model_seq", "uploads", ["model_seq"])
    op.create_index("ix_uploads_expires_at", "uploads", ["expires_at"])
