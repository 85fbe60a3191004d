//! P3 for what a reader answers: it is held until it is known that the client may have it, up to
//! a buffer's size; whatever the size, it comes whole.

use tidegate::lab::APP;
use tidegate::protocol::Capabilities;

use crate::stage::{LIMIT, Stage, WRITER, on_a_reader};
use crate::wire::{Client, MODERN};

/// The buffer's size.
const HELD: usize = 16 * 1024;

#[tokio::test]
async fn p3_an_answer_of_a_reader_comes_whole_whatever_its_size() {
    let stage = Stage::new().await;
    on_a_reader(&mut stage.client().await).await;
    let old = Capabilities(MODERN.0 & !Capabilities::DEPRECATE_EOF.0);
    for capabilities in [MODERN, old] {
        let mut client = Client::connect(stage.port, APP, capabilities).await;
        let mut at_readers = 0;
        for size in sizes() {
            let sql = format!("SELECT REPEAT('r', {size}) r, name FROM app.whoami");
            let answer = tokio::time::timeout(LIMIT, client.query(&sql)).await;
            let packets = answer.unwrap_or_else(|_| panic!("{size} bytes never came whole"));
            let row = packets.iter().find(|packet| packet.len() > size);
            let row = row.expect("a row with its whole value");
            at_readers += usize::from(!row.ends_with(WRITER.as_bytes()));
        }
        assert!(at_readers > 0, "no answer was a reader's");
    }
    stage.end().await;
}

/// A row that ends at each place around the ends of buffers, and some larger ones.
fn sizes() -> impl Iterator<Item = usize> {
    let around = |buffers: usize| (buffers * HELD).saturating_sub(220)..buffers * HELD + 20;
    around(1)
        .chain(around(2))
        .chain([100_000, 1 << 20, 17 << 20, 64 << 20])
}
