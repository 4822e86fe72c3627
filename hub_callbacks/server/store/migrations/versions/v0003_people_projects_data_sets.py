"""Who may do what, and what it is done with: projects, data sets, members, scoped keys, the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add them."""
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column)
    op.create_index("uq_users_email", "users", ["email"], unique=True)
    op.create_index("ix_models_project_seq", "models", ["project_seq"])
    op.create_index("ix_uploads_key_id", "uploads", ["key_id"])
    _things()
    _logs()


def downgrade() -> None:
    """Drop them."""
    for table in ("attempts", "audit", "members", "datasets", "projects"):
        op.drop_table(table)
    op.drop_index("ix_uploads_key_id", "uploads")
    op.drop_index("ix_models_project_seq", "models")
    op.drop_index("uq_users_email", "users")
    for table, columns in _columns().items():
        for column in columns:
            op.drop_column(table, column.name)


def _columns() -> dict[str, list[sa.Column[str] | sa.Column[float] | sa.Column[bool] | sa.Column[int]]]:
    return {
        "users": [
            sa.Column("email", sa.String(254)),
            sa.Column("password", sa.Text),
            sa.Column("document", sa.Text, nullable=False, server_default="{}"),
            sa.Column("deleted_at", sa.Double),
        ],
        "keys": [
            sa.Column("role", sa.String(16)),
            sa.Column("project_id", sa.String(20)),
            sa.Column("expires_at", sa.Double),
            sa.Column("revoked_at", sa.Double),
        ],
        "models": [
            sa.Column("project_seq", _SEQ),
            sa.Column("dataset_id", sa.String(20)),
            sa.Column("is_public", sa.Boolean, nullable=False, server_default=sa.false()),
        ],
        "uploads": [sa.Column("key_id", sa.String(20))],
    }


def _things() -> None:
    for name, columns in {"projects": (), "datasets": (sa.Column("project_seq", _SEQ),)}.items():
        op.create_table(
            name,
            sa.Column("seq", _SEQ, autoincrement=True, nullable=False),
            sa.Column("id", sa.String(20), nullable=False),
            sa.Column("owner", sa.String(20), nullable=False),
            *columns,
            sa.Column("name", sa.Text, nullable=False),
            sa.Column("document", sa.Text, nullable=False),
            sa.Column("is_public", sa.Boolean, nullable=False),
            sa.Column("filename", sa.Text),
            sa.Column("size_bytes", sa.BigInteger),
            sa.Column("sha256", sa.String(64)),
            sa.Column("blob", sa.String(64)),
            sa.Column("created_at", sa.Double, nullable=False),
            sa.Column("updated_at", sa.Double, nullable=False),
            sa.Column("deleted_at", sa.Double),
            sa.PrimaryKeyConstraint("seq", name=f"pk_{name}"),
            sa.UniqueConstraint("id", name=f"uq_{name}_id"),
            sa.ForeignKeyConstraint(["owner"], ["users.id"], name=f"fk_{name}_owner_users"),
        )
        op.create_index(f"ix_{name}_owner", name, ["owner"])
        op.create_index(f"ix_{name}_list", name, ["deleted_at", "seq"])
    op.create_index("ix_datasets_project_seq", "datasets", ["project_seq"])
    _members()


def _members() -> None:
    op.create_table(
        "members",
        sa.Column("project_seq", _SEQ, nullable=False),
        sa.Column("user_id", sa.String(20), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("project_seq", "user_id", name="pk_members"),
        sa.ForeignKeyConstraint(
            ["project_seq"], ["projects.seq"], name="fk_members_project_seq_projects", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_members_user_id_users", ondelete="CASCADE"),
    )
    op.create_index("ix_members_user_id", "members", ["user_id"])


def _logs() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", _SEQ, autoincrement=True, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("user_id", sa.String(20)),
        sa.Column("key_id", sa.String(20)),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("target", sa.String(64), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
    )
    op.create_table(
        "attempts",
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_attempts"),
    )
