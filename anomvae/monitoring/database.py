"""The database file of the state: its tables, their migrations, and its errors.

It is SQLite with a write-ahead log, so that reports can read while a run writes.  Every change is
one transaction on disk, a statement or a `transaction` of several: a power cut leaves the state
before it, or after it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from sqlite3 import Connection

from ..errors import FileError, NotWritten

FILE = "monitor.sqlite"
PRIVATE = 0o600
BUSY = 30.0  # s to wait for a lock on the file

MIGRATIONS = (
    """
    CREATE TABLE files (            -- local files, so that each is read only once
        place    TEXT NOT NULL,
        path     TEXT NOT NULL,     -- relative to the source's folder
        size     INTEGER NOT NULL,  -- bytes
        mtime_ns INTEGER NOT NULL,  -- last change, ns since 1970
        since    TEXT NOT NULL,     -- first scan with this size and time, UTC
        digest   TEXT,              -- of its content; NULL until it is stable
        PRIMARY KEY (place, path)
    ) STRICT;
    CREATE TABLE scenes (
        place     TEXT NOT NULL,
        scene     TEXT NOT NULL,    -- path and digest, address, or item and processing baseline
        model     TEXT NOT NULL,    -- digest of the model file
        settings  TEXT NOT NULL,    -- digest of threshold rule, mask, smallest object and dates
        source    TEXT NOT NULL,    -- scene without its state: another state may replace it
        status    TEXT NOT NULL CHECK (status IN ('new', 'done', 'failed', 'replaced')),
        tries     INTEGER NOT NULL, -- times it was begun
        started   TEXT NOT NULL,    -- the last time, UTC
        finished  TEXT,             -- done or failed, UTC
        next_try  TEXT,             -- of a failed one, UTC; NULL: never
        error     TEXT,             -- why it failed, in one line
        pixels    INTEGER,
        valid     INTEGER,
        flagged   INTEGER CHECK (flagged BETWEEN 0 AND valid),
        objects   INTEGER,          -- connected anomalies of the smallest area or more
        threshold REAL,             -- in the unit of the score
        quantiles TEXT,             -- of the scores by level, JSON
        seconds   REAL,
        map       TEXT,             -- path of the anomaly map
        PRIMARY KEY (place, scene, model, settings)
    ) STRICT;
    CREATE INDEX scenes_by_source ON scenes (place, source);
    CREATE TABLE alerts (           -- made in the transaction that makes their scene done
        number INTEGER PRIMARY KEY, -- the order in which they are sent
        key    TEXT NOT NULL UNIQUE,-- of place, scene, model and settings
        place  TEXT NOT NULL,
        made   TEXT NOT NULL,       -- UTC
        body   TEXT NOT NULL        -- JSON
    ) STRICT;
    CREATE TABLE deliveries (
        alert    INTEGER NOT NULL REFERENCES alerts (number),
        channel  TEXT NOT NULL,
        tries    INTEGER NOT NULL DEFAULT 0,
        next_try TEXT,              -- UTC; NULL: at once
        sent     TEXT,              -- UTC; NULL: not yet
        error    TEXT,              -- why the last try failed
        PRIMARY KEY (channel, alert)
    ) STRICT;
    CREATE INDEX deliveries_waiting ON deliveries (channel, alert) WHERE sent IS NULL;
    CREATE TABLE runs (
        run      TEXT PRIMARY KEY,
        began    TEXT NOT NULL,     -- UTC
        ended    TEXT,              -- UTC; NULL: it runs, or it died
        code     INTEGER,           -- exit code
        done     INTEGER NOT NULL DEFAULT 0,
        failed   INTEGER NOT NULL DEFAULT 0,
        known    INTEGER NOT NULL DEFAULT 0,
        alerts   INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX runs_by_time ON runs (began);
    """,
    """
    ALTER TABLE files RENAME COLUMN place TO site;
    ALTER TABLE scenes RENAME COLUMN place TO site;
    ALTER TABLE alerts RENAME COLUMN place TO site;
    """,
    """
    ALTER TABLE scenes ADD COLUMN masked INTEGER;   -- pixels that a mask hides; NULL: not counted
    ALTER TABLE scenes ADD COLUMN missing INTEGER;  -- pixels without data
    """,
    """
    ALTER TABLE scenes ADD COLUMN taken TEXT;       -- day of the acquisition; NULL: unknown
    ALTER TABLE scenes ADD COLUMN outcome TEXT      -- NULL: done by an earlier version, or not done
        CHECK (outcome IN ('normal', 'anomalous', 'not comparable'));
    ALTER TABLE scenes ADD COLUMN reasons TEXT;     -- of the outcome, JSON list of clauses
    ALTER TABLE scenes ADD COLUMN in_domain TEXT;   -- yes, doubtful or no; NULL: no verdict
    ALTER TABLE scenes ADD COLUMN doubts TEXT;      -- reasons of that verdict, JSON list of clauses
    ALTER TABLE scenes ADD COLUMN drift TEXT;       -- from the training reference, JSON
    CREATE TABLE services (         -- which detector serves a site, and since when
        site     TEXT NOT NULL,
        since    TEXT NOT NULL,     -- UTC
        model    TEXT NOT NULL,     -- digest, as in scenes
        settings TEXT NOT NULL,
        caught_up TEXT,             -- when no scene was due any more, UTC; NULL: not yet
        PRIMARY KEY (site, since, model, settings)
    ) STRICT;
    CREATE TABLE notices (          -- what the last run found out about sites, replaced by each run
        site     TEXT NOT NULL,
        level    TEXT NOT NULL CHECK (level IN ('error', 'note')),
        text     TEXT NOT NULL
    ) STRICT;
    CREATE TABLE events (           -- connected anomalies that last, numbered per site
        site         TEXT NOT NULL,
        number       INTEGER NOT NULL,
        status       TEXT NOT NULL CHECK (status IN ('provisional', 'confirmed', 'closed')),
        origin       TEXT NOT NULL, -- the scene that opened it
        first        TEXT NOT NULL, -- day of the first exceedance
        last         TEXT NOT NULL, -- day of the last exceedance
        confirmed    TEXT,          -- day of the pass that confirmed it
        closed       TEXT,          -- day of the pass that closed it
        reason       TEXT,          -- why it is closed
        agreed       INTEGER NOT NULL, -- passes that exceed, of the last valid ones
        passes       INTEGER NOT NULL, -- these valid ones
        area_px      INTEGER NOT NULL, -- on the site's grid
        confirmed_px INTEGER NOT NULL,
        area_m2      REAL,
        geometry     TEXT,          -- GeoJSON in WGS 84; NULL: no place on Earth
        box          TEXT NOT NULL, -- first and last row, first and last column, JSON
        evidence     TEXT NOT NULL, -- of the newest scene that shows it, JSON
        pending      TEXT NOT NULL, -- changes that no alert was considered for yet, JSON
        alerted      TEXT,          -- when the last alert about it was made, UTC
        answer       TEXT CHECK (answer IN ('acknowledged', 'muted', 'rejected')),
        PRIMARY KEY (site, number)
    ) STRICT;
    CREATE INDEX events_pending ON events (site) WHERE pending != '[]';
    CREATE TABLE answers (          -- what people answer, in order
        answered TEXT NOT NULL,     -- UTC
        site     TEXT NOT NULL,
        number   INTEGER NOT NULL,  -- of the event
        answer   TEXT NOT NULL
            CHECK (answer IN ('acknowledged', 'muted', 'rejected', 'withdrawn')),
        reason   TEXT NOT NULL,
        by       TEXT NOT NULL,     -- name of the user
        FOREIGN KEY (site, number) REFERENCES events (site, number)
    ) STRICT;
    """,
    """
    ALTER TABLE events ADD COLUMN   -- pixels with K valid passes or more since they exceeded
        tested_px INTEGER NOT NULL DEFAULT 0;
    UPDATE events SET tested_px = area_px;
    """,
)
"""Steps from each version of the tables to the next; ``user_version`` counts the steps taken."""


@contextmanager
def opened(folder: str | Path, migrations: Sequence[str] = MIGRATIONS) -> Iterator[Connection]:
    """Open the database for a run; create it, or bring it up to date.

    Raises `NotWritten` if it cannot be written, `FileError` if it is damaged, or of a newer
    version.
    """
    _keep_private(Path(folder) / FILE)
    with _connected(folder, "rwc", len(migrations)) as (database, version):
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        _migrate(database, migrations, version)
        yield database


@contextmanager
def opened_copy(folder: str | Path) -> Iterator[Connection]:
    """Open a copy of the database in memory, an empty one if there is none; the file stays.

    Raises `FileError` if it cannot be read, or it is of a newer version.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
        version = 0
        if (Path(folder) / FILE).exists():
            with _connected(folder, "ro", len(MIGRATIONS)) as (database, version):
                database.backup(copy)
        copy.row_factory = sqlite3.Row
        _migrate(copy, MIGRATIONS, version)
        yield copy


@contextmanager
def opened_to_read(folder: str | Path) -> Iterator[Connection]:
    """Open the database for a report, while a run may write it.

    Raises `FileError` if there is none, or it cannot be read, or it is of another version.
    """
    path = Path(folder) / FILE
    if not path.exists():
        raise FileError(f"{path} does not exist. Run `anomvae monitor run` first.")
    with _connected(folder, "ro", len(MIGRATIONS)) as (database, version):
        if version < len(MIGRATIONS):
            raise FileError(
                f"{path} is of an older version. The next `anomvae monitor run` brings it up to "
                f"date."
            )
        yield database


def identified(folder: str | Path) -> tuple[int, int]:
    """Return the identity of the file of the database: device and number."""
    status = os.stat(Path(folder) / FILE)
    return status.st_dev, status.st_ino


def require_in_place(folder: str | Path, opened_file: tuple[int, int]) -> None:
    """Require that the folder still holds the database that was opened.

    A disk that was taken away takes the open database with it, and what is written meanwhile
    lies in the folder beneath: the database must not record it as done.  Raises `NotWritten`.
    """
    with suppress(OSError):
        if identified(folder) == opened_file:
            return
    raise NotWritten(
        f"{Path(folder) / FILE} is no longer the file that this run opened: its disk was taken "
        f"away, or the file was moved. Put it back; the next run does again what is not recorded."
    )


def last_success(database: Connection) -> str | None:
    """Return when the last run without failures ended, UTC."""
    # In the order in which runs began: a clock that was ahead may have given one a late time.
    row = database.execute(
        "SELECT ended FROM runs WHERE code = 0 ORDER BY rowid DESC LIMIT 1"
    ).fetchone()
    return None if row is None else str(row[0])


def _migrate(database: Connection, migrations: Sequence[str], version: int) -> None:
    """Take the steps that follow a version."""
    for number, step in enumerate(migrations[version:], start=version + 1):
        text = step if sqlite3.sqlite_version_info >= (3, 37) else step.replace(" STRICT;", ";")
        database.executescript(f"BEGIN IMMEDIATE; {text} PRAGMA user_version = {number}; COMMIT")


def _keep_private(path: Path) -> None:
    """Give the file, created if missing, and its write-ahead log to their owner alone."""
    with suppress(OSError):  # SQLite reports what is wrong; a new log gets the mode of the file
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE))
        for part in (path, *path.parent.glob(f"{path.name}-*")):
            part.chmod(PRIVATE)


