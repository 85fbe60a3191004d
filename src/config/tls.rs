//! `[tls]`, and the TLS of each `[[backend]]`.

use std::path::PathBuf;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::fault::Faults;
use super::files::{self, Content, Surroundings};
use super::schema::{self, Key, keys};
use super::table::{Document, Table};
use super::value::{self, Mistake};
use crate::net::{
    BackendTls, ClientCertificates, Endpoint, TlsConfig, TlsMode, TlsRules, TlsVersion,
};

/// `[tls]`, and whether the files that it names can be used.
pub(super) fn front(
    document: &Document<'_>,
    around: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> Option<(TlsConfig, TlsRules)> {
    let table = document.table(&schema::TLS);
    let mode = table.read(&keys::TLS_MODE, value::word, faults)?.value;
    let rules = rules(&table, around, mode, faults);
    if mode == "files" {
        let cert = needed(&table, &keys::TLS_CERT, around, has_certificate, faults);
        let key = needed(&table, &keys::TLS_KEY, around, has_key, faults);
        let files = TlsConfig::Files {
            cert: cert?,
            key: key?,
        };
        return Some((files, rules?));
    }
    let remove = format!("has no effect under mode = \"{mode}\"");
    for key in [&keys::TLS_CERT, &keys::TLS_KEY] {
        if table.has(key) {
            let right = "set mode = \"files\", or remove it";
            faults.fault(&table.place(key), &remove, right);
        }
    }
    let config = match mode {
        "off" => TlsConfig::Off,
        _ => TlsConfig::SelfSigned,
    };
    Some((config, rules?))
}

fn rules(
    table: &Table<'_>,
    around: &Surroundings<'_>,
    mode: &str,
    faults: &mut Faults<'_>,
) -> Option<TlsRules> {
    let version = table.read(&keys::TLS_MIN_VERSION, value::word, faults);
    let shown = table.read(&keys::TLS_CLIENT_CERT, value::word, faults);
    let required = table.read(&keys::TLS_REQUIRED, value::flag, faults)?.value;
    let shown = shown?.value;
    if mode == "off" && (required || shown != "off") {
        let key = match required {
            true => &keys::TLS_REQUIRED,
            false => &keys::TLS_CLIENT_CERT,
        };
        let wrong = "can't be had under mode = \"off\"";
        faults.fault(
            &table.place(key),
            wrong,
            "set mode = \"self-signed\" or \"files\"",
        );
    }
    if shown == "required" && !required {
        faults.warn(
            &table.place(&keys::TLS_CLIENT_CERT),
            "does not bind clients that use no TLS at all",
            "set [tls] required = true as well",
        );
    }
    let client_certificates = match shown {
        "off" if table.has(&keys::TLS_CLIENT_CA) => {
            let right = "set client_cert = \"optional\" or \"required\", or remove it";
            let place = table.place(&keys::TLS_CLIENT_CA);
            faults.fault(&place, "has no effect under client_cert = \"off\"", right);
            None
        }
        "off" => None,
        _ => Some(ClientCertificates {
            ca: needed(table, &keys::TLS_CLIENT_CA, around, has_certificate, faults)?,
            required: shown == "required",
        }),
    };
    Some(TlsRules {
        min_version: match version?.value {
            "1.3" => TlsVersion::Tls13,
            _ => TlsVersion::Tls12,
        },
        client_certificates,
    })
}

/// How one backend is reached.
pub(super) fn backend(
    table: &Table<'_>,
    address: Option<&Endpoint>,
    around: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> Option<BackendTls> {
    let mode = match table.read(&keys::BACKEND_TLS, value::word, faults)?.value {
        "preferred" => TlsMode::Preferred,
        "required" => TlsMode::Required,
        "verify-ca" => TlsMode::VerifyCa,
        "verify-identity" => TlsMode::VerifyIdentity,
        _ => TlsMode::Disabled,
    };
    let (ca, cert, key) = (
        &keys::BACKEND_TLS_CA,
        &keys::BACKEND_TLS_CERT,
        &keys::BACKEND_TLS_KEY,
    );
    if mode != TlsMode::Disabled && matches!(address, Some(Endpoint::Unix(_))) {
        let right = "remove it: nobody else can listen on a unix socket";
        faults.fault(
            &table.place(&keys::BACKEND_TLS),
            "has no effect on a unix socket",
            right,
        );
    }
    let verifies = matches!(mode, TlsMode::VerifyCa | TlsMode::VerifyIdentity);
    if table.has(ca) && !verifies {
        let right = "set tls = \"verify-ca\" or \"verify-identity\", or remove it";
        faults.fault(
            &table.place(ca),
            "has no effect, since nothing is verified",
            right,
        );
    }
    for key in [cert, key] {
        if table.has(key) && mode == TlsMode::Disabled {
            let right = "set tls to another mode, or remove it";
            faults.fault(
                &table.place(key),
                "has no effect under tls = \"disabled\"",
                right,
            );
        }
    }
    let roots = match verifies {
        true => Some(needed(table, ca, around, has_certificate, faults)?),
        false => None,
    };
    let identity = match table.has(cert) || table.has(key) {
        true => {
            let cert = needed(table, cert, around, has_certificate, faults);
            let key = needed(table, key, around, has_key, faults);
            Some((cert?, key?))
        }
        false => None,
    };
    Some(BackendTls {
        mode,
        ca: roots,
        identity,
    })
}

type Check = fn(&Content) -> Result<Option<&'static str>, &'static str>;

/// The path in `key`, which has to be there, once `check` has found what it looks for in that
/// file.
fn needed(
    table: &Table<'_>,
    key: &'static Key,
    around: &Surroundings<'_>,
    check: Check,
    faults: &mut Faults<'_>,
) -> Option<PathBuf> {
    if !table.has(key) {
        let right = format!(
            "write {} = {}, for example",
            key.name,
            key.presence.literal()
        );
        faults.fault(&table.place(key), "is missing beside the others", right);
        return None;
    }
    let written = table.read(key, value::path, faults)?;
    let path = around.resolve(&written.value);
    let content = match files::read_named(&path) {
        Ok(content) => content,
        Err(Mistake { wrong, right }) => {
            faults.fault(&written.place, wrong, right);
            return None;
        }
    };
    match check(&content) {
        Ok(None) => {}
        Ok(Some(warning)) => {
            let wrong = format!("{} {warning}", path.display());
            let right = "take that permission away (chmod o-r)";
            faults.warn(&written.place, wrong, right);
        }
        Err(lacks) => {
            let wrong = format!("{} holds no {lacks}", path.display());
            let right = format!("give a PEM file with a {lacks}");
            faults.fault(&written.place, wrong, right);
        }
    }
    Some(path)
}

fn has_certificate(content: &Content) -> Result<Option<&'static str>, &'static str> {
    let mut certificates = CertificateDer::pem_slice_iter(content.text.as_bytes()).peekable();
    match certificates.peek().is_some() && certificates.all(|certificate| certificate.is_ok()) {
        true => Ok(None),
        false => Err("certificate"),
    }
}

fn has_key(content: &Content) -> Result<Option<&'static str>, &'static str> {
    match PrivateKeyDer::from_pem_slice(content.text.as_bytes()) {
        Ok(_) => Ok(content.shared.then_some("can be read by everyone")),
        Err(_) => Err("private key"),
    }
}
