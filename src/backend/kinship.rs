//! Which connections may serve one another's sessions, and how one is handed over.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::connection::Connection;
use super::exchange::Exchange;
use super::login::{CLIENT_DECIDES, LOGIN_PACKET_LIMIT, LoginRequest};
use super::{Config, ConnectError, ConnectionState, Dialer};
use crate::protocol::{Capabilities, ChangeUser, Command, OkPacket};
use crate::sql::{Flavour, ForEach};

/// What no COM_CHANGE_USER changes on a connection, and whose it is: connections of one kind may
/// stand in for each other.
#[derive(Clone, Debug)]
pub struct Kinship {
    user: Vec<u8>,
    /// What the client decides of them.
    capabilities: Capabilities,
    max_packet: u32,
    has_attributes: bool,
    /// Where a backend is told of it by a PROXY header.
    origin: Option<SocketAddr>,
    /// With which addresses and certificates it was opened.
    config: Arc<Config>,
}

impl PartialEq for Kinship {
    fn eq(&self, other: &Self) -> bool {
        self.user == other.user
            && self.capabilities.0 == other.capabilities.0
            && self.max_packet == other.max_packet
            && self.has_attributes == other.has_attributes
            && self.origin == other.origin
            && Arc::ptr_eq(&self.config, &other.config)
    }
}

impl Dialer {
    /// Of a connection that is opened for this request now; none for one that can't be handed over.
    pub fn kinship(&self, request: &LoginRequest) -> Option<Kinship> {
        let config = self.config();
        let proxied = config.backends.iter().any(|it| it.proxy_protocol);
        // What `interactive_timeout` is to a login, nothing is to a change of users.
        let interactive = request.capabilities.contains(Capabilities::INTERACTIVE);
        (request.collation != 0 && !interactive).then(|| Kinship {
            user: request.credentials.user.clone(),
            capabilities: request.capabilities & CLIENT_DECIDES,
            max_packet: request.max_packet,
            has_attributes: request.attributes.is_some(),
            origin: request.origin.filter(|_| proxied),
            config,
        })
    }

    /// Logs in on a connection of the same kind that had another session, and makes of it what
    /// [`Dialer::connect`] would: nothing is left of what was there. Who the backend is it does not
    /// ask again.
    ///
    /// Not cancel safe, but a caller that gives up only loses the connection.
    ///
    /// # Errors
    /// As [`Dialer::connect`]. The connection is of no use then.
    pub async fn take_over(
        &self,
        connection: &mut Connection,
        request: &LoginRequest,
        tracking: &ForEach<String>,
    ) -> Result<(), ConnectError> {
        self.in_time(async {
            connection.change_user(request, Some(tracking)).await?;
            connection.read_beginning(&self.last_told).await
        })
        .await
    }

    /// Logs in there to ask about the account alone, and what its sessions begin with, which
    /// [`Dialer::hear`] reads: nothing is tracked there.
    ///
    /// Not cancel safe, but a caller that gives up only loses the connection.
    ///
    /// # Errors
    /// As [`Dialer::take_over`].
    pub async fn ask_about(
        &self,
        connection: &mut Connection,
        request: &LoginRequest,
    ) -> Result<(), ConnectError> {
        self.in_time(connection.change_user(request, None)).await
    }

    /// Reads what sessions begin with, after [`Dialer::ask_about`].
    ///
    /// # Errors
    /// As [`Dialer::take_over`].
    pub async fn hear(&self, connection: &mut Connection) -> Result<(), ConnectError> {
        self.in_time(connection.read_beginning(&self.last_told))
            .await
    }

    async fn in_time(
        &self,
        attempt: impl Future<Output = Result<(), ConnectError>>,
    ) -> Result<(), ConnectError> {
        match self
            .timers
            .limit(self.config().connect_timeout, attempt)
            .await
        {
            Ok(result) => result,
            Err(_) => Err(ConnectError::TimedOut),
        }
    }
}

/// What ends what a change of user leaves there, and whether it has to succeed: a server may be built
/// without profiling.
fn left_by_change_of_user(flavour: Flavour) -> &'static [(&'static [u8], bool)] {
    match flavour {
        Flavour::MySql => &[],
        // Roles, unless the account has one by default; and profiles, with the text of statements,
        // which go when a statement that is profiled itself ends. The last one counts: only a SET ends
        // the profiling, and no change of user does, though the variable says so.
        Flavour::MariaDb => &[
            (b"SET ROLE NONE", true),
            (b"SET profiling = 1", false),
            (b"SET profiling_history_size = 0", false),
            (b"SET profiling = 0", false),
        ],
    }
}

