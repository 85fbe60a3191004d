//! The sessions for Rust's sqlx, mysql and diesel; the argument says which. See the README of the
//! directory above.

mod diesel_session;
mod mysql_session;
mod sqlx_session;

use std::env;
use std::error::Error;

/// What any step may end with: that ends the session.
type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Where a session connects.
struct Place {
    host: String,
    port: u16,
    user: String,
    password: String,
    schema: String,
    tls: bool,
}

impl Place {
    fn of_the_environment() -> Outcome<Self> {
        Ok(Self {
            host: env::var("MATRIX_HOST")?,
            port: env::var("MATRIX_PORT")?.parse()?,
            user: env::var("MATRIX_USER")?,
            password: env::var("MATRIX_PASSWORD")?,
            schema: env::var("MATRIX_SCHEMA")?,
            tls: env::var("MATRIX_TLS").is_ok(),
        })
    }
}

/// The text that every session writes.
const TEXT: &str = "Grüße, 漢字, 🌊 'quoted' \\ \"?\"";

/// Around these lengths the protocol begins another packet.
const LARGE: [usize; 4] = [16_777_100, 16_777_215, 16_777_216, 20_000_000];

fn table(driver: &str) -> [String; 2] {
    let columns = "id INT AUTO_INCREMENT PRIMARY KEY, n INT, big BIGINT UNSIGNED, ratio DOUBLE, \
                   moment DATETIME(6), body TEXT, raw LONGBLOB";
    [
        format!("DROP TABLE IF EXISTS m_{driver}"),
        format!("CREATE TABLE m_{driver} ({columns}) CHARACTER SET utf8mb4"),
    ]
}

fn told(step: &str, what: impl std::fmt::Debug) {
    println!("{step} | {what:?}");
}

/// A long value's length and a sum that tells it from others.
fn sum(bytes: &[u8]) -> (usize, u64) {
    let fold = |sum: u64, byte: &u8| sum.wrapping_mul(31).wrapping_add(u64::from(*byte));
    (bytes.len(), bytes.iter().fold(7, fold))
}

fn main() -> Outcome {
    let place = Place::of_the_environment()?;
    match env::args().nth(1).as_deref() {
        Some("sqlx") => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(sqlx_session::play(&place)),
        Some("mysql") => mysql_session::play(&place),
        Some("diesel") => diesel_session::play(&place),
        other => Err(format!("no driver {other:?}").into()),
    }
}
