<?php
// The session for PHP's mysqli and PDO. See README.md beside this.
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
ini_set('memory_limit', '512M');
const COLUMNS = 'n, big, price, ratio, day, moment, body, raw, doc';
$driver = $argv[1];
$table = "m_php_$driver";
$tls = getenv('MATRIX_TLS') === '1';
[$host, $port, $user, $password, $schema] = array_map(
    fn ($name) => getenv("MATRIX_$name"),
    ['HOST', 'PORT', 'USER', 'PASSWORD', 'SCHEMA']
);

function told(string $step, ...$values): void
{
    array_walk_recursive($values, function (&$value) {
        if (is_string($value) && (strlen($value) > 300 || !mb_check_encoding($value, 'UTF-8'))) {
            $value = strlen($value) . ' bytes ' . md5($value);
        }
    });
    echo $step, ' ', json_encode($values, JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR), "\n";
}

final class Mysqli_
{
    public mysqli $real;

    public function __construct(private array $place, bool $tls)
    {
        [$host, $port, $user, $password, $schema] = $place;
        $this->real = mysqli_init();
        $flags = $tls ? MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT : 0;
        $this->real->real_connect($host, $user, $password, $schema, (int) $port, null, $flags);
        $this->real->set_charset('utf8mb4');
    }

    public function rows(string $sql): array
    {
        $result = $this->real->query($sql);
        return is_bool($result) ? [$this->real->affected_rows] : $result->fetch_all();
    }

    public function prepared(string $sql, array $given): array
    {
        $statement = $this->real->prepare($sql);
        $statement->execute($given);
        $result = $statement->get_result();
        return $result === false ? [$statement->affected_rows] : $result->fetch_all();
    }

    public function batch(string $sql): array
    {
        $found = [];
        $this->real->multi_query($sql);
        do {
            $result = $this->real->store_result();
            $found[] = $result ? $result->fetch_all() : $this->real->affected_rows;
        } while ($this->real->more_results() && $this->real->next_result());
        return $found;
    }

    public function reset(): void
    {
        [, , $user, $password, $schema] = $this->place;
        $this->real->change_user($user, $password, $schema);
    }

    public function lastId(): mixed
    {
        return $this->real->insert_id;
    }
}

final class Pdo_
{
    public PDO $real;

    public function __construct(private array $place, bool $tls)
    {
        [$host, $port, $user, $password, $schema] = $place;
        $this->real = new PDO(
            "mysql:host=$host;port=$port;dbname=$schema;charset=utf8mb4",
            $user,
            $password,
            [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_EMULATE_PREPARES => false]
                + ($tls ? [PDO::MYSQL_ATTR_SSL_CIPHER => 'DEFAULT',
                    PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => false] : [])
        );
    }

    public function rows(string $sql): array
    {
        $result = $this->real->query($sql);
        return $result->columnCount() ? $result->fetchAll(PDO::FETCH_NUM) : [$result->rowCount()];
    }

    public function prepared(string $sql, array $given): array
    {
        $result = $this->real->prepare($sql);
        foreach ($given as $at => $value) {
            $result->bindValue($at + 1, $value, is_int($value) ? PDO::PARAM_INT : PDO::PARAM_STR);
        }
        $result->execute();
        return $result->columnCount() ? $result->fetchAll(PDO::FETCH_NUM) : [$result->rowCount()];
    }

    public function batch(string $sql): array
    {
        $this->real->setAttribute(PDO::ATTR_EMULATE_PREPARES, true);
        $result = $this->real->query($sql);
        $found = [];
        do {
            $rows = $result->columnCount();
            $found[] = $rows ? $result->fetchAll(PDO::FETCH_NUM) : $result->rowCount();
        } while ($result->nextRowset());
        $this->real->setAttribute(PDO::ATTR_EMULATE_PREPARES, false);
        return $found;
    }

    public function reset(): void
    {
    }

    public function lastId(): mixed
    {
        return $this->real->lastInsertId();
    }
}

