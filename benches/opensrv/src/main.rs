//! The alternative that Tidegate's raw relay is measured against: a front by opensrv-mysql with
//! mysql_async behind it, which decodes every row and encodes it again. It has no routing, no tokens,
//! no pool and no metrics, and knows as much of the protocol as sysbench needs.
//!
//! For the comparison only: opensrv-mysql 0.7 is not fit for clients that are not trusted, and this
//! front lets in everybody.

mod front;

use std::env;
use std::process::ExitCode;

use mysql_async::{Conn, Opts, OptsBuilder};
use opensrv_mysql::AsyncMysqlIntermediary;
use tokio::io::BufWriter;
use tokio::net::{TcpListener, TcpStream};

use front::Front;

/// What a client's answer is gathered in before it is sent.
const BUFFER_BYTES: usize = 16 * 1024;

/// What goes wrong ends a client, or the start; the text is for a person.
type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until it is killed.
async fn serve() -> Result<(), Error> {
    let mut arguments = env::args().skip(1);
    let (Some(address), Some(reader), None) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("opensrv-front ADDRESS mysql://USER:PASSWORD@READER/SCHEMA".into());
    };
    // Like the other proxies by TCP, although the reader is on this machine.
    let reader: Opts = OptsBuilder::from_opts(Opts::from_url(&reader)?)
        .prefer_socket(false)
        .into();
    let listener = TcpListener::bind(address).await?;
    loop {
        let (client, _) = listener.accept().await?;
        let reader = reader.clone();
        tokio::spawn(async move {
            if let Err(error) = session(client, reader).await {
                eprintln!("a client was lost: {error}");
            }
        });
    }
}

/// A client's session, on a connection to the reader of its own.
async fn session(client: TcpStream, reader: Opts) -> Result<(), Error> {
    client.set_nodelay(true)?;
    let front = Front::new(Conn::new(reader).await?);
    let (input, output) = client.into_split();
    let output = BufWriter::with_capacity(BUFFER_BYTES, output);
    Ok(AsyncMysqlIntermediary::run_on(front, input, output).await?)
}
