//! Everything about the MySQL servers behind the proxy: connecting, logging in, watching.
