"""The session for Python's drivers; the argument says which. See README.md beside this."""

import asyncio
import datetime
import decimal
import hashlib
import os
import sys

DRIVER = sys.argv[1]
TLS = os.environ.get("MATRIX_TLS") == "1"
TABLE = "m_" + DRIVER.replace("-", "_")
COLUMNS = "n, big, price, ratio, day, moment, body, raw, doc"
ROW = (
    -7,
    18446744073709551615,
    decimal.Decimal("12345.6789"),
    0.1,
    datetime.date(2024, 2, 29),
    datetime.datetime(2024, 2, 29, 23, 59, 58, 123456),
    "Grüße, 漢字, 🌊 'quoted' \\ \"%s\"",
    bytes(range(256)),
    '{"a": [1, null]}',
)
# asyncmy reads no packet that is longer.
LARGE = [16777100] if DRIVER == "asyncmy" else [16777100, 16777215, 16777216, 20000000]
place = {
    "host": os.environ["MATRIX_HOST"],
    "port": int(os.environ["MATRIX_PORT"]),
    "user": os.environ["MATRIX_USER"],
    "password": os.environ["MATRIX_PASSWORD"],
    "database": os.environ["MATRIX_SCHEMA"],
}


def told(step, *values):
    print(step, *[plain(value) for value in values], sep=" | ", flush=True)


def plain(value):
    """A value in one form for all drivers."""
    if isinstance(value, (tuple, list)):
        return "(" + ", ".join(plain(one) for one in value) + ")"
    if isinstance(value, (bytes, bytearray)):
        if len(value) > 300:
            return f"{len(value)} bytes {hashlib.md5(value).hexdigest()}"
        return "x'" + bytes(value).hex() + "'"
    return ascii(value)


class Asyncmy:
    """asyncmy behind the DB-API's names."""

    def __init__(self, **options):
        import asyncmy

        self.loop = asyncio.new_event_loop()
        self.real = self.loop.run_until_complete(asyncmy.connect(**options))

    def cursor(self):
        return AsyncmyCursor(self)

    def __getattr__(self, name):
        return lambda *given: self.loop.run_until_complete(
            asyncio.ensure_future(getattr(self.real, name)(*given), loop=self.loop)
        )

    def close(self):
        self.loop.run_until_complete(self.real.ensure_closed())


class AsyncmyCursor:
    def __init__(self, conn):
        self.loop, self.real = conn.loop, conn.real.cursor()

    def __getattr__(self, name):
        found = getattr(self.real, name)
        if not callable(found):
            return found
        return lambda *given: self.loop.run_until_complete(found(*given))


def connect():
    """A connection, and the class of its errors."""
    if DRIVER == "pymysql":
        import pymysql as module
        from pymysql.constants import CLIENT

        tls = {"ssl": {"fake": True}} if TLS else {"ssl_disabled": True}
        conn = module.connect(**place, **tls, client_flag=CLIENT.MULTI_STATEMENTS)
        assert bool(getattr(conn._sock, "cipher", None)) == TLS
    elif DRIVER == "mysqlclient":
        import MySQLdb as module
        from MySQLdb.constants import CLIENT

        tls = {"ssl_mode": "REQUIRED"} if TLS else {"ssl_mode": "DISABLED"}
        conn = module.connect(
            **place, **tls, charset="utf8mb4", client_flag=CLIENT.MULTI_STATEMENTS
        )
    elif DRIVER == "asyncmy":
        import ssl

        from asyncmy import errors as module
        from asyncmy.constants import CLIENT

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        tls = {"ssl": context} if TLS else {}
        given = dict(place, db=place["database"])
        del given["database"]
        conn = Asyncmy(**given, **tls, charset="utf8mb4", client_flag=CLIENT.MULTI_STATEMENTS)
    else:
        import mysql.connector as module

        conn = module.connect(
            **place, ssl_disabled=not TLS, use_pure=DRIVER == "connector-pure"
        )
    return conn, module.Error


class Session:
    def __init__(self):
        self.conn, self.error = connect()
        self.cursor = self.conn.cursor()

    def rows(self, sql, *given):
        self.cursor.execute(sql, given or None)
        return [tuple(row) for row in self.cursor.fetchall()]

    def prepared(self, sql, *given):
        """By the binary protocol, where the driver has it. The C extension raises an error that is
        none, whoever it talks to."""
        if DRIVER != "connector-pure":
            return self.rows(sql, *given)
        cursor = self.conn.cursor(prepared=True)
        cursor.execute(sql, given)
        rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        cursor.close()
        return rows

    def failure(self, step, sql):
        try:
            self.cursor.execute(sql)
            self.cursor.fetchall()
            told(step, "no error")
        except self.error as error:
            told(step, error.args[0], getattr(error, "sqlstate", None), type(error).__name__)


