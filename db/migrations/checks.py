"""Changes a CHECK constraint, which SQLite can only do by making the table anew."""

from alembic import op


def replace_check(table: str, name: str, old: str, new: str) -> None:
    """Put the condition `new` in place of `old`.

    SQLite's foreign keys must be off (see `env.py`): dropping the old table would otherwise empty what
    refers to it.
    """
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(op.f(name), table, type_="check")
        op.create_check_constraint(op.f(name), table, new)
        return
    bind = op.get_bind()
    parts = bind.exec_driver_sql("SELECT type, sql FROM sqlite_master WHERE tbl_name = ?", (table,)).all()
    sql = next(sql for kind, sql in parts if kind == "table")
    if old not in sql:
        raise RuntimeError(f"Table {table} has no condition {old}.")
    fresh = f"{table}_new"
    head, body = sql.split("(", 1)
    bind.exec_driver_sql(f"{head.replace(table, fresh)}({body.replace(old, new)}")
    bind.exec_driver_sql(f"INSERT INTO {fresh} SELECT * FROM {table}")  # noqa: S608 - names are ours
    bind.exec_driver_sql(f"DROP TABLE {table}")
    bind.exec_driver_sql(f"ALTER TABLE {fresh} RENAME TO {table}")
    for kind, index in parts:
        if kind == "index" and index:
            bind.exec_driver_sql(index)
