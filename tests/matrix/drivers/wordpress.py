"""A whole application that knows nothing of Tidegate: WordPress is installed and clicked through, and
every page is told. Each request has a connection of its own. See README.md beside this."""

import hashlib
import html
import http.cookiejar
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

WORDPRESS = sys.argv[1]
CONFIG = """<?php
define('DB_NAME', getenv('MATRIX_SCHEMA'));
define('DB_USER', getenv('MATRIX_USER'));
define('DB_PASSWORD', getenv('MATRIX_PASSWORD'));
define('DB_HOST', getenv('MATRIX_HOST') . ':' . getenv('MATRIX_PORT'));
define('DB_CHARSET', 'utf8mb4');
if (getenv('MATRIX_TLS')) define('MYSQL_CLIENT_FLAGS', MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT);
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $key) {
    define($key . '_KEY', $key); define($key . '_SALT', $key);
}
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('FS_METHOD', 'direct');
define('WP_DEFAULT_THEME', basename(glob(__DIR__ . '/wp-content/themes/*', GLOB_ONLYDIR)[0]));
$table_prefix = 'wp_';
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
"""
QUIET = "<?php function wp_mail() { return true; }"
# Drops the tables, and asks who answers reads.
DATABASE = """
$tls = getenv('MATRIX_TLS') ? MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT : 0;
$db = mysqli_init();
$db->real_connect(getenv('MATRIX_HOST'), getenv('MATRIX_USER'), getenv('MATRIX_PASSWORD'),
    getenv('MATRIX_SCHEMA'), (int) getenv('MATRIX_PORT'), null, $tls);
foreach (range(1, 2) as $turn)
    echo 'served | ', $db->query('SELECT name FROM whoami')->fetch_row()[0], "\\n";
foreach ($db->query("SHOW TABLES LIKE 'wp\\\\_%'")->fetch_all() as [$table])
    $db->query("DROP TABLE `$table`");
"""


def told(step, *values):
    print(step, *[ascii(value) for value in values], sep=" | ", flush=True)




