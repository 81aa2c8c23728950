//! What is wrong with a connection string.

use std::error::Error as _;

use postgres::Config;
use postgres::config::Host;

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

/// Refuses a host that begins with the end of a password.
pub(super) fn check_hosts(config: &Config) -> Result<(), ServerError> {
    let split = |host: &Host| matches!(host, Host::Tcp(name) if name.contains(['@', ':', '/', '?', '#']) && !is_address(name));
    match config.get_hosts().iter().any(split) {
        true => Err(ServerError::Option(
            "a password or user with @, :, /, ? or # in a URL is written with %40, %3A, %2F, %3F or %23; or use PGPASSWORD"
                .to_owned(),
        )),
        false => Ok(()),
    }
}

fn is_address(host: &str) -> bool {
    host.trim_matches(['[', ']'])
        .parse::<std::net::IpAddr>()
        .is_ok()
}

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
    fn a_password_that_is_cut_at_its_at_sign_is_no_host() {
        for (dsn, holds) in [
            ("postgresql://me:my@s3cret@db/x", false),
            ("postgresql://me:s3cret/more@db.example/x", true),
            ("postgresql://me:s3cret%40@db.example/x", true),
            ("postgresql://me@[::1]:5432/x", true),
            ("host=::1", true),
            ("host=db.example,127.0.0.1", true),
            ("host=/run/postgresql", true),
        ] {
            let checked = match dsn.parse() {
                Ok(config) => check_hosts(&config),
                Err(error) => Err(explain(&error)),
            };
            assert_eq!(checked.is_ok(), holds, "{dsn}");
            let said = checked.err().map(|error| error.to_string());
            assert!(!said.unwrap_or_default().contains("s3cret"), "{dsn}");
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
