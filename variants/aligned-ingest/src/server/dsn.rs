//! What is wrong with a connection string.

use std::error::Error as _;

use super::ServerError;

/// Options that libpq takes and this client does not. Only these are named in errors: any other word may be a piece of a
/// password that was not quoted.
const OF_OTHERS: [&str; 34] = [
    "client_encoding",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "keepalives_count",
    "krbsrvname",
    "max_protocol_version",
    "min_protocol_version",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_issuer",
    "oauth_scope",
    "passfile",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "scram_client_key",
    "scram_server_key",
    "service",
    "servicefile",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslkey",
    "sslkeylogfile",
    "sslpassword",
    "sslrootcert",
    "sslsni",
];

/// Says what to write instead, without repeating more of the string than the name of an option.
pub(super) fn explain(error: &postgres::Error) -> ServerError {
    let text = error.source().map(ToString::to_string);
    let text = text.unwrap_or_default();
    let Some(option) = text.split('`').nth(1) else {
        return ServerError::Dsn;
    };
    ServerError::Option(if text.starts_with("invalid value") {
        match option {
            "sslmode" => "sslmode is disable, prefer or require; instead of verify-ca and verify-full, which also ask \
                          who the server is, give its certificates by --tls-ca FILE"
                .into(),
            _ => format!("{option} has a value that it cannot have; correct it, or leave it out"),
        }
    } else if option == "sslrootcert" {
        "this client has no option sslrootcert; give the file by --tls-ca FILE".into()
    } else if OF_OTHERS.contains(&option) {
        format!("this client has no option {option}; leave it out")
    } else {
        return ServerError::Dsn;
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(dsn: &str) -> String {
        explain(&dsn.parse::<postgres::Config>().unwrap_err()).to_string()
    }

    #[test]
    fn options_of_other_clients_are_named() {
        for (dsn, said) in [
            ("host=x sslmode=verify-full sslrootcert=ca.pem", "--tls-ca"),
            ("host=x sslmode=allow", "sslmode is disable, prefer"),
            ("host=x sslrootcert=ca.pem", "no option sslrootcert"),
            ("postgresql://me@x:1/db?sslmode=verify-ca", "--tls-ca"),
            (
                "postgresql://me@x:1/db?sslcert=a",
                "no option sslcert; leave",
            ),
            ("host=x service=mine", "no option service; leave"),
            ("host=x port=many", "port has a value"),
            ("host=x connect_timeout=soon", "connect_timeout has a value"),
        ] {
            let error = explained(dsn);
            assert!(error.contains(said), "{dsn}: {error}");
        }
    }

    #[test]
    fn nothing_else_of_the_string_is_repeated() {
        for dsn in [
            "host=x password=my s3cret=",
            "host=x password=my s3cret=more",
            "host=x password='s3cret",
            "postgresql://me:s3cret@x/db?s3cret=1",
            "postgresql://me:s3cret@x:s3cret/db",
            "postgresql://me:s3cret@x/db?sslmode=s3cret",
            "s3cret",
        ] {
            let error = explained(dsn);
            assert!(!error.contains("s3cret"), "{dsn}: {error}");
        }
    }
}