class Browser:
    def __init__(self, base, site):
        self.base, self.site = base, site
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(jar)
        self.nonce = None

    def ask(self, path, data=None, headers=None):
        request = urllib.request.Request(self.base + path, data, headers or {})
        try:
            with self.opener.open(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def page(self, path, **form):
        """A page, with its words told, but for what differs from play to play."""
        data = urllib.parse.urlencode(form).encode() if form else None
        status, text = self.ask(path, data)
        words = re.sub(r"(?s)<script.*?</script>|<style.*?</style>|<[^>]*>", " ", text)
        words = html.unescape(words).replace(self.base, "").replace(self.base[7:], "site")
        words = words.replace(self.site, "")
        words = re.sub(r"(January|February|March|April|May|June|July|August|September|October"
                       r"|November|December) \d+, \d{4}( at)?", "day", words)
        words = re.sub(r"\d{4}/\d\d/\d\d|\d{4}-\d\d-\d\d|\d{1,2}:\d\d(:\d\d)?( ?[ap]m)?"
                       r"|\d+ (second|min)\w*( ago)?", "time", words)
        words = re.sub(r"\b[0-9a-f]{10}\b", "nonce", words)
        words = re.sub(r"\b\d\d \d\d \d{4} \d\d \d\d \d\d\b", "time", " ".join(words.split()))
        told(("POST " if form else "GET ") + re.sub(r"[0-9a-f]{10}", "nonce", path), status,
             hashlib.md5(words.encode()).hexdigest(), words[:600])
        return text

    def rest(self, method, path, body=None):
        """The interface that WordPress's editor uses."""
        if not self.nonce:
            self.nonce = self.ask("/wp-admin/admin-ajax.php?action=rest-nonce")[1]
        headers = {"X-WP-Nonce": self.nonce, "Content-Type": "application/json",
                   "X-HTTP-Method-Override": method}
        data = json.dumps(body).encode() if method != "GET" else None
        status, text = self.ask(f"/index.php?rest_route=/wp/v2/{path}", data, headers)
        found = json.loads(text)
        if isinstance(found, dict):
            wanted = ("id", "code", "message", "name", "title", "content", "slug", "status", "count")
            found = {key: found[key] for key in wanted if key in found}
        else:
            found = [(one["id"], one.get("slug")) for one in found]
        told(f"{method} {path}", status, json.dumps(found, sort_keys=True).replace(self.base, ""))
        return found


def nonce(text):
    return re.search(r'name="_wpnonce" value="([0-9a-f]+)"', text).group(1)


def clicks(browser):
    browser.page("/wp-admin/install.php")
    browser.page("/wp-admin/install.php?step=2", weblog_title="Gezeiten 🌊", user_name="root",
                 admin_password="secret", admin_password2="secret", pw_weak="on",
                 admin_email="root@example.org", Submit="Install WordPress", language="")
    browser.page("/")
    browser.page("/?p=1")
    browser.page("/wp-login.php", log="root", pwd="wrong", testcookie="1")
    browser.page("/wp-login.php", log="root", pwd="secret", testcookie="1", redirect_to="/wp-admin/")
    browser.page("/wp-admin/edit.php")
    category = browser.rest("POST", "categories", {"name": "Grüße, 漢字"})["id"]
    posts = []
    for i in range(4):
        made = browser.rest("POST", "posts", {
            "title": f"Post {i} 🌊", "date": f"2024-02-1{i}T00:00:00", "content": f"<p>{'tide ' * 2000 * i}</p>",
            "status": "publish", "categories": [category]})
        posts.append(made["id"])
        browser.rest("GET", f"posts/{made['id']}")
        browser.page(f"/?p={made['id']}")
    browser.rest("GET", "posts")
    browser.page(f"/?cat={category}")
    for i in range(5):
        browser.page("/wp-comments-post.php", comment=f"Comment {i} 漢字", comment_post_ID=posts[0],
                     comment_parent=0)
        browser.page(f"/?p={posts[0]}")
    browser.rest("PUT", f"posts/{posts[1]}", {"title": "changed", "sticky": True})
    browser.page("/")
    browser.rest("GET", f"posts/{posts[1]}/revisions")
    browser.rest("DELETE", f"posts/{posts[2]}")
    browser.page("/wp-admin/edit.php?post_status=trash&post_type=post")
    browser.page("/?s=changed")
    form = browser.page("/wp-admin/options-general.php")
    browser.page("/wp-admin/options.php", option_page="general", action="update",
                 _wpnonce=nonce(form), blogname="Renamed", blogdescription="by a click",
                 siteurl=browser.base, home=browser.base, new_admin_email="root@example.org",
                 default_role="subscriber", timezone_string="UTC", date_format="F j, Y",
                 time_format="H:i", start_of_week="1")
    browser.page("/")
    form = browser.page("/wp-admin/user-new.php")
    made = re.search(r'name="_wpnonce_create-user" value="([0-9a-f]+)"', form).group(1)
    browser.page("/wp-admin/user-new.php", **{
        "action": "createuser", "_wpnonce_create-user": made, "user_login": "editor",
        "email": "editor@example.org", "pass1": "secret", "pass2": "secret", "pw_weak": "on",
        "role": "editor"})
    browser.page("/wp-admin/users.php")
    for page in ("edit-comments.php?orderby=comment_ID&order=asc", "themes.php", "plugins.php", "upload.php?mode=list", "tools.php",
                 "edit-tags.php?taxonomy=category", "profile.php"):
        browser.page("/wp-admin/" + page)
    browser.page("/?p=4711")


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def main():
    subprocess.run(["php", "-r", DATABASE], check=True)
    site = tempfile.mkdtemp()
    port = free_port()
    server = None
    try:
        shutil.copytree(WORDPRESS, site, dirs_exist_ok=True)
        for path, text in (("wp-config.php", CONFIG), ("wp-content/mu-plugins/quiet.php", QUIET)):
            path = os.path.join(site, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if os.path.lexists(path):
                os.remove(path)
            with open(path, "w") as file:
                file.write(text)
        log = open(os.path.join(site, "log"), "w")
        server = subprocess.Popen(["php", "-S", f"127.0.0.1:{port}", "-t", site], stderr=log,
                                  stdout=log, env=dict(os.environ, PHP_CLI_SERVER_WORKERS="3"),
                                  start_new_session=True)
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert server.poll() is None, "php ended"
                time.sleep(0.05)
        clicks(Browser(f"http://127.0.0.1:{port}", site))
    finally:
        if server:
            os.killpg(server.pid, 15)
            server.wait()
        shutil.rmtree(site)


main()