$place = [$host, $port, $user, $password, $schema];
$session = $driver === 'mysqli' ? new Mysqli_($place, $tls) : new Pdo_($place, $tls);
told('served', $session->rows('SELECT name FROM whoami'));
told('served', $session->prepared('SELECT name FROM whoami WHERE id = ?', [1]));

$session->rows("DROP TABLE IF EXISTS $table");
$session->rows("CREATE TABLE $table (id INT AUTO_INCREMENT PRIMARY KEY, n INT, big BIGINT UNSIGNED,
    price DECIMAL(12,4), ratio DOUBLE, day DATE, moment DATETIME(6), body LONGTEXT, raw LONGBLOB,
    doc JSON) CHARACTER SET utf8mb4");
$row = [-7, '18446744073709551615', '12345.6789', '0.1', '2024-02-29', '2024-02-29 23:59:58.123456',
    "Grüße, 漢字, 🌊 'quoted' \\ \"?\"", implode('', array_map('chr', range(0, 255))), '{"a": [1]}'];
$insert = "INSERT INTO $table (" . COLUMNS . ') VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)';
told('insert', $session->prepared($insert, $row), $session->lastId());
$session->prepared($insert, array_fill(0, 9, null));
told('text', $session->rows('SELECT ' . COLUMNS . " FROM $table"));
told('prepared', $session->prepared('SELECT ' . COLUMNS . " FROM $table WHERE id > ?", [0]));

$read = fn () => $session->rows("SELECT n FROM $table ORDER BY id");
$session instanceof Pdo_ ? $session->real->beginTransaction() : $session->real->begin_transaction();
told('update', $session->rows("UPDATE $table SET n = n + 1 WHERE n IS NOT NULL"));
told('inside', $read());
$session->real->rollback();
told('rolled back', $read());
$session instanceof Pdo_ ? $session->real->beginTransaction() : $session->real->begin_transaction();
$session->prepared("UPDATE $table SET n = ? WHERE id = 1", [40]);
$session->real->commit();
told('committed', $read());

$session->rows("INSERT INTO $table (n) VALUES " . implode(', ', array_map(fn ($i) => "($i)", range(1, 50))));
told('batch', $session->batch(
    "UPDATE $table SET n = 41 WHERE id = 1; SELECT n FROM $table WHERE id = 1; SELECT 2"
));
foreach ([
    'duplicate' => "INSERT INTO $table (id) VALUES (1)",
    'no table' => 'SELECT * FROM nowhere_to_be_found',
    'no column' => "SELECT nothing FROM $table",
    'syntax' => 'SELEC 1',
    'late' => "SELECT (SELECT id FROM $table)",
    'denied' => 'SELECT * FROM mysql.user',
] as $step => $sql) {
    try {
        $session->rows($sql);
        told($step, 'no error');
    } catch (mysqli_sql_exception $error) {
        told($step, $error->getCode(), $session->real->sqlstate);
    } catch (PDOException $error) {
        told($step, $error->errorInfo[1], $error->errorInfo[0]);
    }
}
foreach ([16777100, 16777215, 16777216, 20000000] as $length) {
    $value = str_pad('', $length, "\0'\\x");
    $session->prepared("UPDATE $table SET raw = ? WHERE id = 1", [$value]);
    told('large', $session->rows("SELECT raw FROM $table WHERE id = 1"));
}
$wide = $session->prepared("SELECT REPEAT('x', 16777214 + id) FROM $table WHERE id <= ?", [3]);
told('wide', array_map(fn ($one) => strlen($one[0]), $wide));
$session->rows("UPDATE $table SET raw = NULL");
for ($i = 0; $i < 20; $i++) {
    $session->rows("UPDATE $table SET n = 100 + $i WHERE id = 1");
    told('own', $session->rows("SELECT n FROM $table WHERE id = 1"));
    $session->prepared("UPDATE $table SET n = ? WHERE id = ?", [200 + $i, 1]);
    told('own', $session->prepared("SELECT n FROM $table WHERE id = ?", [1]));
    if ($i % 5 === 0) {
        $session->rows('SET @mine = 1');
        $session->reset();
        told('reset', $session->rows("SELECT n FROM $table WHERE id = 1"), $session->rows('SELECT @mine'));
    }
}