impl Connection {
    /// Logs in, and asks for what a session begins with: behind the answer to the backend's
    /// challenge, so that there are two round trips for all of it.
    async fn change_user(
        &mut self,
        request: &LoginRequest,
        tracking: Option<&ForEach<String>>,
    ) -> Result<(), ConnectError> {
        let has_attributes = self.capabilities.contains(Capabilities::CONNECT_ATTRS);
        let command = ChangeUser {
            user: request.credentials.user.clone(),
            // The backend asks for its own plugin's, with a new nonce.
            auth: Vec::new(),
            database: request.database.clone(),
            collation: u16::from(request.collation),
            plugin: Some(Vec::new()),
            attributes: request.attributes.clone().filter(|_| has_attributes),
        };
        let left = left_by_change_of_user(self.flavour());
        for (sql, _) in left {
            self.queue_query(sql);
        }
        self.wire.restart_sequence();
        self.wire.queue(&command.encode()?);
        self.wire.flush().await?;
        for (_, has_to) in left {
            match self.read_answer(Command::Query).await {
                Err(ConnectError::Refused(_)) if !has_to => {}
                answer => drop(answer?),
            }
        }
        self.wire.set_sequence(1);
        let mut exchange = Exchange {
            password: &request.credentials.password,
            data: Vec::new(),
            plugin: String::new(),
        };
        let challenge = self.wire.read_payload(LOGIN_PACKET_LIMIT).await?;
        let ok = if challenge.first() == Some(&OkPacket::HEADER) {
            self.queue_beginning(tracking);
            challenge.to_vec()
        } else {
            exchange.answer(&challenge, &mut self.wire)?;
            match exchange.ends_with_one_answer() {
                true => {
                    let sequence = self.wire.sequence();
                    self.queue_beginning(tracking);
                    self.wire.flush().await?;
                    self.wire.set_sequence(sequence);
                    exchange.end(&mut self.wire).await?
                }
                false => {
                    self.wire.flush().await?;
                    let ok = exchange.run(&mut self.wire).await?;
                    self.queue_beginning(tracking);
                    ok
                }
            }
        };
        self.wire.flush().await?;
        self.status = OkPacket::parse(&ok, self.capabilities)?.status;
        self.login_ok = ok;
        self.authenticated = Instant::now();
        self.state = ConnectionState::after_login(request.collation, request.database.clone());
        self.changed.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::runtime::Builder;
    use zeroize::Zeroizing;

    use super::super::{BackendConfig, Credentials, MonitorConfig, Reach};
    use super::*;
    use crate::error::Secret;
    use crate::net::Timers;
    use crate::net::{BackendTls, Endpoint};

    fn config(proxy_protocol: bool) -> Arc<Config> {
        let backend = BackendConfig {
            name: "w1".to_owned(),
            address: Endpoint::Tcp {
                host: "127.0.0.1".to_owned(),
                port: 1,
            },
            role: None,
            weight: 100,
            max_lag: None,
            zone: None,
            tls: BackendTls::default(),
            proxy_protocol,
        };
        Arc::new(Config {
            backends: vec![backend],
            zone: None,
            monitor: MonitorConfig {
                user: "m".to_owned(),
                password: Secret::new(String::new()),
                interval: Duration::from_secs(1),
            },
            connect_timeout: Duration::from_secs(1),
            slow_start: Duration::ZERO,
        })
    }

    fn dialer(proxy_protocol: bool) -> Dialer {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let _there = runtime.enter();
        Dialer::new(Reach::new(config(proxy_protocol)).unwrap(), Timers::here())
    }

    fn request(change: impl FnOnce(&mut LoginRequest)) -> LoginRequest {
        let mut request = LoginRequest {
            credentials: Credentials {
                user: b"app".to_vec(),
                password: Zeroizing::new(b"secret".to_vec()),
            },
            database: None,
            collation: 45,
            attributes: None,
            origin: "127.0.0.1:1000".parse().ok(),
            capabilities: Capabilities::MULTI_RESULTS,
            max_packet: 1 << 24,
        };
        change(&mut request);
        request
    }

    type Change = fn(&mut LoginRequest);

    #[test]
    fn what_a_change_of_user_sets_anew_may_differ() {
        let dialer = dialer(false);
        let one = dialer.kinship(&request(|_| {}));
        assert!(one.is_some());
        let changes: [Change; 5] = [
            |it| it.database = Some(b"app".to_vec()),
            |it| it.collation = 8,
            |it| it.credentials.password = Zeroizing::new(b"another".to_vec()),
            |it| it.origin = "127.0.0.1:1001".parse().ok(),
            // Between the client and the proxy alone.
            |it| {
                it.capabilities
                    .insert(Capabilities::SSL | Capabilities::COMPRESS)
            },
        ];
        for change in changes {
            assert_eq!(dialer.kinship(&request(change)), one);
        }
    }

    #[test]
    fn p3_what_a_connection_keeps_for_good_is_the_same_for_all_that_it_serves() {
        let dialer = dialer(false);
        let one = dialer.kinship(&request(|_| {}));
        let changes: [Change; 5] = [
            |it| it.credentials.user = b"other".to_vec(),
            |it| it.capabilities.insert(Capabilities::FOUND_ROWS),
            |it| it.capabilities.insert(Capabilities::MULTI_STATEMENTS),
            |it| it.max_packet = 1 << 20,
            |it| it.attributes = Some(Vec::new()),
        ];
        for change in changes {
            let other = dialer.kinship(&request(change));
            assert!(other.is_some() && other != one);
        }
        dialer.reconfigure(Reach::new(config(false)).unwrap());
        assert_ne!(dialer.kinship(&request(|_| {})), one, "other addresses");
    }

    #[test]
    fn a_backend_that_was_told_where_the_client_is_serves_that_one_alone() {
        let dialer = dialer(true);
        let one = dialer.kinship(&request(|_| {}));
        assert_eq!(dialer.kinship(&request(|_| {})), one);
        let other = dialer.kinship(&request(|it| it.origin = "127.0.0.1:1001".parse().ok()));
        assert_ne!(other, one);
    }

    #[test]
    fn what_only_a_login_decides_is_not_handed_over() {
        let dialer = dialer(false);
        let interactive = request(|it| it.capabilities.insert(Capabilities::INTERACTIVE));
        assert_eq!(dialer.kinship(&interactive), None);
        assert_eq!(dialer.kinship(&request(|it| it.collation = 0)), None);
    }
}
