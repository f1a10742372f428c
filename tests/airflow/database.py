"""Airflow's database of one file, for tests in which many processes write to it at once."""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

# A request of the API server may hold the file and need the very thread in which another one waits for it:
# the sooner that one gives up, with a 500 that is tried again, the better. The scheduler and the triggerer do
# not try again: they end.
_PATIENCE = """#!/bin/sh
who=$(tr '\\0' ' ' 2>/dev/null </proc/$PPID/cmdline || ps -o args= -p $PPID)
case "$who" in *api?server*) seconds=2 ;; *) seconds=60 ;; esac
echo "sqlite:///{database}?timeout=$seconds"
"""


def patient_database(home: Path) -> dict[str, str]:
    """The variables that let each of Airflow's processes wait for it as long as is good for all."""
    home.mkdir(parents=True, exist_ok=True)
    script = home / "database-url"
    script.write_text(_PATIENCE.replace("{database}", os.fspath(home / "airflow.db")))
    script.chmod(0o700)
    return {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": shlex.quote(os.fspath(script))}


def never_reuse_trigger_ids(home: Path) -> None:
    """Have SQLite number triggers as the databases do that Airflow is meant to run on.

    Else it gives the id of a trigger that was just deleted to the next one. A task that is cleared while it
    is deferred then gets the event of the trigger before, or none.
    """
    with closing(sqlite3.connect(home / "airflow.db", timeout=60, isolation_level=None)) as database:
        parts = "SELECT sql FROM sqlite_master WHERE tbl_name = 'trigger' AND type = ? AND sql IS NOT NULL"
        [[table]] = database.execute(parts, ["table"])
        indexes = [sql for (sql,) in database.execute(parts, ["index"])]
        numbered = re.sub(r"\bid INTEGER NOT NULL", "id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL", table)
        numbered = re.sub(r",\s*CONSTRAINT \w+ PRIMARY KEY \(id\)", "", numbered)
        made = ";".join(['DROP TABLE "trigger"', numbered, *indexes])
        database.executescript(f"BEGIN IMMEDIATE; {made}; COMMIT")
