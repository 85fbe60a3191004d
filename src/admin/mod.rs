//! What operators look at: the HTTP endpoint with metrics and health.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{Semaphore, watch};

use crate::net::{Endpoint, Listener};
use crate::routing::Reads;
use crate::session::ReadsSwitch;
use crate::telemetry::Metrics;

/// Where the HTTP endpoint listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// A loopback address, unless the operator says otherwise.
    pub address: Endpoint,
    /// Whether only this machine reaches it.
    pub is_local: bool,
}

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
    /// Shown.
    pub metrics: Arc<Metrics>,
    /// Becomes true when the process drains.
    pub draining: watch::Receiver<bool>,
    /// Shown and moved.
    pub reads: Arc<ReadsSwitch>,
    /// Whether who reaches the endpoint may also move what is there: only this machine can.
    pub may_switch: bool,
}

/// Serves `/metrics`, `/healthz` (the process works), `/readyz` (it takes clients) and the switch
/// `/reads` until the future is dropped.
pub async fn serve(listener: Arc<Listener>, desk: Desk) {
    let room = Arc::new(Semaphore::new(CONNECTION_LIMIT));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let stream = match listener
            .accept()
            .await
            .and_then(|(accepted, _)| accepted.register())
        {
            Ok(stream) => stream,
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
    match (request.method(), path.as_str()) {
        (&Method::PUT, "/reads") => return switch(request, desk).await,
        (&(Method::GET | Method::HEAD), _) => {}
        _ => {
            let allowed = "only GET is answered here, and PUT of /reads\n".to_owned();
            return text(StatusCode::METHOD_NOT_ALLOWED, allowed);
        }
    }
    match path.as_str() {
        "/metrics" => {
            let mut response = text(StatusCode::OK, desk.metrics.render());
            let format = hyper::header::HeaderValue::from_static("text/plain; version=0.0.4");
            response.headers_mut().insert(CONTENT_TYPE, format);
            response
        }
        "/healthz" => text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" if *desk.draining.borrow() => {
            text(StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned())
        }
        "/readyz" => text(StatusCode::OK, "ok\n".to_owned()),
        "/reads" => text(StatusCode::OK, format!("{}\n", desk.reads.now().name())),
        _ => text(
            StatusCode::NOT_FOUND,
            "try /metrics, /healthz, /readyz or /reads\n".to_owned(),
        ),
    }
}

/// PUT /reads: the body is the new position.
async fn switch(request: Request<Incoming>, desk: &Desk) -> Response<Full<Bytes>> {
    if !desk.may_switch {
        let why = "reads are switched over loopback or a unix socket only\n".to_owned();
        return text(StatusCode::FORBIDDEN, why);
    }
    let body = Limited::new(request.into_body(), BODY_LIMIT);
    let word = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let word = word.unwrap_or_default();
    let word = std::str::from_utf8(&word).unwrap_or_default().trim();
    match word.parse::<Reads>() {
        Ok(reads) => {
            let before = desk.reads.now();
            desk.reads.set(reads);
            desk.metrics
                .reads_split()
                .set(i64::from(reads == Reads::Split));
            tracing::warn!(
                from = before.name(),
                to = reads.name(),
                "reads were switched"
            );
            text(StatusCode::OK, format!("{}\n", reads.name()))
        }
        Err(choices) => text(StatusCode::BAD_REQUEST, format!("{choices}\n")),
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}
