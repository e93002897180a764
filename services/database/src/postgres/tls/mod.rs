//! TLS below tokio-postgres, by rustls.
//!
//! A file of its own instead of tokio-postgres-rustls, which brings a second generation of the crates that read
//! certificates; what is needed of them here is one object identifier.

mod binding;
mod verify;

use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::ssl::{Mode, Ssl};
use verify::{Check, Verifier};

/// What servers from version 17 on, and what stands before them, know the protocol by.
const PROTOCOL: &[u8] = b"postgresql";

/// Makes TLS sessions as `sslmode` asks for. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tls(TlsConnector);

impl Tls {
    /// Reads the roots; the error says which file is not as it should be.
    pub(crate) fn new(ssl: &Ssl) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let check = match (ssl.mode, &ssl.roots) {
            (Mode::VerifyFull, Some(path)) => Check::ChainAndName(roots(path)?),
            (Mode::Require | Mode::VerifyCa, Some(path)) => Check::Chain(roots(path)?),
            _ => Check::Nothing,
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier::new(check, algorithms)))
            .with_no_client_auth();
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }
}

fn roots(path: &Path) -> Result<RootCertStore, String> {
    let shown = path.display();
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = certificates.map_err(|error| format!("can't read sslrootcert={shown}: {error}"))?;
    let mut store = RootCertStore::empty();
    for certificate in certificates {
        store.add(certificate).map_err(|error| format!("sslrootcert={shown}: {error}"))?;
    }
    if store.is_empty() {
        return Err(format!("sslrootcert={shown} holds no certificate"));
    }
    Ok(store)
}

/// A TLS session could not be made.
#[derive(Debug)]
pub(crate) struct Failed(io::Error);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rustls = self.0.get_ref().and_then(|error| error.downcast_ref());
        if let Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) = rustls {
            return f.write_str("no authority of sslrootcert has signed the server's certificate");
        }
        self.0.fmt(f)
    }
}

impl std::error::Error for Failed {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Tls {
    type Stream = Stream<S>;
    type TlsConnect = Connect;
    type Error = Failed;

    fn make_tls_connect(&mut self, host: &str) -> Result<Connect, Failed> {
        // Without TLS the name is not needed, and may be none: of a socket's file.
        Ok(Connect { connector: self.0.clone(), host: host.to_owned() })
    }
}

/// For one connection.
pub(crate) struct Connect {
    connector: TlsConnector,
    host: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Connect {
    type Stream = Stream<S>;
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<Stream<S>, Failed>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let invalid = |error| Failed(io::Error::new(io::ErrorKind::InvalidInput, error));
            let name = ServerName::try_from(self.host).map_err(invalid)?;
            self.connector.connect(name, stream).await.map(Stream).map_err(Failed)
        })
    }
}

/// An encrypted connection.
pub(crate) struct Stream<S>(TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> tokio_postgres::tls::TlsStream for Stream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        let certificate = self.0.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let digest = certificate.and_then(|certificate| binding::digest(certificate));
        digest.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
