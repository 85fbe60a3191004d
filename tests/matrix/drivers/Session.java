import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The session for MariaDB Connector/J. See README.md beside this. */
public final class Session {
    private static final String TABLE = "m_java";
    private static Connection db;

    private static String env(String name) {
        String value = System.getenv("MATRIX_" + name);
        return value == null ? "" : value;
    }

    private static void told(String step, Object... values) {
        System.out.println(step + " " + Arrays.deepToString(values));
    }

    private static List<String> read(ResultSet found) throws SQLException {
        List<String> rows = new ArrayList<>();
        int columns = found.getMetaData().getColumnCount();
        while (found.next()) {
            for (int i = 1; i <= columns; i++) {
                byte[] raw = found.getBytes(i);
                boolean large = raw != null && raw.length > 300;
                String text = large ? raw.length + " bytes " + Arrays.hashCode(raw) : found.getString(i);
                rows.add(text);
            }
        }
        return rows;
    }

    private static Object rows(String sql) throws SQLException {
        try (Statement statement = db.createStatement()) {
            boolean found = statement.execute(sql);
            return found ? read(statement.getResultSet()) : (Object) statement.getUpdateCount();
        }
    }

    private static Object prepared(String sql, Object... given) throws SQLException {
        try (PreparedStatement statement = db.prepareStatement(sql)) {
            for (int i = 0; i < given.length; i++) {
                statement.setObject(i + 1, given[i]);
            }
            boolean found = statement.execute();
            return found ? read(statement.getResultSet()) : (Object) statement.getUpdateCount();
        }
    }

    private static void failure(String sql) {
        try {
            rows(sql);
            told("no error", sql);
        } catch (SQLException error) {
            told("error", error.getErrorCode(), error.getSQLState());
        }
    }

    private static void transactions() throws SQLException {
        db.setAutoCommit(false);
        for (boolean commit : new boolean[] {false, true}) {
            told("update", rows("UPDATE " + TABLE + " SET n = n + 1 WHERE n IS NOT NULL"));
            told("inside", rows("SELECT n FROM " + TABLE + " ORDER BY id"));
            if (commit) {
                db.commit();
            } else {
                db.rollback();
            }
            told("ended", prepared("SELECT n FROM " + TABLE + " ORDER BY id"));
        }
        db.setAutoCommit(true);
        db.setReadOnly(true);
        told("read only", rows("SELECT n FROM " + TABLE + " ORDER BY id"));
        db.setReadOnly(false);
    }

    private static void batches() throws SQLException {
        String insert = "INSERT INTO " + TABLE + " (n, body) VALUES (?, ?)";
        try (PreparedStatement statement = db.prepareStatement(insert, Statement.RETURN_GENERATED_KEYS)) {
            for (int i = 0; i < 50; i++) {
                statement.setInt(1, i);
                statement.setString(2, "row " + i);
                statement.addBatch();
            }
            told("batch", statement.executeBatch().length, read(statement.getGeneratedKeys()));
        }
        try (Statement statement = db.createStatement()) {
            statement.execute("SELECT n FROM " + TABLE + " WHERE id = 1; SELECT 2, 3");
            told("multi", read(statement.getResultSet()));
            told("multi", statement.getMoreResults(), read(statement.getResultSet()));
        }
    }

    private static void large() throws SQLException {
        for (int length : new int[] {16777100, 16777215, 16777216, 20000000}) {
            prepared("UPDATE " + TABLE + " SET raw = ? WHERE id = 1", new byte[length]);
            told("large", rows("SELECT raw FROM " + TABLE + " WHERE id = 1"));
        }
        rows("UPDATE " + TABLE + " SET raw = NULL");
    }

    /** Plays it. */
    public static void main(String[] args) throws Exception {
        System.setOut(new java.io.PrintStream(System.out, true, StandardCharsets.UTF_8));
        String options = "?allowMultiQueries=true&useServerPrepStmts=true&allowPublicKeyRetrieval=true"
                + (env("TLS").isEmpty() ? "" : "&useSsl=true&trustServerCertificate=true");
        String url = "jdbc:mariadb://" + env("HOST") + ":" + env("PORT") + "/" + env("SCHEMA") + options;
        db = DriverManager.getConnection(url, env("USER"), env("PASSWORD"));
        told("served", rows("SELECT name FROM whoami"));
        told("served", prepared("SELECT name FROM whoami WHERE id = ?", 1));
        rows("DROP TABLE IF EXISTS " + TABLE);
        rows("CREATE TABLE " + TABLE + " (id INT AUTO_INCREMENT PRIMARY KEY, n INT,"
                + " big BIGINT UNSIGNED, price DECIMAL(12,4), ratio DOUBLE, day DATE,"
                + " moment DATETIME(6), body LONGTEXT, raw LONGBLOB) CHARACTER SET utf8mb4");
        String insert = "INSERT INTO " + TABLE
                + " (n, big, price, ratio, day, moment, body, raw) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        told("insert", prepared(insert, -7, "18446744073709551615", "12345.6789", 0.1, "2024-02-29",
                "2024-02-29 23:59:58.123456", "Grüße, 漢字, 🌊 ' \\ \" ?", new byte[] {0, 1, 39, 92}));
        prepared(insert, null, null, null, null, null, null, null, null);
        told("text", rows("SELECT * FROM " + TABLE));
        told("prepared", prepared("SELECT * FROM " + TABLE + " WHERE id > ?", 0));
        transactions();
        batches();
        failure("INSERT INTO " + TABLE + " (id) VALUES (1)");
        failure("SELECT * FROM nowhere_to_be_found");
        failure("SELECT nothing FROM " + TABLE);
        failure("SELEC 1");
        failure("SELECT (SELECT id FROM " + TABLE + ")");
        failure("SELECT * FROM mysql.user");
        large();
        for (int i = 0; i < 20; i++) {
            rows("UPDATE " + TABLE + " SET n = " + (100 + i) + " WHERE id = 1");
            told("own", rows("SELECT n FROM " + TABLE + " WHERE id = 1"));
            prepared("UPDATE " + TABLE + " SET n = ? WHERE id = ?", 200 + i, 1);
            told("own", prepared("SELECT n FROM " + TABLE + " WHERE id = ?", 1));
        }
        db.close();
    }
}
