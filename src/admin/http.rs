//! The HTTP endpoint: metrics, health, the switch for reads, the reload.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::{Config, Operator, base64};
use crate::net::Listener;
use crate::routing::Reads;
use crate::session::Shared;

/// So many scrapers are served at a time; more wait.
const CONNECTION_LIMIT: usize = 32;

/// A request's head has to come within this time.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait when the system gives no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The longest body that is read, in bytes.
const BODY_LIMIT: usize = 64;

/// What the endpoint shows and moves.
#[derive(Clone)]
pub struct Desk {
    /// Shown, and moved.
    pub shared: Arc<Shared>,
    /// What else can be done.
    pub operator: Arc<dyn Operator>,
    /// Who may ask, and whether they may also move what is there: only who has logged in or is on
    /// this machine may.
    pub config: Arc<Config>,
}

/// Serves `/metrics`, `/healthz` (the process works), `/readyz` (it takes clients) and the switch
/// `/reads` until the future is dropped.
pub async fn serve(listener: Arc<Listener>, desk: Desk) {
    let room = Arc::new(Semaphore::new(CONNECTION_LIMIT));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "can't accept an HTTP connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let desk = desk.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let desk = desk.clone();
                async move { Ok::<_, Infallible>(respond(request, &desk).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "HTTP connection ended");
            }
            drop(permit);
        });
    }
}

async fn respond(request: Request<Incoming>, desk: &Desk) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    if !may_ask(&request, &desk.config) {
        let mut response = text(StatusCode::UNAUTHORIZED, "log in\n".to_owned());
        let how = hyper::header::HeaderValue::from_static("Basic realm=\"tidegate\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, how);
        return response;
    }
    match (request.method(), path.as_str()) {
        (&(Method::PUT | Method::POST), "/reads" | "/reload") if !may_act(&desk.config) => {
            let why = "only over loopback, over a unix socket, or with [http] password\n";
            return text(StatusCode::FORBIDDEN, why.to_owned());
        }
        (&Method::PUT, "/reads") => return switch(request, desk).await,
        (&Method::POST, "/reload") => return reload(desk).await,
        (&(Method::GET | Method::HEAD), _) => {}
        _ => {
            let allowed = "only GET is answered here, PUT of /reads and POST of /reload\n";
            let allowed = allowed.to_owned();
            return text(StatusCode::METHOD_NOT_ALLOWED, allowed);
        }
    }
    match path.as_str() {
        "/metrics" => {
            let mut response = text(StatusCode::OK, desk.shared.metrics.render());
            let format = hyper::header::HeaderValue::from_static("text/plain; version=0.0.4");
            response.headers_mut().insert(CONTENT_TYPE, format);
            response
        }
        "/healthz" => text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" if *desk.shared.draining.borrow() => {
            text(StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned())
        }
        "/readyz" => text(StatusCode::OK, "ok\n".to_owned()),
        "/reads" => text(
            StatusCode::OK,
            format!("{}\n", desk.shared.reads.now().name()),
        ),
        _ => text(
            StatusCode::NOT_FOUND,
            "try /metrics, /healthz, /readyz or /reads\n".to_owned(),
        ),
    }
}

/// PUT /reads: the body is the new position.
async fn switch(request: Request<Incoming>, desk: &Desk) -> Response<Full<Bytes>> {
    let body = Limited::new(request.into_body(), BODY_LIMIT);
    let word = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let word = word.unwrap_or_default();
    let word = std::str::from_utf8(&word).unwrap_or_default().trim();
    match word.parse::<Reads>() {
        Ok(reads) => {
            desk.shared.switch_reads(reads);
            text(StatusCode::OK, format!("{}\n", reads.name()))
        }
        Err(choices) => text(StatusCode::BAD_REQUEST, format!("{choices}\n")),
    }
}

/// POST /reload: the warnings, or all faults, a line each.
async fn reload(desk: &Desk) -> Response<Full<Bytes>> {
    let lines = |lines: Vec<String>| lines.iter().map(|line| format!("{line}\n")).collect();
    match desk.operator.reload().await {
        Ok(warnings) => text(StatusCode::OK, lines(warnings)),
        Err(faults) => text(StatusCode::CONFLICT, lines(faults)),
    }
}

/// Whether a request brings along the login that is asked for.
fn may_ask<B>(request: &Request<B>, config: &Config) -> bool {
    let Some(login) = &config.login else {
        return true;
    };
    let given = request.headers().get(AUTHORIZATION);
    let given = given.and_then(|value| value.as_bytes().strip_prefix(b"Basic "));
    let wanted = Zeroizing::new(format!("{}:{}", login.user, login.password.expose()));
    // Digests, so that the time it takes tells nothing of the password.
    let digest = |bytes: &[u8]| Sha256::digest(bytes);
    given
        .and_then(base64::decode)
        .is_some_and(|given| digest(&given) == digest(wanted.as_bytes()))
}

fn may_act(config: &Config) -> bool {
    config.is_local || config.login.is_some()
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}
