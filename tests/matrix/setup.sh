#!/usr/bin/env bash
# Installs one driver of the matrix and prints its version; fails with the reason as its last line.
# What is the machine's own comes from apt-get, as root or by sudo; everything else lives in
# ~/.cache/tidegate/drivers.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tidegate/drivers
mkdir -p "$cache"
# One installation at a time: test programs of several runs share the cache.
exec 9>"$cache/lock"
flock 9

skip() {
    echo "$1" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Installs Debian's or Ubuntu's packages, unless they are there.
packages() {
    local missing=() one
    for one in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$one" 2>/dev/null)" = installed ] || missing+=("$one")
    done
    [ ${#missing[@]} = 0 ] && return
    command -v apt-get >/dev/null || skip "no apt-get for ${missing[*]}"
    as_root true 2>/dev/null || skip "neither root nor sudo for apt-get install ${missing[*]}"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120)
    as_root "${apt[@]}" update >/dev/null 2>&1 || true
    as_root "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
        skip "apt-get install ${missing[*]} failed"
}

# Installs packages of Python's into an environment of their own.
python() {
    [ -x "$cache/python/bin/pip" ] || {
        python3 -c 'import ensurepip' 2>/dev/null || packages python3-venv
        rm -rf "$cache/python"
        python3 -m venv "$cache/python" >/dev/null || skip "no Python environment"
    }
    # Asked for several at once, `pip show` is content with one.
    local one missing=()
    for one in "$@"; do
        "$cache/python/bin/pip" show -q "$one" 2>/dev/null || missing+=("$one")
    done
    [ ${#missing[@]} = 0 ] || "$cache/python/bin/pip" install -q "${missing[@]}" >/dev/null ||
        skip "pip install ${missing[*]} failed"
    "$cache/python/bin/pip" list --format=freeze 2>/dev/null | grep -i "^$1==" | cut -d= -f3
}

# Installs packages of Node's beside each other.
node() {
    command -v npm >/dev/null || packages nodejs npm
    mkdir -p "$cache/node"
    local one missing=()
    for one in "$@"; do
        [ -d "$cache/node/node_modules/$one" ] || missing+=("$one")
    done
    [ ${#missing[@]} = 0 ] ||
        npm --prefix "$cache/node" install --silent "${missing[@]}" >/dev/null || skip "npm install ${missing[*]} failed"
    command node -p "require('$cache/node/node_modules/$1/package.json').version"
}

case $1 in
pymysql) python pymysql cryptography ;;
connector-pure) python mysql-connector-python ;;
connector-c)
    # The last release whose packages have the extension for each Python.
    version=9.5.0
    python pip >/dev/null
    [ -d "$cache/connector-c" ] ||
        "$cache/python/bin/pip" install -q --no-deps --target "$cache/connector-c" \
            "mysql-connector-python==$version" >/dev/null || skip "pip install failed"
    echo "$version"
    ;;
asyncmy) python asyncmy cryptography ;;
mysqlclient)
    packages libmariadb-dev pkg-config gcc python3-dev
    python mysqlclient
    ;;
sqlalchemy) python sqlalchemy pymysql cryptography ;;
django)
    packages libmariadb-dev pkg-config gcc python3-dev
    python django mysqlclient
    ;;
node-mysql2) node mysql2 ;;
node-mysql) node mysql ;;
sequelize) node sequelize mysql2 ;;
knex) node knex mysql2 ;;
php-*)
    packages php-cli php-mysql php-mbstring
    php -r 'echo PHP_VERSION;'
    ;;
perl-mysql)
    packages libdbd-mysql-perl
    perl -MDBD::mysql -e 'print $DBD::mysql::VERSION'
    ;;
perl-mariadb)
    packages libdbd-mariadb-perl
    perl -MDBD::MariaDB -e 'print $DBD::MariaDB::VERSION'
    ;;
ruby-mysql2)
    packages ruby ruby-mysql2
    ruby -e 'require "mysql2"; puts Mysql2::VERSION'
    ;;
go)
    packages golang-go golang-github-go-sql-driver-mysql-dev
    GO111MODULE=off GOFLAGS= GOPATH=/usr/share/gocode GOCACHE="$cache/go-cache" \
        go build -o "$cache/go-session" "$here/drivers/session.go" || skip "go build failed"
    dpkg-query -W -f='${Version}' golang-github-go-sql-driver-mysql-dev
    ;;
java-mariadb)
    command -v javac >/dev/null || packages default-jdk-headless
    packages libmariadb-java
    mkdir -p "$cache/java"
    javac -d "$cache/java" "$here/drivers/Session.java" || skip "javac failed"
    dpkg-query -W -f='${Version}' libmariadb-java
    ;;
rust-*)
    packages libmariadb-dev pkg-config gcc
    CARGO_TARGET_DIR="$cache/rust" cargo build --locked --quiet --manifest-path "$here/drivers/rust/Cargo.toml" ||
        skip "cargo build failed"
    crate=${1#rust-}
    cargo tree --locked --manifest-path "$here/drivers/rust/Cargo.toml" --depth 1 --prefix none |
        sed -n "s/^$crate v\\([0-9.]*\\).*/\\1/p"
    ;;
wordpress)
    packages python3 php-cli php-mysql php-xml php-mbstring php-gd wordpress
    theme=$(apt-cache search --names-only '^wordpress-theme-twenty' | cut -d' ' -f1 | sort | tail -1)
    [ -z "$theme" ] || packages "$theme"
    dpkg-query -W -f='${Version}' wordpress
    ;;
mysql-cli)
    for tool in mysql mysqldump mysqlslap; do
        "$MATRIX_TOOLS/$tool" --version >/dev/null 2>&1 || skip "no $tool beside the server"
    done
    "$MATRIX_TOOLS/mysql" --version | grep -o 'Ver [0-9.]*' | cut -d' ' -f2
    ;;
mariadb-cli)
    packages mariadb-client
    mariadb --version | grep -o '[0-9.]*-MariaDB'
    ;;
*) skip "no driver $1" ;;
esac
