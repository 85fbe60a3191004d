//! What many applications have built in instead of a proxy.

use mysql_async::Conn;

/// A connection to every backend, taken for one: reads go to the readers in turn, all else to the
/// writer. Nobody asks how far the readers are.
#[derive(Debug)]
pub(crate) struct Splitter {
    writer: Conn,
    readers: Vec<Conn>,
    /// Reads sent to readers so far.
    reads: usize,
}

impl Splitter {
    /// Splits between these.
    pub(crate) fn new(writer: Conn, readers: Vec<Conn>) -> Self {
        Self {
            writer,
            readers,
            reads: 0,
        }
    }

    /// All there is to it.
    pub(crate) fn backend(&mut self, is_read: bool) -> &mut Conn {
        let count = self.readers.len().max(1);
        match self.readers.get_mut(self.reads % count) {
            Some(reader) if is_read => {
                self.reads += 1;
                reader
            }
            _ => &mut self.writer,
        }
    }

    /// The reads that readers got.
    pub(crate) fn at_readers(&self) -> usize {
        self.reads
    }

    /// Every connection.
    pub(crate) fn all(&mut self) -> impl Iterator<Item = &mut Conn> {
        self.readers.iter_mut().chain([&mut self.writer])
    }

    /// Every connection, to be closed.
    pub(crate) fn into_all(self) -> impl Iterator<Item = Conn> {
        self.readers.into_iter().chain([self.writer])
    }
}
