// The session for Node's mysql2 and mysql. See README.md beside this.
'use strict';
const driver = process.argv[2];
const mysql = require(driver);
const { createHash } = require('node:crypto');
const { promisify } = require('node:util');

const tls = process.env.MATRIX_TLS === '1';
const table = `m_node_${driver}`;
const options = {
  host: process.env.MATRIX_HOST,
  port: Number(process.env.MATRIX_PORT),
  user: process.env.MATRIX_USER,
  password: process.env.MATRIX_PASSWORD,
  database: process.env.MATRIX_SCHEMA,
  charset: 'utf8mb4_unicode_ci',
  multipleStatements: true,
  supportBigNumbers: true,
  bigNumberStrings: true,
  dateStrings: true,
  ...(tls ? { ssl: { rejectUnauthorized: false } } : {}),
};
const row = [-7, '18446744073709551615', '12345.6789', 0.1, '2024-02-29',
  '2024-02-29 23:59:58.123456', "Grüße, 漢字, 🌊 'quoted' \\ \"?\"",
  Buffer.from(Array.from({ length: 256 }, (_, i) => i)), '{"a": [1, null]}'];
const columns = 'n, big, price, ratio, day, moment, body, raw, doc';

function plain(key, value) {
  if (value && value.type === 'Buffer') {
    const bytes = Buffer.from(value.data);
    return `${bytes.length} bytes ${createHash('md5').update(bytes).digest('hex')}`;
  }
  return value;
}
const told = (step, ...values) => console.log(step, JSON.stringify(values, plain));

function of(conn) {
  const query = promisify(conn.query.bind(conn));
  const execute = conn.execute ? promisify(conn.execute.bind(conn)) : query;
  return { query, execute };
}

async function failure(session, step, sql) {
  try {
    await session.query(sql);
    told(step, 'no error');
  } catch (error) {
    told(step, error.errno, error.sqlState, error.code);
  }
}

async function values({ query, execute }) {
  await query(`DROP TABLE IF EXISTS ${table}`);
  await query(`CREATE TABLE ${table} (id INT AUTO_INCREMENT PRIMARY KEY, n INT,
    big BIGINT UNSIGNED, price DECIMAL(12,4), ratio DOUBLE, day DATE, moment DATETIME(6),
    body LONGTEXT, raw LONGBLOB, doc JSON) CHARACTER SET utf8mb4`);
  const marks = row.map(() => '?').join(', ');
  const insert = `INSERT INTO ${table} (${columns}) VALUES (${marks})`;
  const done = await query(insert, row);
  told('insert', done.affectedRows, done.insertId, done.warningCount);
  told('text', await query(`SELECT ${columns} FROM ${table} WHERE id = 1`));
  await execute(insert, row);
  await execute(insert, row.map(() => null));
  told('prepared', await execute(`SELECT ${columns} FROM ${table} WHERE id > ?`, [1]));
}

async function transactions({ query, execute }) {
  const read = () => query(`SELECT n FROM ${table} ORDER BY id`);
  await query('START TRANSACTION');
  const done = await query(`UPDATE ${table} SET n = n + 1 WHERE n IS NOT NULL`);
  told('update', done.affectedRows, done.changedRows, done.message ?? done.info);
  told('inside', await read());
  await query('ROLLBACK');
  told('rolled back', await read());
  await query('START TRANSACTION');
  await execute(`UPDATE ${table} SET n = ? WHERE id = 1`, [40]);
  await query('COMMIT');
  told('committed', await execute(`SELECT n FROM ${table} WHERE id = ?`, [1]));
}

async function batches({ query }) {
  const many = Array.from({ length: 50 }, (_, i) => [i, `row ${i}`]);
  await query(`INSERT INTO ${table} (n, body) VALUES ?`, [many]);
  told('many', await query(`SELECT COUNT(*) AS c, SUM(n) AS s FROM ${table}`));
  const results = await query(`UPDATE ${table} SET n = 41 WHERE id = 1;
    SELECT n FROM ${table} WHERE id = 1; SELECT 2 AS two`);
  told('batch', results[0].affectedRows, results.slice(1));
}

async function large({ query, execute }) {
  for (const length of [16777100, 16777215, 16777216, 20000000]) {
    await execute(`UPDATE ${table} SET raw = ? WHERE id = 1`, [Buffer.alloc(length, "\0'\\x")]);
    told('large', await query(`SELECT raw FROM ${table} WHERE id = 1`));
  }
  const wide = `SELECT REPEAT('x', 16777214 + id) AS wide FROM ${table} WHERE id <= ?`;
  told('wide', (await execute(wide, [3])).map((one) => one.wide.length));
  await query(`UPDATE ${table} SET raw = NULL`);
}

async function pools() {
  const pool = mysql.createPool({ ...options, connectionLimit: 1 });
  for (let turn = 0; turn < 3; turn += 1) {
    const conn = await promisify(pool.getConnection.bind(pool))();
    const { query } = of(conn);
    told('pool', await query(`SELECT COUNT(*) AS c, MAX(n) AS m FROM ${table}`));
    await query(`INSERT INTO ${table} (n) VALUES (?)`, [500 + turn]);
    await query('SET @mine = 1');
    await promisify(conn.changeUser.bind(conn))({});
    told('reset', await query(`SELECT MAX(n) AS m FROM ${table}`));
    told('after', await query('SELECT @mine AS mine'));
    conn.release();
  }
  await promisify(pool.end.bind(pool))();
}

async function main() {
  const conn = mysql.createConnection(options);
  await promisify(conn.connect.bind(conn))();
  const session = of(conn);
  const stream = conn.stream ?? conn._socket;
  if (tls && !(stream.encrypted || conn._protocol?._connection?.config?.ssl)) {
    throw new Error('no TLS');
  }
  told('served', await session.query('SELECT name FROM whoami'));
  told('served', await session.execute('SELECT name FROM whoami WHERE id = ?', [1]));
  await values(session);
  await transactions(session);
  await batches(session);
  await failure(session, 'duplicate', `INSERT INTO ${table} (id) VALUES (1)`);
  await failure(session, 'no table', 'SELECT * FROM nowhere_to_be_found');
  await failure(session, 'no column', `SELECT nothing FROM ${table}`);
  await failure(session, 'syntax', 'SELEC 1');
  await failure(session, 'late', `SELECT (SELECT id FROM ${table})`);
  await failure(session, 'denied', 'SELECT * FROM mysql.user');
  await large(session);
  for (let i = 0; i < 20; i += 1) {
    await session.query(`UPDATE ${table} SET n = ? WHERE id = 1`, [100 + i]);
    told('own', await session.query(`SELECT n FROM ${table} WHERE id = 1`));
    await session.execute(`UPDATE ${table} SET n = ? WHERE id = ?`, [200 + i, 1]);
    told('own', await session.execute(`SELECT n FROM ${table} WHERE id = ?`, [1]));
  }
  await promisify(conn.end.bind(conn))();
  await pools();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
