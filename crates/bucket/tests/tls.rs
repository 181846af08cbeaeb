//! The bucket behind TLS. Which authorities the machine trusts stands in the environment, so each try is a
//! process of its own: this test, started again.

use std::process::Command;
use std::time::Duration;

use bucket::{Bucket, Place};
use s3_server::Server;

/// Where the child finds the store.
const ENDPOINT: &str = "BUCKET_TEST_ENDPOINT";

fn place(endpoint: String) -> Place {
    Place {
        endpoint,
        bucket: "calls".into(),
        region: "us-east-1".into(),
        prefix: String::new(),
        access_key: "AK".into(),
        secret: "secret".into(),
        plain_http: false,
        part_bytes: 5 << 20,
        timeout: Duration::from_secs(5),
    }
}

#[test]
fn a_store_is_believed_if_the_machine_trusts_its_authority_and_not_otherwise() {
    if let Ok(endpoint) = std::env::var(ENDPOINT) {
        let put = Bucket::open(&place(endpoint)).unwrap().put("a.json", b"{}");
        put.unwrap_or_else(|error| panic!("{error}"));
        return;
    }
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = made.signing_key.serialize_der();
    let certificate = made.cert.der().to_vec();
    let server = Server::start_tls("calls", ("AK", "secret"), (certificate, key)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let name = "a_store_is_believed_if_the_machine_trusts_its_authority_and_not_otherwise";
    for (trusted, good) in [(&other, false), (&made, true)] {
        let roots = dir.path().join("roots.pem");
        std::fs::write(&roots, trusted.cert.pem()).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(ENDPOINT, server.endpoint())
            .env("SSL_CERT_FILE", &roots)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stderr).into_owned();
        assert_eq!(child.status.success(), good, "{said}");
        assert_eq!(server.object("a.json").is_some(), good);
        assert!(good || said.contains("certificate"), "{said}");
    }
}
