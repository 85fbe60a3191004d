//! Byte streams: plain and TLS, packet reading and writing, listeners.
