"""The tables, once for every engine. JSON is kept as text: SQLite and PostgreSQL alike, and NaN survives as a word."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={  # Alembic can only drop or change what has a name
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives out row numbers by itself only to a column of exactly the type INTEGER.
_SEQ = BigInteger().with_variant(Integer, "sqlite")


def _text(name: str, default: str = "") -> Column[str]:
    return Column(name, Text, nullable=False, default=default)


secrets = Table(
    "secrets", metadata, Column("name", String(64), primary_key=True), Column("value", Text, nullable=False)
)

users = Table(
    "users",
    metadata,
    Column("id", String(20), primary_key=True),
    _text("name"),
    Column("role", String(16), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("email", String(254)),
    Column("password", Text),
    _text("document", "{}"),
    Column("deleted_at", Double),
    Index("uq_users_email", "email", unique=True),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(20), primary_key=True),
    Column("user_id", ForeignKey(users.c.id, ondelete="CASCADE"), nullable=False, index=True),
    _text("name"),
    Column("hash", String(64), nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    Column("last_used_at", Double),
    Column("role", String(16)),
    Column("project_id", String(20)),
    Column("expires_at", Double),
    Column("revoked_at", Double),
)


def _thing(name: str, *columns: Column[Any]) -> Table:
    """A table of things that users make, share and delete, each with a document in HUB v1's shape and one file."""
    return Table(
        name,
        metadata,
        Column("seq", _SEQ, primary_key=True, autoincrement=True),
        Column("id", String(20), nullable=False, unique=True),
        Column("owner", ForeignKey(users.c.id), nullable=False, index=True),
        *columns,
        _text("name"),
        _text("document", "{}"),
        Column("is_public", Boolean, nullable=False, default=False),
        Column("filename", Text),
        Column("size_bytes", BigInteger),
        Column("sha256", String(64)),
        Column("blob", String(64)),
        Column("created_at", Double, nullable=False),
        Column("updated_at", Double, nullable=False),
        Column("deleted_at", Double),
        Index(f"ix_{name}_list", "deleted_at", "seq"),
    )


projects = _thing("projects")
datasets = _thing("datasets", Column("project_seq", _SEQ, index=True))

members = Table(
    "members",
    metadata,
    Column("project_seq", ForeignKey(projects.c.seq, ondelete="CASCADE"), primary_key=True),
    Column("user_id", ForeignKey(users.c.id, ondelete="CASCADE"), primary_key=True, index=True),
    Column("role", String(16), nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", _SEQ, primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("user_id", String(20)),
    Column("key_id", String(20)),
    Column("address", String(64), nullable=False),
    Column("action", String(32), nullable=False),
    Column("target", String(64), nullable=False),
    Column("detail", Text, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("subject", String(64), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("since", Double, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("seq", _SEQ, primary_key=True, autoincrement=True),
    Column("id", String(20), nullable=False, unique=True),
    Column("owner", ForeignKey(users.c.id), nullable=False, index=True),
    _text("name"),
    _text("project"),
    _text("dataset"),
    _text("architecture"),
    _text("parent"),
    _text("task"),
    Column("status", String(16), nullable=False, default="new"),
    Column("state", String(16)),
    Column("state_at", Double),
    _text("reason"),
    Column("epochs", Integer),
    Column("last_epoch", Integer),
    _text("document", "{}"),
    _text("args", "{}"),
    _text("environment", "{}"),
    _text("best", "{}"),
    _text("last", "{}"),
    _text("summary", "{}"),
    Column("resume_id", String(20)),
    Column("weights_id", String(20)),
    Column("agent_id", String(64)),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("last_seen_at", Double),
    Column("deleted_at", Double),
    Column("last_row_at", Double),
    Column("epoch_times", Text),
    Column("stop_reason", Text),
    Column("project_seq", _SEQ, index=True),
    Column("dataset_id", String(20)),
    Column("is_public", Boolean, nullable=False, default=False),
    Column("attempt_at", Double),
    Column("attempt_epoch", Integer),
    Column("reset_at", Double),
    Index("ix_models_list", "deleted_at", "seq"),
)

metrics = Table(
    "metrics",
    metadata,
    Column("model_seq", ForeignKey(models.c.seq, ondelete="CASCADE"), primary_key=True),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("row_json", Text, nullable=False),
    sqlite_with_rowid=False,  # one model's rows lie beside each other: a chart is one range scan
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("seq", _SEQ, primary_key=True, autoincrement=True),
    Column("id", String(20), nullable=False, unique=True),
    Column("model_seq", ForeignKey(models.c.seq, ondelete="CASCADE"), nullable=False),
    Column("filename", String(16), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("is_best", Boolean, nullable=False),
    Column("is_final", Boolean, nullable=False),
    Column("map", Double, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("blob", String(64), nullable=False),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("model_seq", "is_final", "epoch", "sha256", name="uq_checkpoints_content"),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", String(20), primary_key=True),
    Column("model_seq", ForeignKey(models.c.seq, ondelete="CASCADE"), nullable=False, index=True),
    Column("filename", String(16), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("is_best", Boolean, nullable=False),
    Column("is_final", Boolean, nullable=False),
    Column("map", Double, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("blob", String(64), nullable=False),
    Column("offset_bytes", BigInteger, nullable=False),
    Column("is_published", Boolean, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
    Column("key_id", String(20), index=True),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("seq", _SEQ, primary_key=True, autoincrement=True),
    Column("id", String(20), nullable=False, unique=True),
    Column("model_seq", ForeignKey(models.c.seq, ondelete="CASCADE"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("epoch", Integer),
    Column("media_type", String(32), nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("blob", String(64), nullable=False),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("model_seq", "name", name="uq_artifacts_name"),
)

run_states = Table(
    "run_states",
    metadata,
    Column("seq", _SEQ, primary_key=True, autoincrement=True),
    Column("model_seq", ForeignKey(models.c.seq, ondelete="CASCADE"), nullable=False, index=True),
    Column("state", String(16), nullable=False),
    _text("reason"),
    Column("at", Double, nullable=False),
)
