"""A router of the version before the latest tables, `python -P tests/version_before.py alert-router
serve ...`: today's program with the statements and the tables of that version."""

import re
import sys

from alert_router.outbox.postgres import database, pool
from alert_router.outbox.sqlite import database as sqlite

POSTGRES_TABLES = database.MIGRATIONS[:-2]
SQLITE_TABLES = sqlite.MIGRATIONS[:-1]

# What it reads where today's program reads what it does not know.
_UNKNOWN = (
    (re.compile(r"\bg\.since\b"), "CAST(0 AS double precision)"),
    (
        re.compile(r"CASE WHEN next_after = group_id THEN next_since END"),
        "CAST(NULL AS double precision)",
    ),
)
# What it writes, with the values of today's statements.
_POSTGRES = {
    "set_last_contents": """
        UPDATE identity SET content = n.content, group_id = n.group_id, accepted_at = n.accepted_at
        FROM unnest(
            CAST(? AS bigint[]), CAST(? AS bytea[]), CAST(? AS text[]),
            CAST(? AS double precision[]), CAST(? AS double precision[])
        ) AS n (id, content, group_id, accepted_at, unknown)
        WHERE identity.id = n.id""",
    "new_identities": """
        INSERT INTO identity (digest, content, group_id, accepted_at)
        SELECT digest, content, group_id, accepted_at FROM unnest(
            CAST(? AS bytea[]), CAST(? AS bytea[]), CAST(? AS text[]),
            CAST(? AS double precision[]), CAST(? AS double precision[])
        ) AS n (digest, content, group_id, accepted_at, unknown)
        ON CONFLICT (digest) DO NOTHING RETURNING digest, id""",
    "new_groups": """
        INSERT INTO alert_group (id, accepted_at, body)
        SELECT id, accepted_at, body FROM unnest(
            CAST(? AS text[]), CAST(? AS double precision[]), CAST(? AS double precision[]),
            CAST(? AS bytea[])
        ) AS n (id, accepted_at, unknown, body)
        RETURNING id, seq""",
    "put_identity": """
        INSERT INTO identity AS i (digest, content, group_id, accepted_at)
        SELECT digest, content, group_id, accepted_at FROM (VALUES (
            CAST(? AS bytea), CAST(? AS bytea), CAST(? AS text), CAST(? AS text),
            CAST(? AS double precision), CAST(? AS double precision)
        )) AS n (digest, content, group_id, unknown, another, accepted_at)
        ON CONFLICT (digest) DO UPDATE SET
            content = CASE WHEN excluded.accepted_at > i.accepted_at
                THEN excluded.content ELSE i.content END,
            group_id = CASE WHEN excluded.accepted_at > i.accepted_at
                THEN excluded.group_id ELSE i.group_id END,
            accepted_at = CASE WHEN excluded.accepted_at > i.accepted_at
                THEN excluded.accepted_at ELSE i.accepted_at END
        RETURNING id""",
    "add_group": """
        INSERT INTO alert_group (id, accepted_at, body)
        SELECT id, accepted_at, body FROM (VALUES (
            CAST(? AS text), CAST(? AS double precision), CAST(? AS double precision),
            CAST(? AS bytea)
        )) AS n (id, accepted_at, unknown, body)
        RETURNING seq""",
}
_LEFT_OUT = "CASE WHEN ? IS NULL THEN NULL END"  # a value that is not written
_SQLITE = {
    "add_group": f"""
        INSERT INTO alert_group (id, accepted_at, body) VALUES (?, ?, coalesce({_LEFT_OUT}, ?))""",
    "add_groups": f"""
        INSERT INTO alert_group (seq, id, accepted_at, body)
        VALUES (?, ?, ?, coalesce({_LEFT_OUT}, ?))""",
    "add_identities": f"""
        INSERT INTO identity (id, digest, content, group_id, accepted_at)
        VALUES (?, ?, ?, ?, coalesce({_LEFT_OUT}, {_LEFT_OUT}, ?))""",
    "set_last_content": f"""
        UPDATE identity SET content = ?, group_id = ?,
            accepted_at = coalesce({_LEFT_OUT}, {_LEFT_OUT}, ?)
        WHERE id = ?""",
    "put_identity": f"""
        INSERT INTO identity (digest, content, group_id, accepted_at)
        VALUES (?, ?, ?, coalesce({_LEFT_OUT}, {_LEFT_OUT}, ?))
        ON CONFLICT (digest) DO UPDATE SET content = excluded.content,
            group_id = excluded.group_id, accepted_at = excluded.accepted_at
        RETURNING id""",
}


def postgres_statements() -> dict[str, tuple[str, tuple[str, ...]]]:
    """As `pool._STATEMENTS`."""
    read = {name: (_known(text), names) for name, (text, names) in pool._STATEMENTS.items()}
    return read | {name: pool._numbered(text) for name, text in _POSTGRES.items()}


def sqlite_statements() -> dict[str, str]:
    """As `QUERIES`."""
    return {name: _known(text) for name, text in sqlite.QUERIES.items()} | _SQLITE


def _known(text: str) -> str:
    for unknown, instead in _UNKNOWN:
        text = unknown.sub(instead, text)
    return text


if __name__ == "__main__":
    from alert_router.cli import main

    pool._STATEMENTS.update(postgres_statements())
    sqlite.QUERIES.update(sqlite_statements())
    database.MIGRATIONS, sqlite.MIGRATIONS = POSTGRES_TABLES, SQLITE_TABLES
    del sys.argv[0]
    main()
