"""The tables, once for every engine. JSON is kept as text: SQLite and PostgreSQL alike, and NaN survives as a word."""

from __future__ import annotations

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
)
