use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use super::*;
use crate::net::Plain;

fn pair() -> (Wire, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    (Wire::new(Stream::Plain(Plain::from(near))), far)
}

#[tokio::test]
async fn what_does_not_leave_at_once_leaves_once() {
    let (mut wire, mut far) = pair();
    let much: Vec<u8> = (0..4_000_000_u32)
        .map(|at| at.to_le_bytes()[usize::from(at % 7 == 0)])
        .collect();
    wire.output().extend_from_slice(&much);
    assert!(
        !wire.flush_now().unwrap(),
        "the system takes all of it at once"
    );
    let reading = async {
        let mut read = vec![0; much.len()];
        far.read_exact(&mut read).await.unwrap();
        read
    };
    let (flushed, read) = tokio::join!(wire.flush(), reading);
    flushed.unwrap();
    assert!(read == much, "other bytes came than were sent");
    assert_eq!(wire.take_counts(), (0, much.len() as u64));
    wire.queue(b"next");
    assert!(wire.flush_now().unwrap());
    let mut next = [0; HEADER + 4];
    far.read_exact(&mut next).await.unwrap();
    assert_eq!(&next, b"\x04\0\0\0next");
}

#[tokio::test]
async fn p9_what_has_left_holds_no_memory_while_nothing_goes() {
    let (mut wire, _far) = pair();
    for length in [100, KEPT + 1, 12 * 1024] {
        wire.output().reserve(length);
        wire.output().extend_from_slice(&vec![7; length]);
        wire.flush().await.unwrap();
        wire.rest();
        assert!(
            !wire.output().try_reclaim(KEPT + 1),
            "{length} bytes are kept"
        );
    }
}

#[tokio::test]
async fn nothing_queued_is_nothing_sent() {
    let (mut wire, mut far) = pair();
    assert!(wire.flush_now().unwrap());
    wire.flush().await.unwrap();
    drop(wire);
    let mut read = Vec::new();
    far.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, b"");
}

#[tokio::test]
async fn a_peer_that_has_gone_is_an_error() {
    let (mut wire, far) = pair();
    drop(far);
    wire.queue(b"word");
    assert!(wire.flush_now().is_err());
}
