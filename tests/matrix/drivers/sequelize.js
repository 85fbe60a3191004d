// The session for Sequelize, with a pool of connections. See README.md beside this.
'use strict';
const { Sequelize, DataTypes, Op, QueryTypes } = require('sequelize');

const tls = process.env.MATRIX_TLS === '1';
const db = new Sequelize(process.env.MATRIX_SCHEMA, process.env.MATRIX_USER, process.env.MATRIX_PASSWORD, {
  dialect: 'mysql',
  host: process.env.MATRIX_HOST,
  port: Number(process.env.MATRIX_PORT),
  logging: false,
  pool: { max: 4, min: 1 },
  dialectOptions: { charset: 'utf8mb4', ...(tls ? { ssl: { rejectUnauthorized: false } } : {}) },
});
const told = (step, ...values) => console.log(step, JSON.stringify(values));

const common = { timestamps: false, charset: 'utf8mb4' };
const Author = db.define('author', {
  name: { type: DataTypes.STRING(80), unique: true },
}, { ...common, tableName: 'm_sq_author' });
const Book = db.define('book', {
  title: DataTypes.STRING,
  price: DataTypes.DECIMAL(12, 4),
  printed: DataTypes.DATEONLY,
  cover: DataTypes.BLOB('medium'),
  facts: DataTypes.JSON,
}, { ...common, tableName: 'm_sq_book' });
Author.hasMany(Book);
Book.belongsTo(Author);

async function failure(step, run) {
  try {
    await run();
    told(step, 'no error');
  } catch (error) {
    const { errno, sqlState } = error.original ?? error.parent ?? {};
    told(step, error.name, errno, sqlState);
  }
}

async function objects() {
  const author = await Author.create({ name: 'Grüße, 漢字, 🌊' });
  const made = { title: 'one', price: '12.5', printed: '2024-02-29', facts: { pages: [1, null] } };
  await author.createBook({ ...made, cover: Buffer.from([0, 1, 255]) });
  await Book.bulkCreate(Array.from({ length: 100 }, (_, i) => ({ ...made, title: `row ${i}` })));
  told('author', await Author.findAll({ include: Book }));
  told('counted', await Book.count(), await Book.sum('price'));
  told('some', await Book.findAll({ where: { title: { [Op.like]: 'row 1%' } }, order: ['id'], limit: 5 }));
  told('updated', await Book.update({ price: 3 }, { where: { id: { [Op.gt]: 50 } } }));
  told('grouped', await Book.findAll({
    attributes: ['price', [db.fn('COUNT', db.col('id')), 'n']], group: 'price', order: ['price'],
  }));
  told('found', (await Author.findOrCreate({ where: { name: 'second' } }))[1],
    (await Author.findOrCreate({ where: { name: 'second' } }))[1]);
  told('destroyed', await Book.destroy({ where: { title: 'row 7' } }), await Book.count());
}

async function transactions() {
  await db.transaction(async (transaction) => {
    await Book.increment('price', { by: 1, where: { id: 1 }, transaction });
    told('inside', await Book.findByPk(1, { transaction, lock: true, attributes: ['price'] }));
  });
  told('committed', await Book.findByPk(1, { attributes: ['price'] }));
  await failure('rolled back', () => db.transaction(async (transaction) => {
    await Author.create({ name: 'lost' }, { transaction });
    await Author.create({ name: 'second' }, { transaction });
  }));
  told('lost', await Author.count({ where: { name: 'lost' } }));
}

async function main() {
  await db.authenticate();
  const names = () => db.query('SELECT name FROM whoami WHERE id = ?', {
    replacements: [1], type: QueryTypes.SELECT,
  });
  told('served', await names());
  told('served', await db.query('SELECT name FROM whoami WHERE id = $1', { bind: [1], type: QueryTypes.SELECT }));
  await db.drop();
  await db.sync();
  told('described', await Book.describe());
  await objects();
  await transactions();
  await failure('no table', () => db.query('SELECT * FROM nowhere_to_be_found'));
  await failure('syntax', () => db.query('SELEC 1'));
  await failure('parent', () => Book.create({ title: 'x', authorId: 77 }));
  for (let i = 0; i < 20; i += 1) {
    await Book.update({ title: `own ${i}` }, { where: { id: 1 } });
    told('own', (await Book.findByPk(1)).title);
    await db.query('UPDATE m_sq_book SET title = $1 WHERE id = $2', { bind: [`bound ${i}`, 1] });
    told('own', await db.query('SELECT title FROM m_sq_book WHERE id = $1', { bind: [1], type: QueryTypes.SELECT }));
    // Four at once take what connections the pool has.
    await Book.increment('price', { where: { id: 1 } });
    const prices = await Promise.all([1, 2, 3, 4].map(() => Book.findByPk(1)));
    told('pool', prices.map((book) => book.price));
  }
  await db.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
