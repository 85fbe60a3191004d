# The session for Perl's DBD::mysql and DBD::MariaDB. See README.md beside this.
use strict;
use warnings;
use DBI;
use Digest::MD5 qw(md5_hex);

my $driver = shift;
my ($host, $port, $user, $password, $schema) =
    map { $ENV{"MATRIX_$_"} } qw(HOST PORT USER PASSWORD SCHEMA);
my $table = "m_perl_" . lc $driver;
my $prefix = lc $driver;
my $dsn = "DBI:$driver:database=$schema;host=$host;port=$port;${prefix}_multi_statements=1";
$dsn .= ";${prefix}_ssl=1;${prefix}_ssl_optional=0" if $ENV{MATRIX_TLS};
my $db = DBI->connect($dsn, $user, $password, { RaiseError => 1, PrintError => 0, AutoCommit => 1 });
$db->do('SET NAMES utf8mb4') if $driver eq 'mysql';

sub plain {
    my ($value) = @_;
    return 'NULL' unless defined $value;
    return '(' . join(', ', map { plain($_) } @$value) . ')' if ref $value;
    utf8::encode($value) if utf8::is_utf8($value);
    return length($value) . ' bytes ' . md5_hex($value) if length $value > 100 || $value =~ /[^ -~]/;
    return $value;
}
sub told { my $step = shift; print join(' | ', $step, map { plain($_) } @_), "\n" }
sub rows { $db->{"${prefix}_server_prepare"} = 0; $db->selectall_arrayref(@_[0], undef, @_[1 .. $#_]) }
sub prepared {
    my ($sql, @given) = @_;
    $db->{"${prefix}_server_prepare"} = 1;
    my $statement = $db->prepare($sql);
    my $count = $statement->execute(@given);
    my $found = $statement->{NUM_OF_FIELDS} ? $statement->fetchall_arrayref : $count;
    $db->{"${prefix}_server_prepare"} = 0;
    return $found;
}

told('served', rows('SELECT name FROM whoami'));
told('served', prepared('SELECT name FROM whoami WHERE id = ?', 1));
$db->do("DROP TABLE IF EXISTS $table");
$db->do("CREATE TABLE $table (id INT AUTO_INCREMENT PRIMARY KEY, n INT, big BIGINT UNSIGNED,
    price DECIMAL(12,4), ratio DOUBLE, day DATE, moment DATETIME(6), body LONGTEXT, raw LONGBLOB)
    CHARACTER SET utf8mb4");
my $insert = "INSERT INTO $table (n, big, price, ratio, day, moment, body, raw)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
my @row = (-7, '18446744073709551615', '12345.6789', 0.5, '2024-02-29', '2024-02-29 23:59:58.123456',
    "quoted ' \\ \" ?", join('', map { chr } 0 .. 127));
told('insert', prepared($insert, @row));
told('id', $db->last_insert_id(undef, undef, $table, 'id'));
$db->do($insert, undef, map { undef } @row);
told('text', rows("SELECT * FROM $table"));
told('prepared', prepared("SELECT * FROM $table WHERE id > ?", 0));
$db->do("UPDATE $table SET body = CONVERT(0xF09F8C8AE6BCA2 USING utf8mb4) WHERE id = 2");
told('unicode', rows("SELECT body, HEX(body) FROM $table WHERE id = 2"));

$db->begin_work;
told('update', $db->do("UPDATE $table SET n = n + 1 WHERE n IS NOT NULL"));
told('inside', rows("SELECT n FROM $table ORDER BY id"));
$db->rollback;
told('rolled back', rows("SELECT n FROM $table ORDER BY id"));
$db->begin_work;
prepared("UPDATE $table SET n = ? WHERE id = 1", 40);
$db->commit;
told('committed', prepared("SELECT n FROM $table WHERE id = ?", 1));

my $batch = $db->prepare("SELECT n FROM $table WHERE id = 1; SELECT 2, 3");
$batch->execute;
do { told('batch', $batch->fetchall_arrayref) } while ($batch->more_results);

for (
    [ 'duplicate', "INSERT INTO $table (id) VALUES (1)" ],
    [ 'no table',  'SELECT * FROM nowhere_to_be_found' ],
    [ 'no column', "SELECT nothing FROM $table" ],
    [ 'syntax',    'SELEC 1' ],
    [ 'late',      "SELECT (SELECT id FROM $table)" ],
    [ 'denied',    'SELECT * FROM mysql.user' ],
) {
    my ($step, $sql) = @$_;
    eval { $db->do($sql); told($step, 'no error'); 1 } or told($step, $db->err, $db->state);
}
$db->{LongReadLen} = 1 << 26;
for my $length (16777100, 16777215, 16777216, 20000000) {
    prepared("UPDATE $table SET raw = ? WHERE id = 1", 'y' x $length);
    told('large', rows("SELECT raw FROM $table WHERE id = 1"));
}
$db->do("UPDATE $table SET raw = NULL");
for my $i (0 .. 19) {
    $db->do("UPDATE $table SET n = 100 + $i WHERE id = 1");
    told('own', rows("SELECT n FROM $table WHERE id = 1"));
    prepared("UPDATE $table SET n = ? WHERE id = ?", 200 + $i, 1);
    told('own', prepared("SELECT n FROM $table WHERE id = ?", 1));
}
$db->disconnect;
