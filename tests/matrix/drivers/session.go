// The session for go-sql-driver. See README.md beside this.
package main

import (
	"context"
	"crypto/md5"
	"database/sql"
	"fmt"
	"os"
	"strings"

	"github.com/go-sql-driver/mysql"
)

const table = "m_go"

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func env(name string) string { return os.Getenv("MATRIX_" + name) }

func plain(value interface{}) string {
	if raw, ok := value.([]byte); ok {
		if len(raw) > 300 {
			return fmt.Sprintf("%d bytes %x", len(raw), md5.Sum(raw))
		}
		return fmt.Sprintf("%q", raw)
	}
	return fmt.Sprintf("%v", value)
}

func read(rows *sql.Rows, err error) string {
	must(err)
	defer rows.Close()
	var found []string
	for {
		columns, err := rows.Columns()
		must(err)
		for rows.Next() {
			values := make([]interface{}, len(columns))
			places := make([]interface{}, len(columns))
			for i := range values {
				places[i] = &values[i]
			}
			must(rows.Scan(places...))
			for i := range values {
				found = append(found, plain(values[i]))
			}
		}
		must(rows.Err())
		if !rows.NextResultSet() {
			return strings.Join(found, ", ")
		}
	}
}

func told(step string, values ...interface{}) {
	fmt.Println(step, values)
}

func main() {
	dsn := fmt.Sprintf("%s:%s@tcp(%s:%s)/%s?multiStatements=true",
		env("USER"), env("PASSWORD"), env("HOST"), env("PORT"), env("SCHEMA"))
	dsn += "&maxAllowedPacket=67108864"
	if env("TLS") != "" {
		dsn += "&tls=skip-verify"
	}
	db, err := sql.Open("mysql", dsn)
	must(err)
	db.SetMaxOpenConns(1)
	query := func(sql string, given ...interface{}) string { return read(db.Query(sql, given...)) }
	prepared := func(sql string, given ...interface{}) string {
		statement, err := db.Prepare(sql)
		must(err)
		defer statement.Close()
		return read(statement.Query(given...))
	}
	exec := func(sql string, given ...interface{}) sql.Result {
		result, err := db.Exec(sql, given...)
		must(err)
		return result
	}
	told("served", query("SELECT name FROM whoami"))
	told("served", prepared("SELECT name FROM whoami WHERE id = ?", 1))

	exec("DROP TABLE IF EXISTS " + table)
	exec("CREATE TABLE " + table + ` (id INT AUTO_INCREMENT PRIMARY KEY, n INT,
		big BIGINT UNSIGNED, price DECIMAL(12,4), ratio DOUBLE, day DATE, moment DATETIME(6),
		body LONGTEXT, raw LONGBLOB) CHARACTER SET utf8mb4`)
	insert := "INSERT INTO " + table +
		" (n, big, price, ratio, day, moment, body, raw) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
	row := []interface{}{-7, "18446744073709551615", "12345.6789", 0.1, "2024-02-29",
		"2024-02-29 23:59:58.123456", "Grüße, 漢字, 🌊 ' \\ \" ?", []byte{0, 1, 39, 92, 255}}
	result := exec(insert, row...)
	id, _ := result.LastInsertId()
	told("insert", id)
	exec(insert, make([]interface{}, 8)...)
	told("text", query("SELECT * FROM "+table))
	told("prepared", prepared("SELECT * FROM "+table+" WHERE id > ?", 0))

	for _, end := range []string{"rollback", "commit"} {
		tx, err := db.Begin()
		must(err)
		changed, err := tx.Exec("UPDATE "+table+" SET n = n + ? WHERE n IS NOT NULL", 1)
		must(err)
		count, _ := changed.RowsAffected()
		told("inside", count, read(tx.Query("SELECT n FROM "+table+" ORDER BY id")))
		if end == "rollback" {
			must(tx.Rollback())
		} else {
			must(tx.Commit())
		}
		told(end, query("SELECT n FROM "+table+" ORDER BY id"))
	}
	tx, err := db.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true})
	must(err)
	told("read only", read(tx.Query("SELECT n FROM "+table+" ORDER BY id")))
	_, err = tx.Exec("UPDATE " + table + " SET n = 0")
	told("refused", err.(*mysql.MySQLError).Number)
	must(tx.Rollback())
	told("batch", query("SELECT n FROM "+table+" WHERE id = 1; SELECT 2, 3"))

	for _, sql := range []string{"INSERT INTO " + table + " (id) VALUES (1)",
		"SELECT * FROM nowhere_to_be_found", "SELECT nothing FROM " + table, "SELEC 1",
		"SELECT (SELECT id FROM " + table + ")", "SELECT * FROM mysql.user"} {
		rows, err := db.Query(sql)
		if err == nil {
			for rows.Next() {
			}
			err = rows.Err()
			rows.Close()
		}
		told("error", err.(*mysql.MySQLError).Number)
	}
	for _, length := range []int{16777100, 16777215, 16777216, 20000000} {
		exec("UPDATE "+table+" SET raw = ? WHERE id = 1", []byte(strings.Repeat("y", length)))
		told("large", query("SELECT raw FROM "+table+" WHERE id = 1"))
	}
	exec("UPDATE " + table + " SET raw = NULL")
	for i := 0; i < 20; i++ {
		exec(fmt.Sprintf("UPDATE %s SET n = %d WHERE id = 1", table, 100+i))
		told("own", query("SELECT n FROM "+table+" WHERE id = 1"))
		exec("UPDATE "+table+" SET n = ? WHERE id = ?", 200+i, 1)
		told("own", prepared("SELECT n FROM "+table+" WHERE id = ?", 1))
	}
	must(db.Close())
}
