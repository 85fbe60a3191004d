"""The session for Django: migrations, the ORM, and the admin site clicked through. See README.md
beside this."""

import os
import re

import django
from django.conf import settings

TLS = os.environ.get("MATRIX_TLS") == "1"
settings.configure(
    SECRET_KEY="of this session only",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.mysql",
            "HOST": os.environ["MATRIX_HOST"],
            "PORT": os.environ["MATRIX_PORT"],
            "USER": os.environ["MATRIX_USER"],
            "PASSWORD": os.environ["MATRIX_PASSWORD"],
            "NAME": os.environ["MATRIX_SCHEMA"],
            "CONN_MAX_AGE": 0,
            "OPTIONS": {
                "charset": "utf8mb4",
                "ssl_mode": "REQUIRED" if TLS else "DISABLED",
            },
        }
    },
)
django.setup()

from django.contrib import admin  # noqa: E402
from django.contrib.auth.models import Group, Permission, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import IntegrityError, connection, models, transaction  # noqa: E402
from django.db.models import Count, F, Q  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import path  # noqa: E402

urlpatterns = [path("admin/", admin.site.urls)]


def told(step, *values):
    print(step, *[ascii(value) for value in values], sep=" | ", flush=True)


def served():
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM whoami")
        told("served", cursor.fetchone())
        cursor.execute("SELECT name FROM whoami WHERE id = %s", [1])
        told("served", cursor.fetchone())


def clean():
    """What an earlier play has left."""
    ours = ("auth_", "django_")
    with connection.cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0")
        for table in connection.introspection.table_names(cursor):
            if table.startswith(ours):
                cursor.execute(f"DROP TABLE `{table}`")
        cursor.execute("SET foreign_key_checks = 1")


def migrations():
    call_command("migrate", verbosity=0)
    call_command("showmigrations")
    call_command("migrate", "auth", "0010", verbosity=0)
    call_command("migrate", verbosity=0)
    told("permissions", Permission.objects.count())
    with connection.cursor() as cursor:
        told("tables", [t for t in connection.introspection.table_names(cursor)
                        if t.startswith(("auth_", "django_"))])
        told("description", [tuple(c)[:2] for c in
                             connection.introspection.get_table_description(cursor, "auth_user")])
        told("constraints", sorted(connection.introspection.get_constraints(
            cursor, "auth_permission")))


def orm():
    group = Group.objects.create(name="Grüße, 漢字, 🌊")
    told("created", Group.objects.get(pk=group.pk).name)
    users = User.objects.bulk_create(
        [User(username=f"user{i}", email=f"u{i}@example.org", first_name=str(i % 7))
         for i in range(60)]
    )
    told("bulk", len(users), User.objects.count())
    group.user_set.set(User.objects.filter(first_name__in=["1", "2"]))
    told("many", group.user_set.count())
    told("updated", User.objects.filter(first_name="3").update(last_name=F("username")))
    told("read", list(User.objects.filter(first_name="3").values_list("last_name", flat=True)
                      .order_by("id")))
    told("grouped", list(User.objects.values("first_name").annotate(n=Count("id"))
                         .order_by("first_name")))
    told("either", User.objects.filter(Q(username="user4") | Q(groups=group)).distinct().count())
    told("got", [User.objects.get_or_create(username="user1")[1],
                 User.objects.update_or_create(username="new", defaults={"email": "x"})[1]])
    told("deleted", User.objects.filter(first_name="6").delete()[0], User.objects.count())
    try:
        with transaction.atomic():
            User.objects.create(username="lost")
            with transaction.atomic():
                User.objects.create(username="user1")
    except IntegrityError as error:
        told("twice", error.args[0])
    told("lost", User.objects.filter(username="lost").exists())
    with transaction.atomic():
        locked = User.objects.select_for_update().get(username="user1")
        locked.last_name = "locked"
        locked.save()
    told("locked", User.objects.get(username="user1").last_name)


def own_writes():
    """Each with a connection of its own, as CONN_MAX_AGE has it."""
    for i in range(20):
        User.objects.filter(username="user1").update(first_name=f"own {i}")
        connection.close()
        told("own", User.objects.get(username="user1").first_name)
        connection.close()


def page(step, response):
    """A page without what differs from play to play."""
    text = response.content.decode()
    text = re.sub(r"<bdi>.*?</bdi>", "secret", text)
    text = re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "token", text)
    text = re.sub(r"\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d|[A-Z][a-z]+\.? \d{1,2}, \d{4}(, [^<]*m\.)?"
                  r"|(midnight|noon)|\d+(:\d+)? [ap]\.m\.", "time", text)
    text = re.sub(r"\s+", " ", text)
    words = re.sub(r"<script.*?</script>|<style.*?</style>|<[^>]*>", " ", text)
    told(step, response.status_code, len(text), " ".join(words.split())[:2000])


def clicks():
    User.objects.create_superuser("root", "root@example.org", "secret")
    client = Client(enforce_csrf_checks=True)

    def get(url):
        response = client.get(url)
        page(f"GET {url}", response)
        return response

    def post(url, **form):
        form["csrfmiddlewaretoken"] = client.cookies["csrftoken"].value
        response = client.post(url, form, follow=True)
        page(f"POST {url}", response)

    get("/admin/login/")
    post("/admin/login/?next=/admin/", username="root", password="wrong")
    post("/admin/login/?next=/admin/", username="root", password="secret", next="/admin/")
    get("/admin/auth/user/")
    get("/admin/auth/user/?q=user1&o=1")
    get("/admin/auth/group/add/")
    post("/admin/auth/group/add/", name="by a click")
    get("/admin/auth/group/")
    made = Group.objects.get(name="by a click").pk
    get(f"/admin/auth/group/{made}/change/")
    post(f"/admin/auth/group/{made}/change/", name="changed 🌊", permissions=["1", "2"])
    get(f"/admin/auth/group/{made}/history/")
    get(f"/admin/auth/group/{made}/delete/")
    post(f"/admin/auth/group/{made}/delete/", post="yes")
    get("/admin/auth/user/add/")
    post("/admin/auth/user/add/", username="clicked", password1="pass word 1", password2="pass word 1",
         usable_password="true")
    get("/admin/auth/user/?q=clicked")
    get("/admin/")
    post("/admin/logout/")
    get("/admin/")


served()
for part in (clean, migrations, orm, own_writes, clicks, clean):
    part()
