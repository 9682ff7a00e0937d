//! TLS against a server with a certificate of its own authority.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use claviger_provider::client::{Call, ClientError, ClientSettings};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::provider::{client_with, impatient};

/// A server whose certificate is for `name`; its address and the authority that signed it.
async fn serve(name: &str) -> (String, CertificateDer<'static>) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&authority_key).unwrap().der().clone();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()])
        .unwrap()
        .signed_by(&key, &Issuer::new(authority, authority_key))
        .unwrap();

    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut buffer = [0; 4096];
            let _length = stream.read(&mut buffer).await;
            let _sent = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecure").await;
        }
    });
    (address, root)
}

fn settings(extra_roots: Vec<CertificateDer<'static>>) -> ClientSettings {
    ClientSettings { allow_private: vec!["127.0.0.1".to_owned()], extra_roots, ..impatient() }
}

#[tokio::test]
async fn a_trusted_authority_opens_the_way_and_an_unknown_one_does_not() {
    let (address, root) = serve("127.0.0.1").await;
    let response = client_with(settings(vec![root])).send(Call::get(&address)).await.unwrap();
    assert_eq!(response.body.as_ref(), b"secure");

    let Err(error) = client_with(settings(Vec::new())).send(Call::get(&address)).await else {
        panic!("answered")
    };
    assert!(matches!(error, ClientError::Connect { .. }), "{error:?}");
    assert!(error.is_certainly_not_sent());
}

#[tokio::test]
async fn a_gate_is_asked_when_tls_is_done() {
    let (address, root) = serve("127.0.0.1").await;
    let asked = AtomicUsize::new(0);
    let gate = || {
        asked.fetch_add(1, Ordering::SeqCst);
        false
    };
    let send = async |roots| match client_with(settings(roots)).send(Call::get(&address).gate(&gate)).await {
        Ok(response) => panic!("answered {}", response.status),
        Err(error) => error,
    };
    assert!(matches!(send(Vec::new()).await, ClientError::Connect { .. }));
    assert_eq!(asked.load(Ordering::SeqCst), 0, "the handshake failed");
    assert!(matches!(send(vec![root]).await, ClientError::Withheld { .. }));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (address, root) = serve("127.0.0.2").await;
    let Err(error) = client_with(settings(vec![root])).send(Call::get(&address)).await else {
        panic!("answered")
    };
    assert!(matches!(error, ClientError::Connect { .. }), "{error:?}");
}
