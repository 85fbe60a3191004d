"""The session for SQLAlchemy: its core, its ORM and its pool. See README.md beside this."""

import datetime
import decimal
import os

import sqlalchemy as sa
from sqlalchemy import orm

TLS = os.environ.get("MATRIX_TLS") == "1"
url = sa.URL.create(
    "mysql+pymysql",
    os.environ["MATRIX_USER"],
    os.environ["MATRIX_PASSWORD"],
    os.environ["MATRIX_HOST"],
    int(os.environ["MATRIX_PORT"]),
    os.environ["MATRIX_SCHEMA"],
    {"charset": "utf8mb4"},
)
tls = {"ssl": {"fake": True}} if TLS else {"ssl_disabled": True}
engine = sa.create_engine(url, connect_args=tls, pool_size=3, pool_pre_ping=True)


def told(step, *values):
    print(step, *[ascii(value) for value in values], sep=" | ", flush=True)


class Base(orm.DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "m_sa_author"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(80), unique=True)
    books: orm.Mapped[list["Book"]] = orm.relationship(
        back_populates="author", cascade="all, delete-orphan", order_by="Book.id"
    )


class Book(Base):
    __tablename__ = "m_sa_book"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    title: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    price: orm.Mapped[decimal.Decimal] = orm.mapped_column(sa.Numeric(12, 4))
    printed: orm.Mapped[datetime.datetime] = orm.mapped_column(sa.DateTime())
    cover: orm.Mapped[bytes | None] = orm.mapped_column(sa.LargeBinary(2**24))
    facts: orm.Mapped[dict] = orm.mapped_column(sa.JSON)
    version: orm.Mapped[int] = orm.mapped_column()
    author_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("m_sa_author.id"))
    author: orm.Mapped[Author] = orm.relationship(back_populates="books")
    __mapper_args__ = {"version_id_col": version}


def served():
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        told("served", conn.scalar(sa.text("SELECT name FROM whoami")))
        told("served", conn.scalar(sa.text("SELECT name FROM whoami WHERE id = :id"), {"id": 1}))


def tables():
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    seen = sa.inspect(engine)
    for table in ("m_sa_author", "m_sa_book"):
        columns = [(c["name"], str(c["type"]), c["nullable"]) for c in seen.get_columns(table)]
        told("columns", columns)
        told("keys", seen.get_pk_constraint(table), seen.get_foreign_keys(table))
        told("indexes", seen.get_indexes(table))


def book(title, **other):
    return Book(
        title=title,
        price=decimal.Decimal("12.5000"),
        printed=datetime.datetime(2024, 2, 29, 23, 59, 58),
        facts={"pages": [1, None]},
        **other,
    )


def objects():
    with orm.Session(engine) as session:
        author = Author(name="Grüße, 漢字, 🌊")
        author.books = [book("one", cover=bytes(range(256))), book("two")]
        session.add(author)
        session.commit()
        told("author", author.id, author.name, [b.id for b in author.books])
    with orm.Session(engine) as session:
        found = session.scalars(
            sa.select(Author).options(orm.selectinload(Author.books)).order_by(Author.id)
        ).all()
        for author in found:
            told("loaded", author.name, [(b.title, b.price, b.printed) for b in author.books])
            told("more", [(b.cover, b.facts, b.version) for b in author.books])
        found[0].books[0].title = "once more"
        session.flush()
        told("flushed", session.scalar(sa.select(Book.title).order_by(Book.id).limit(1)))
        session.rollback()
        told("back", session.scalar(sa.select(Book.title).order_by(Book.id).limit(1)))
        with session.begin_nested():
            session.add(Author(name="in a savepoint"))
        try:
            with session.begin_nested():
                session.add(Author(name="in a savepoint"))
        except sa.exc.IntegrityError as error:
            told("twice", error.orig.args[0])
        session.commit()
    with orm.Session(engine) as session:
        told("authors", session.scalars(sa.select(Author.name).order_by(Author.id)).all())
        told("joined", session.execute(
            sa.select(Author.name, sa.func.count(Book.id))
            .outerjoin(Book).group_by(Author.id).order_by(Author.id)
        ).all())


def stale_versions():
    with orm.Session(engine) as one, orm.Session(engine) as other:
        mine, theirs = one.get(Book, 1), other.get(Book, 1)
        mine.title = "mine"
        one.commit()
        theirs.title = "theirs"
        try:
            other.commit()
        except orm.exc.StaleDataError as error:
            told("stale", type(error).__name__)


def bulk():
    with orm.Session(engine) as session:
        rows = [
            {"title": f"row {i}", "price": i, "printed": datetime.datetime(2024, 1, 1),
             "facts": {"i": i}, "version": 1, "author_id": 1}
            for i in range(500)
        ]
        session.execute(sa.insert(Book), rows)
        session.commit()
        told("bulk", session.execute(sa.select(sa.func.count(), sa.func.sum(Book.price))).all())
        done = session.execute(sa.update(Book).where(Book.id > 2).values(title="all"))
        told("updated", done.rowcount)
        session.commit()
        told("seen", session.scalar(sa.select(sa.func.count()).where(Book.title == "all")))
        streamed = session.execute(
            sa.select(Book.id).order_by(Book.id).execution_options(yield_per=50)
        )
        told("streamed", sum(1 for _ in streamed))


def failures():
    for sql in ("SELECT * FROM nowhere_to_be_found", "SELEC 1", "SELECT nothing FROM m_sa_book",
                "INSERT INTO m_sa_book (id) VALUES (1)", "SELECT * FROM mysql.user"):
        with engine.connect() as conn:
            try:
                conn.execute(sa.text(sql))
                told("failure", "no error")
            except sa.exc.DBAPIError as error:
                told("failure", type(error).__name__, error.orig.args[0])


def own_writes():
    """Each step takes what connection the pool has."""
    for i in range(20):
        with orm.Session(engine) as session:
            session.execute(sa.update(Book).where(Book.id == 1).values(title=f"own {i}"))
            session.commit()
        with orm.Session(engine) as session:
            told("own", session.scalar(sa.select(Book.title).where(Book.id == 1)))
        auto = engine.execution_options(isolation_level="AUTOCOMMIT")
        with auto.connect() as conn, auto.connect() as other:
            conn.execute(sa.update(Book).where(Book.id == 1).values(price=i))
            told("own", other.scalar(sa.select(Book.price).where(Book.id == 1)))


for part in (served, tables, objects, stale_versions, bulk, failures, own_writes):
    part()
engine.dispose()
