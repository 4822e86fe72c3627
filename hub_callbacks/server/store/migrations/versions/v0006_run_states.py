"""How runs stood, one state after the other."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the table; of what was before, only the present states are known."""
    op.create_table(
        "run_states",
        sa.Column("seq", _SEQ, autoincrement=True, nullable=False),
        sa.Column("model_seq", _SEQ, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_run_states"),
        sa.ForeignKeyConstraint(
            ["model_seq"], ["models.seq"], name="fk_run_states_model_seq_models", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_run_states_model_seq", "run_states", ["model_seq"])
    op.execute(
        "INSERT INTO run_states (model_seq, state, reason, at)"
        " SELECT seq, state, reason, state_at FROM models WHERE state IS NOT NULL AND state_at IS NOT NULL"
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("run_states")