def values(s):
    s.rows(f"DROP TABLE IF EXISTS {TABLE}")
    s.rows(
        f"CREATE TABLE {TABLE} (id INT AUTO_INCREMENT PRIMARY KEY, n INT, big BIGINT UNSIGNED,"
        " price DECIMAL(12,4), ratio DOUBLE, day DATE, moment DATETIME(6), body LONGTEXT,"
        " raw LONGBLOB, doc JSON) CHARACTER SET utf8mb4"
    )
    marks = ", ".join(["%s"] * len(ROW))
    insert = f"INSERT INTO {TABLE} ({COLUMNS}) VALUES ({marks})"
    s.cursor.execute(insert, ROW)
    told("insert", s.cursor.rowcount, s.cursor.lastrowid)
    told("text", s.rows(f"SELECT {COLUMNS} FROM {TABLE} WHERE id = 1"))
    s.prepared(insert, *ROW)
    s.prepared(insert, *[None] * len(ROW))
    told("prepared", s.prepared(f"SELECT {COLUMNS} FROM {TABLE} WHERE id > %s", 1))
    told("columns", [(c[0], c[1], c[6]) for c in read_description(s)])
    s.conn.commit()


def read_description(s):
    s.rows(f"SELECT * FROM {TABLE}")
    return s.cursor.description


def transactions(s):
    s.cursor.execute(f"UPDATE {TABLE} SET n = n + 1 WHERE n IS NOT NULL")
    told("update", s.cursor.rowcount)
    told("inside", s.rows(f"SELECT n FROM {TABLE} ORDER BY id"))
    s.conn.rollback()
    told("rolled back", s.rows(f"SELECT n FROM {TABLE} ORDER BY id"))
    s.rows(f"UPDATE {TABLE} SET n = 40 WHERE id = 1")
    s.conn.commit()
    told("committed", s.prepared(f"SELECT n FROM {TABLE} WHERE id = %s", 1))
    s.conn.rollback()


def batches(s):
    s.cursor.executemany(
        f"INSERT INTO {TABLE} (n, body) VALUES (%s, %s)", [(i, f"row {i}") for i in range(50)]
    )
    told("many", s.cursor.rowcount, s.rows(f"SELECT COUNT(*), SUM(n) FROM {TABLE}"))
    s.conn.commit()
    batch = f"UPDATE {TABLE} SET n = 41 WHERE id = 1; SELECT n FROM {TABLE} WHERE id = 1; SELECT 2"
    s.cursor.execute(batch)
    found = []
    while True:
        if s.cursor.description:
            found.append([tuple(row) for row in s.cursor.fetchall()])
        if not s.cursor.nextset():
            break
    told("batch", found)
    s.conn.commit()


def failures(s):
    s.failure("duplicate", f"INSERT INTO {TABLE} (id) VALUES (1)")
    s.failure("no table", "SELECT * FROM nowhere_to_be_found")
    s.failure("no column", f"SELECT nothing FROM {TABLE}")
    s.failure("syntax", "SELEC 1")
    s.failure("late", f"SELECT (SELECT id FROM {TABLE})")
    s.failure("denied", "SELECT * FROM mysql.user")
    s.conn.rollback()


def large(s):
    for length in LARGE:
        value = b"\x00'\\x" * (length // 4) + b"z" * (length % 4)
        s.prepared(f"UPDATE {TABLE} SET raw = %s WHERE id = 1", value)
        s.conn.commit()
        told("large", s.rows(f"SELECT raw FROM {TABLE} WHERE id = 1"))
    # The pure connector loses count in binary rows of that size, whoever sends them.
    read = s.rows if DRIVER == "connector-pure" else s.prepared
    if DRIVER == "asyncmy":
        return
    text = read(f"SELECT REPEAT('x', 16777214 + id), id FROM {TABLE} WHERE id <= %s", 3)
    told("wide", [len(row[0]) for row in text])
    s.rows(f"UPDATE {TABLE} SET raw = NULL")
    s.conn.commit()


def resets(s):
    s.rows("SET @mine = 1, sql_mode = 'ANSI'")
    told("set", s.rows("SELECT @mine, @@sql_mode"))
    s.rows(f"INSERT INTO {TABLE} (id, n) VALUES (1000, 5)")
    s.conn.commit()
    if DRIVER.startswith("connector"):
        s.conn.cmd_reset_connection()
    elif DRIVER == "mysqlclient":
        s.conn.change_user(place["user"], place["password"], place["database"])
    s.cursor = s.conn.cursor()
    told("reset", s.rows(f"SELECT n FROM {TABLE} WHERE id = 1000"))
    told("after", s.rows("SELECT @mine, @@sql_mode = @@global.sql_mode"))


def own_writes(s):
    s.conn.commit()
    s.conn.autocommit(True) if callable(s.conn.autocommit) else setattr(s.conn, "autocommit", True)
    for i in range(20):
        s.rows(f"UPDATE {TABLE} SET n = %s WHERE id = 1", 100 + i)
        told("own", s.rows(f"SELECT n FROM {TABLE} WHERE id = 1"))
        s.prepared(f"UPDATE {TABLE} SET n = %s WHERE id = %s", 200 + i, 1)
        told("own", s.prepared(f"SELECT n FROM {TABLE} WHERE id = %s", 1))


def main():
    session = Session()
    session.rows("SET autocommit = 1")
    told("served", session.rows("SELECT name FROM whoami"))
    told("served", session.prepared("SELECT name FROM whoami WHERE id = %s", 1))
    session.rows("SET autocommit = 0")
    for part in (values, transactions, batches, failures, large, resets, own_writes):
        part(session)
    session.conn.close()


main()
