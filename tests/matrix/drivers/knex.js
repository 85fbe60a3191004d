// The session for Knex: migrations by its schema builder, queries, transactions, a pool. See
// README.md beside this.
'use strict';
const tls = process.env.MATRIX_TLS === '1';
const db = require('knex')({
  client: 'mysql2',
  connection: {
    host: process.env.MATRIX_HOST,
    port: Number(process.env.MATRIX_PORT),
    user: process.env.MATRIX_USER,
    password: process.env.MATRIX_PASSWORD,
    database: process.env.MATRIX_SCHEMA,
    charset: 'utf8mb4',
    dateStrings: true,
    ...(tls ? { ssl: { rejectUnauthorized: false } } : {}),
  },
  pool: { min: 0, max: 4 },
});
const told = (step, ...values) => console.log(step, JSON.stringify(values));

const migrations = {
  getMigrations: async () => ['first', 'second'],
  getMigrationName: (name) => name,
  getMigration: async (name) => ({
    first: {
      up: (knex) => knex.schema.createTable('m_kx_book', (table) => {
        table.increments('id');
        table.string('title').notNullable().unique();
        table.decimal('price', 12, 4);
        table.dateTime('printed', { precision: 6 });
        table.binary('cover');
        table.json('facts');
      }),
      down: (knex) => knex.schema.dropTable('m_kx_book'),
    },
    second: {
      up: (knex) => knex.schema.alterTable('m_kx_book', (table) => table.integer('pages').index()),
      down: (knex) => knex.schema.alterTable('m_kx_book', (table) => table.dropColumn('pages')),
    },
  })[name],
};
const options = { migrationSource: migrations, tableName: 'm_kx_done' };

async function failure(step, run) {
  try {
    await run();
    told(step, 'no error');
  } catch (error) {
    told(step, error.code, error.errno, error.sqlState);
  }
}

async function main() {
  told('served', await db('whoami').select('name'));
  told('served', await db('whoami').select('name').where({ id: 1 }));
  for (const table of ['m_kx_book', 'm_kx_done', 'm_kx_done_lock']) await db.schema.dropTableIfExists(table);
  told('migrated', await db.migrate.latest(options));
  told('back', await db.migrate.rollback({ ...options }, true));
  told('again', await db.migrate.latest(options), await db.migrate.currentVersion(options));
  // In no order that the server promises.
  told('columns', Object.entries(await db('m_kx_book').columnInfo()).sort());
  const book = { title: 'Grüße, 漢字, 🌊', price: '1.5', printed: '2024-02-29 23:59:58.123456', cover: Buffer.from([0, 255]), facts: '{"a": 1}' };
  told('inserted', await db('m_kx_book').insert(book));
  told('read', await db('m_kx_book').first());
  const rows = Array.from({ length: 300 }, (_, i) => ({ title: `row ${i}`, price: i, pages: i % 5 }));
  await db.batchInsert('m_kx_book', rows, 70);
  told('batch', await db('m_kx_book').count({ n: '*' }).sum({ s: 'price' }));
  told('merged', await db('m_kx_book').insert({ title: 'row 1', price: 9 }).onConflict().merge());
  told('grouped', await db('m_kx_book').select('pages').count({ n: '*' }).groupBy('pages').orderBy('pages'));
  told('updated', await db('m_kx_book').where('pages', 3).update({ price: 0 }));
  told('deleted', await db('m_kx_book').where('pages', 4).del(), await db('m_kx_book').count({ n: '*' }));
  await db.transaction(async (trx) => {
    await trx('m_kx_book').where({ id: 1 }).update({ price: 40 });
    told('inside', await trx('m_kx_book').where({ id: 1 }).forUpdate().first('price'));
    await failure('savepoint', () => trx.transaction((inner) => inner('m_kx_book').insert({ title: 'row 1' })));
  });
  told('committed', await db('m_kx_book').where({ id: 1 }).first('price'));
  await failure('twice', () => db('m_kx_book').insert({ title: 'row 1' }));
  await failure('no table', () => db('nowhere_to_be_found'));
  await failure('syntax', () => db.raw('SELEC 1'));
  for (let i = 0; i < 20; i += 1) {
    await db('m_kx_book').where({ id: 1 }).update({ price: 100 + i });
    const seen = await Promise.all([1, 2, 3, 4].map(() => db('m_kx_book').where({ id: 1 }).first('price')));
    told('own', seen);
  }
  await db.destroy();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
