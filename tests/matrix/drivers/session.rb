# The session for Ruby's mysql2. See README.md beside this.
require 'digest'
require 'mysql2'

TABLE = 'm_ruby'
DB = Mysql2::Client.new(
  host: ENV['MATRIX_HOST'], port: ENV['MATRIX_PORT'].to_i, username: ENV['MATRIX_USER'],
  password: ENV['MATRIX_PASSWORD'], database: ENV['MATRIX_SCHEMA'], encoding: 'utf8mb4',
  flags: Mysql2::Client::MULTI_STATEMENTS, as: :array, cast_booleans: false
)

def plain(value)
  case value
  when Array then value.map { |one| plain(one) }
  when String then value.bytesize > 300 ? "#{value.bytesize} bytes #{Digest::MD5.hexdigest(value)}" : value
  else value.respond_to?(:to_r) && value.class.name == 'BigDecimal' ? value.to_s : value
  end
end

def told(step, *values)
  puts "#{step} #{plain(values).inspect}"
end

def rows(sql)
  found = DB.query(sql)
  found ? found.to_a : DB.affected_rows
end

def prepared(sql, *given)
  statement = DB.prepare(sql)
  found = statement.execute(*given)
  found ? found.to_a : statement.affected_rows
ensure
  statement&.close
end

told('served', rows('SELECT name FROM whoami'))
told('served', prepared('SELECT name FROM whoami WHERE id = ?', 1))
rows("DROP TABLE IF EXISTS #{TABLE}")
rows("CREATE TABLE #{TABLE} (id INT AUTO_INCREMENT PRIMARY KEY, n INT, big BIGINT UNSIGNED,
  price DECIMAL(12,4), ratio DOUBLE, day DATE, moment DATETIME(6), body LONGTEXT, raw LONGBLOB)
  CHARACTER SET utf8mb4")
insert = "INSERT INTO #{TABLE} (n, big, price, ratio, day, moment, body, raw)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
row = [-7, '18446744073709551615', '12345.6789', 0.1, '2024-02-29', '2024-02-29 23:59:58.123456',
       "Grüße, 漢字, 🌊 ' \\ \" ?", "\x00\x01'\\"]
told('insert', prepared(insert, *row), DB.last_id)
prepared(insert, *([nil] * 8))
told('text', rows("SELECT * FROM #{TABLE}"))
told('prepared', prepared("SELECT * FROM #{TABLE} WHERE id > ?", 0))
%w[ROLLBACK COMMIT].each do |ending|
  rows('BEGIN')
  told('update', rows("UPDATE #{TABLE} SET n = n + 1 WHERE n IS NOT NULL"))
  told('inside', rows("SELECT n FROM #{TABLE} ORDER BY id"))
  rows(ending)
  told(ending, prepared("SELECT n FROM #{TABLE} ORDER BY id"))
end
told('batch', DB.query("SELECT n FROM #{TABLE} WHERE id = 1; SELECT 2; SELECT 3").to_a)
told('batch', DB.store_result.to_a) while DB.next_result
["INSERT INTO #{TABLE} (id) VALUES (1)", 'SELECT * FROM nowhere_to_be_found',
 "SELECT nothing FROM #{TABLE}", 'SELEC 1', "SELECT (SELECT id FROM #{TABLE})",
 'SELECT * FROM mysql.user'].each do |sql|
  rows(sql)
  told('no error', sql)
rescue Mysql2::Error => e
  told('error', e.error_number, e.sql_state)
end
[16_777_100, 16_777_215, 16_777_216, 20_000_000].each do |length|
  prepared("UPDATE #{TABLE} SET raw = ? WHERE id = 1", 'y' * length)
  told('large', rows("SELECT raw FROM #{TABLE} WHERE id = 1"))
end
rows("UPDATE #{TABLE} SET raw = NULL")
20.times do |i|
  rows("UPDATE #{TABLE} SET n = #{100 + i} WHERE id = 1")
  told('own', rows("SELECT n FROM #{TABLE} WHERE id = 1"))
  prepared("UPDATE #{TABLE} SET n = ? WHERE id = ?", 200 + i, 1)
  told('own', prepared("SELECT n FROM #{TABLE} WHERE id = ?", 1))
end
DB.close
