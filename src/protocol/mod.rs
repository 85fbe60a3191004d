//! The MySQL client/server protocol as pure functions over bytes: no sockets, no clock.
