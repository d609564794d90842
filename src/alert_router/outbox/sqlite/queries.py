"""The SQL of this driver: the statements of the operations and its own."""

from alert_router.outbox.operations.statements import SHARED, statements, text_of

QUERIES = SHARED | statements(__package__, "queries.sql")

# One script for each version of the tables: the first makes them, each later one brings the
# tables of the version before it up to its own.
MIGRATIONS = tuple(
    text_of(__package__, name)
    for name in (
        "schema.sql",
        "schema-2.sql",
        "schema-3.sql",
        "schema-4.sql",
        "schema-5.sql",
        "schema-6.sql",
        "schema-7.sql",
        "schema-8.sql",
        "schema-9.sql",
    )
)