@contextmanager
def transaction(database: Connection) -> Iterator[None]:
    """Make all changes of the block, or none of them."""
    database.execute("BEGIN IMMEDIATE")
    with database:  # commits, or rolls back what a full disk has not rolled back already
        yield


@contextmanager
def _connected(folder: str | Path, mode: str, newest: int) -> Iterator[tuple[Connection, int]]:
    """Open the database, and turn errors of SQLite into one line; also return its version."""
    path = Path(folder) / FILE
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    try:
        with closing(
            sqlite3.connect(uri, uri=True, timeout=BUSY, isolation_level=None)
        ) as database:
            database.row_factory = sqlite3.Row
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version > newest:
                raise FileError(
                    f"{path} has version {version}, written by a newer anomvae; this one knows up "
                    f"to {newest}. Update anomvae (pip install -U anomvae)."
                )
            yield database, version
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise  # errors of this package, not of the file
    except sqlite3.OperationalError as error:
        raise NotWritten(
            f"{path} cannot be written: {error}. Choose a folder that is writable and has free "
            f"space; no result is lost."
        ) from error
    except sqlite3.DatabaseError as error:
        raise FileError(
            f"{path} is damaged or no database of anomvae: {error}. Move it away, and the next run "
            f"begins anew, or restore a copy of it."
        ) from error
