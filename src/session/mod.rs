//! One client's session: login, command loop, relay, session state.
