"""The first tables: secrets, users, keys, models, metrics, checkpoints."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make them."""
    _people()
    _models()
    _rows()


def downgrade() -> None:
    """Drop them."""
    for table in ("checkpoints", "metrics", "models", "keys", "users", "secrets"):
        op.drop_table(table)


def _people() -> None:
    op.create_table(
        "secrets",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_secrets"),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.String(20), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.String(20), nullable=False),
        sa.Column("user_id", sa.String(20), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("last_used_at", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
        sa.UniqueConstraint("hash", name="uq_keys_hash"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_keys_user_id_users", ondelete="CASCADE"),
    )
    op.create_index("ix_keys_user_id", "keys", ["user_id"])


def _models() -> None:
    texts = ("name", "project", "dataset", "architecture", "parent", "task", "reason")
    documents = ("document", "args", "environment", "best", "last", "summary")
    op.create_table(
        "models",
        sa.Column("seq", _SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(20), nullable=False),
        sa.Column("owner", sa.String(20), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts + documents),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16)),
        sa.Column("state_at", sa.Double),
        sa.Column("epochs", sa.Integer),
        sa.Column("last_epoch", sa.Integer),
        sa.Column("resume_id", sa.String(20)),
        sa.Column("weights_id", sa.String(20)),
        sa.Column("agent_id", sa.String(64)),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("started_at", sa.Double),
        sa.Column("finished_at", sa.Double),
        sa.Column("last_seen_at", sa.Double),
        sa.Column("deleted_at", sa.Double),
        sa.PrimaryKeyConstraint("seq", name="pk_models"),
        sa.UniqueConstraint("id", name="uq_models_id"),
        sa.ForeignKeyConstraint(["owner"], ["users.id"], name="fk_models_owner_users"),
    )
    op.create_index("ix_models_owner", "models", ["owner"])
    op.create_index("ix_models_list", "models", ["deleted_at", "seq"])


def _rows() -> None:
    op.create_table(
        "metrics",
        sa.Column("model_seq", _SEQ, nullable=False),
        sa.Column("epoch", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("row_json", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("model_seq", "epoch", name="pk_metrics"),
        sa.ForeignKeyConstraint(["model_seq"], ["models.seq"], name="fk_metrics_model_seq_models", ondelete="CASCADE"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "checkpoints",
        sa.Column("seq", _SEQ, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(20), nullable=False),
        sa.Column("model_seq", _SEQ, nullable=False),
        sa.Column("filename", sa.String(16), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("is_best", sa.Boolean, nullable=False),
        sa.Column("is_final", sa.Boolean, nullable=False),
        sa.Column("map", sa.Double, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("blob", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_checkpoints"),
        sa.UniqueConstraint("id", name="uq_checkpoints_id"),
        sa.UniqueConstraint("model_seq", "is_final", "epoch", "sha256", name="uq_checkpoints_content"),
        sa.ForeignKeyConstraint(
            ["model_seq"], ["models.seq"], name="fk_checkpoints_model_seq_models", ondelete="CASCADE"
        ),
    )
