//! `reelfarm token`: who may do what at a farm.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use fs_err::os::unix::fs::OpenOptionsExt as _;
use reelfarm_api::{CreatedToken, Scope, TokenRequest, TokenStatus};
use reelfarm_model::{Code, Failure};
use reqwest::Method;

use crate::arguments::Json;
use crate::client::FarmArguments;
use crate::config::Project;
use crate::exit::Exit;
use crate::printer::Printer;

const SECONDS_A_DAY: u64 = 24 * 60 * 60;

/// `reelfarm token`.
#[derive(Debug, Args)]
pub struct Token {
    /// What to do.
    #[command(subcommand)]
    pub verb: TokenVerb,
}

/// The verbs of `reelfarm token`.
#[derive(Debug, Subcommand)]
pub enum TokenVerb {
    /// Make a token. The farm shows it this once.
    Create(Create),
    /// List every token there ever was.
    List(List),
    /// Revoke a token from this moment on.
    Revoke(Revoke),
}

/// `reelfarm token create`.
#[derive(Debug, Args)]
pub struct Create {
    /// What its owner may do: read-only, operator, reviewer or admin.
    #[arg(long, value_name = "SCOPE", value_parser = scope)]
    pub scope: Scope,
    /// Whose it is.
    #[arg(long, value_name = "NAME")]
    pub label: String,
    /// Days for which it is good [default: 90].
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=3650))]
    pub days: Option<u64>,
    /// Write it to this file, which only its owner may read, instead of to stdout.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub farm: FarmArguments,
    #[command(flatten)]
    pub json: Json,
}

/// `reelfarm token list`.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    pub farm: FarmArguments,
    #[command(flatten)]
    pub json: Json,
}

/// `reelfarm token revoke`.
#[derive(Debug, Args)]
pub struct Revoke {
    /// The token's digest, or a beginning of it that fits no other, as `reelfarm token list` shows it.
    #[arg(value_name = "TOKEN")]
    pub token: String,
    #[command(flatten)]
    pub farm: FarmArguments,
}

fn scope(name: &str) -> Result<Scope, String> {
    let names = || Scope::ALL.map(Scope::as_str).join(", ");
    Scope::ALL
        .into_iter()
        .find(|scope| scope.as_str() == name)
        .ok_or_else(|| format!("the scopes are {}", names()))
}

/// Makes, lists or revokes.
pub async fn run(verb: Token, printer: &Printer) -> Result<Exit, Failure> {
    match verb.verb {
        TokenVerb::Create(verb) => create(verb, printer).await,
        TokenVerb::List(verb) => list(verb, printer).await,
        TokenVerb::Revoke(verb) => revoke(verb, printer).await,
    }
}

async fn create(verb: Create, printer: &Printer) -> Result<Exit, Failure> {
    let client = verb.farm.require(&Project::load()?)?;
    // Made before the token is: a token whose secret cannot be written down is nobody's.
    let mut output = verb.output.as_deref().map(private_file).transpose()?;
    let request = TokenRequest {
        scope: verb.scope,
        label: verb.label,
        lifetime_seconds: verb.days.map(|days| days * SECONDS_A_DAY),
    };
    let created: Result<CreatedToken, Failure> = client.post(&["tokens"], &request).await;
    let created = match created {
        Ok(created) => created,
        Err(failure) => {
            if let Some(file) = &verb.output {
                drop(fs_err::remove_file(file));
            }
            return Err(failure);
        }
    };
    match &mut output {
        Some(file) => {
            let written = writeln!(file, "{}", created.secret).and_then(|()| file.sync_all());
            written.map_err(|error| Failure::new(Code::SettingsInvalid, error.to_string()))?;
            if verb.json.json {
                printer.json(&created.token);
            }
        }
        None if verb.json.json => printer.json(&created),
        None => printer.data(&created.secret),
    }
    printer.line(&format!(
        "token {} with the scope {}",
        created.token.token.short(),
        created.token.scope.as_str()
    ));
    Ok(Exit::Done)
}

/// A new file that only its owner may read.
fn private_file(path: &Path) -> Result<fs_err::File, Failure> {
    fs_err::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| Failure::new(Code::SettingsInvalid, format!("--output: {error}")))
}

async fn list(verb: List, printer: &Printer) -> Result<Exit, Failure> {
    let client = verb.farm.require(&Project::load()?)?;
    let tokens: Vec<TokenStatus> = client.get(&["tokens"], &()).await?;
    if verb.json.json {
        printer.json(&tokens);
        return Ok(Exit::Done);
    }
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let now_ms = i64::try_from(now_ms.as_millis()).unwrap_or(i64::MAX);
    for token in &tokens {
        let state = match (token.revoked_ms, token.expires_ms) {
            (Some(_), _) => "revoked".to_owned(),
            (None, Some(expires)) if expires <= now_ms => "expired".to_owned(),
            (None, Some(expires)) => {
                format!("{} days left", (expires - now_ms) / (SECONDS_A_DAY as i64 * 1000))
            }
            (None, None) => "for ever".to_owned(),
        };
        printer.data(&format!(
            "{}  {:<9} {state:<14} {}",
            token.token.short(),
            token.scope.as_str(),
            token.label
        ));
    }
    Ok(Exit::Done)
}

async fn revoke(verb: Revoke, printer: &Printer) -> Result<Exit, Failure> {
    let client = verb.farm.require(&Project::load()?)?;
    let tokens: Vec<TokenStatus> = client.get(&["tokens"], &()).await?;
    let fitting: Vec<_> = tokens
        .iter()
        .map(|token| token.token)
        .filter(|token| token.to_string().starts_with(&verb.token))
        .collect();
    let [token] = fitting.as_slice() else {
        let message = format!(
            "{:?} is the beginning of {} tokens; `reelfarm token list` shows all",
            verb.token,
            fitting.len()
        );
        return Err(Failure::new(Code::NotFound, message));
    };
    client.command(Method::DELETE, &["tokens", &token.to_string()]).await?;
    printer.line(&format!("token {} is revoked", token.short()));
    Ok(Exit::Done)
}
