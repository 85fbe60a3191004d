#!/usr/bin/env bash
# Plays the session of one driver of the matrix, which setup.sh has installed; drivers/README.md
# says what it is told and what it prints.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)/drivers
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tidegate/drivers

case $1 in
connector-c)
    PYTHONPATH="$cache/connector-c" exec "$cache/python/bin/python" -W ignore "$here/dbapi.py" "$1"
    ;;
pymysql | connector-pure | mysqlclient | asyncmy)
    exec "$cache/python/bin/python" -W ignore "$here/dbapi.py" "$1"
    ;;
sqlalchemy | django) exec "$cache/python/bin/python" -W ignore "$here/$1_session.py" ;;
node-*) NODE_PATH="$cache/node/node_modules" exec node "$here/session.js" "${1#node-}" ;;
sequelize | knex) NODE_PATH="$cache/node/node_modules" exec node "$here/$1.js" ;;
rust-*) exec "$cache/rust/debug/matrix-sessions" "${1#rust-}" ;;
wordpress) exec python3 "$here/wordpress.py" /usr/share/wordpress ;;
php-*) exec php "$here/session.php" "${1#php-}" ;;
perl-mysql) exec perl "$here/session.pl" mysql ;;
perl-mariadb) exec perl "$here/session.pl" MariaDB ;;
ruby-mysql2) exec ruby "$here/session.rb" ;;
go) exec "$cache/go-session" ;;
java-mariadb) exec java -cp "$cache/java:/usr/share/java/mariadb-java-client.jar" Session ;;
mariadb-cli | mysql-cli) exec bash "$here/session.sh" "${1%-cli}" ;;
esac
