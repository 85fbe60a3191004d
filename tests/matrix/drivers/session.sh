# The session for the command line tools of MariaDB or MySQL: the client, a dump with its restore, and
# a load. The argument says whose. See README.md beside this.
set -euo pipefail
export MYSQL_PWD=$MATRIX_PASSWORD
place=(--no-defaults --host="$MATRIX_HOST" --port="$MATRIX_PORT" --user="$MATRIX_USER")
tls=${MATRIX_TLS:+1}
if [ "$1" = mariadb ]; then
    client=mariadb dump=mariadb-dump slap=mariadb-slap
    if [ "$tls" ]; then place+=(--ssl --skip-ssl-verify-server-cert); else place+=(--skip-ssl); fi
else
    client=$MATRIX_TOOLS/mysql dump=$MATRIX_TOOLS/mysqldump slap=$MATRIX_TOOLS/mysqlslap
    if [ "$tls" ]; then place+=(--ssl-mode=REQUIRED); else place+=(--ssl-mode=DISABLED --get-server-public-key); fi
fi
client() { "$client" "${place[@]}" --batch --default-character-set=utf8mb4 "$MATRIX_SCHEMA" "$@"; }

client -N -e "SELECT 'served', name FROM whoami"
client <<'SQL'
DROP TABLE IF EXISTS m_cli, m_cli_child;
CREATE TABLE m_cli (id INT AUTO_INCREMENT PRIMARY KEY, n INT, body LONGTEXT, raw LONGBLOB)
    CHARACTER SET utf8mb4;
INSERT INTO m_cli (n, body, raw) VALUES (1, 'Grüße, 漢字, 🌊', 0x0001275cff), (2, NULL, NULL);
SELECT id, n, body, HEX(raw) FROM m_cli;
START TRANSACTION;
UPDATE m_cli SET n = n + 1;
SELECT n FROM m_cli;
ROLLBACK;
SELECT n FROM m_cli;
CREATE TABLE m_cli_child (id INT PRIMARY KEY, parent INT, FOREIGN KEY (parent) REFERENCES m_cli (id));
INSERT INTO m_cli_child VALUES (1, 1), (2, 2);
DELIMITER //
CREATE TRIGGER m_cli_trigger BEFORE INSERT ON m_cli FOR EACH ROW SET NEW.n = IFNULL(NEW.n, 7)//
DELIMITER ;
INSERT INTO m_cli (body) VALUES (REPEAT('w', 1000000));
UPDATE m_cli SET body = REPEAT('w', 20000000) WHERE id = 3;
SELECT id, n, LENGTH(body), SHA2(body, 256) FROM m_cli;
SQL
client --force -e "SELECT 1; SELEC 2; SELECT * FROM nowhere_to_be_found; SELECT 3" 2>&1 || true
more=()
# Else a dump would begin with the server's own history, which the restore can't set.
[ "$1" = mariadb ] || more=(--set-gtid-purged=OFF)
files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT
# All in one transaction, and table by table.
for way in --single-transaction --skip-lock-tables; do
    "$dump" "${place[@]}" "${more[@]}" "$way" --skip-dump-date --skip-comments --no-tablespaces --triggers \
        --hex-blob --max-allowed-packet=64M "$MATRIX_SCHEMA" m_cli m_cli_child >"$files/first.sql"
    md5sum <"$files/first.sql"
    client -e "DROP TABLE m_cli_child, m_cli"
    client --max-allowed-packet=64M <"$files/first.sql"
    client -e "SELECT id, n, LENGTH(body), SHA2(body, 256), HEX(raw) FROM m_cli; CHECKSUM TABLE m_cli, m_cli_child"
    client -e "INSERT INTO m_cli (body) VALUES ('after'); SELECT COUNT(*), MAX(n) FROM m_cli"
done
"$slap" "${place[@]}" --concurrency=4 --iterations=2 --create-schema="$MATRIX_SCHEMA" --no-drop \
    --query="INSERT INTO m_cli (n) VALUES (9); SELECT COUNT(*) FROM m_cli" --delimiter=";" >/dev/null
client -e "SELECT COUNT(*) FROM m_cli"
