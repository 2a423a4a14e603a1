//! Runs checks: a fresh IOC for each client, which serves all of them.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::time::Duration;

use super::check::{Check, Checks};
use super::conversation::{Lost, Worker};
use super::judged::{Answered, judged};
use super::known::Known;
use super::matrix::{Column, Field, Matrix, Outcome, Page};
use super::sources::ACCESS_SECURITY;
use crate::ioc::{IocError, SoftIoc};
use crate::measure::Candidate;
use crate::process::interrupted;
use crate::protocol::Protocol;
use crate::worker_protocol::{Ask, Call, Fields, Reply};

/// How many clients are asked at once.
const AT_ONCE: usize = 8;
/// Between two commands while a subscription runs: a queue of four updates must not fill.
const BETWEEN: Duration = Duration::from_millis(20);
/// How long updates are awaited after the last command.
const LAST_UPDATES_S: f64 = 0.3;
/// After so many lost workers a client is given up: each may cost its whole deadline.
const MOST_LOST: usize = 8;

/// The user interrupted.
#[derive(Debug)]
pub struct Interrupted;

/// What is reported while it runs.
#[derive(Debug)]
pub enum Reported<'a> {
    /// A client begins with a server.
    Begins {
        /// The client.
        approach: &'a str,
        /// The server.
        server: &'a str,
    },
}

/// Runs `checks` with every candidate that speaks a protocol of these servers. `servers` are
/// names and the protocols that clients use with each.
///
/// # Errors
/// When the user interrupts, or an IOC does not start.
pub fn run(
    checks: &Checks,
    servers: &[(String, Vec<Protocol>)],
    candidates: &[Candidate],
    known: &Known,
    mut report: impl FnMut(Reported<'_>),
) -> Result<Result<Matrix, Interrupted>, IocError> {
    let mut matrix = Matrix::of(&checks.all);
    for (server, protocols) in servers {
        let mut page = Page { server: server.clone(), base: None, columns: Vec::new() };
        let meant = |candidate: &&Candidate| protocols.contains(&candidate.approach.protocol);
        let meant: Vec<&Candidate> = candidates.iter().filter(meant).collect();
        for some in meant.chunks(AT_ONCE) {
            for candidate in some {
                report(Reported::Begins { approach: &candidate.approach.name, server });
            }
            let benches = some.iter().map(|candidate| Bench { checks, server, candidate, known });
            for outcome in columns(benches) {
                let Some((column, base)) = outcome? else { return Ok(Err(Interrupted)) };
                page.base = page.base.or(base);
                page.columns.push(column);
            }
        }
        matrix.pages.push(page);
    }
    Ok(Ok(matrix))
}

/// All clients at once: they and their IOCs wait most of the time.
fn columns<'a>(
    benches: impl Iterator<Item = Bench<'a>>,
) -> Vec<Result<Option<(Column, Option<String>)>, IocError>> {
    std::thread::scope(|scope| {
        let begun: Vec<_> = benches.map(|bench| scope.spawn(move || bench.column())).collect();
        let ended = begun.into_iter().map(|thread| thread.join());
        ended.map(|column| column.unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

/// One client against one server.
struct Bench<'a> {
    checks: &'a Checks,
    server: &'a str,
    candidate: &'a Candidate,
    known: &'a Known,
}

impl Bench<'_> {
    /// The client's column and the Base of its IOC; none when interrupted.
    fn column(&self) -> Result<Option<(Column, Option<String>)>, IocError> {
        let approach = &self.candidate.approach;
        let protocol = approach.protocol;
        let command = match &self.candidate.command {
            Ok(command) => command,
            Err(missing) => return Ok(Some((self.not_asked(missing.to_string()), None))),
        };
        let folder = tempfile::tempdir().map_err(files)?;
        let mut ioc = self.ioc(folder.path())?;
        let base = ioc.base().map(str::to_owned);
        let command = command.clone().environment(ioc.client_environment());
        let mut client = Client { command, worker: None, lost: 0 };
        match client.worker() {
            Ok(worker) if !worker.is_asked() => {
                return Ok(Some((self.not_asked("not asked yet".to_owned()), base)));
            }
            Ok(_) => {}
            Err(Lost::Interrupted) => return Ok(None),
            Err(Lost::Worker(_, why)) => return Ok(Some((self.not_asked(why), base))),
        }
        let versions = client.versions();
        let mut fields = Vec::new();
        for check in &self.checks.all {
            if interrupted() {
                return Ok(None);
            }
            if !check.protocols.contains(&protocol) {
                fields.push(None);
                continue;
            }
            let Some(mut field) = client.field(check, protocol, &mut ioc)? else { return Ok(None) };
            self.known.note(&check.id, &approach.name, &versions, &mut field);
            fields.push(Some(field));
        }
        let name = approach.name.clone();
        Ok(Some((Column { approach: name, versions, not_asked: None, fields }, base)))
    }

    fn ioc(&self, folder: &std::path::Path) -> Result<SoftIoc, IocError> {
        let rules = folder.join("access.acf");
        std::fs::write(&rules, ACCESS_SECURITY).map_err(files)?;
        let builder = SoftIoc::builder().db(&self.checks.records, &[]).access_security(rules, "");
        match self.server {
            "softioc-pva" => builder.pv_access().start(),
            _ => builder.start(),
        }
    }

    /// A client without answers.
    fn not_asked(&self, reason: String) -> Column {
        let protocol = self.candidate.approach.protocol;
        let field = |check: &Check| {
            check.protocols.contains(&protocol).then(|| Field {
                outcome: Outcome::Unable,
                expected: String::new(),
                got: reason.clone(),
                known: None,
            })
        };
        Column {
            approach: self.candidate.approach.name.clone(),
            versions: BTreeMap::new(),
            fields: self.checks.all.iter().map(field).collect(),
            not_asked: Some(reason),
        }
    }
}

fn files(source: std::io::Error) -> IocError {
    IocError::Files { action: "write the rules of access security".to_owned(), source }
}

/// A client whose worker is started again when it is lost.
struct Client {
    command: crate::process::Command,
    worker: Option<Worker>,
    lost: usize,
}

impl Client {
    fn worker(&mut self) -> Result<&mut Worker, Lost> {
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None => Worker::start(&self.command)?,
        };
        Ok(self.worker.insert(worker))
    }

    fn versions(&self) -> BTreeMap<String, String> {
        self.worker.as_ref().map(|worker| worker.hello.versions.clone()).unwrap_or_default()
    }

    /// Runs one check; none when interrupted.
    fn field(
        &mut self,
        check: &Check,
        protocol: Protocol,
        ioc: &mut SoftIoc,
    ) -> Result<Option<Field>, IocError> {
        for command in &check.before {
            ioc.command(command)?;
        }
        let reply = match self.reply(check, protocol, ioc)? {
            Ok(reply) => reply,
            Err(Lost::Interrupted) => return Ok(None),
            Err(Lost::Worker(outcome, why)) => {
                self.worker = None;
                self.lost += 1;
                let unasked = Answered { reply: Reply::Error(why), stored: BTreeMap::new() };
                let field = judged(check, protocol, &unasked);
                return Ok(Some(Field { outcome, ..field }));
            }
        };
        // An error may leave a library broken for good; the next check begins with a new one.
        if matches!(reply, Reply::Error(_)) {
            self.worker = None;
        }
        let stored = stored(check, ioc)?;
        Ok(Some(judged(check, protocol, &Answered { reply, stored })))
    }

    fn reply(
        &mut self,
        check: &Check,
        protocol: Protocol,
        ioc: &mut SoftIoc,
    ) -> Result<Result<Reply, Lost>, IocError> {
        if self.lost > MOST_LOST {
            let why = format!("given up after {MOST_LOST} crashes or hangs");
            return Ok(Err(Lost::Worker(Outcome::Crash, why)));
        }
        let ask = check.ask(protocol);
        let first = match self.worker().and_then(|worker| worker.ask(ask.clone())) {
            Ok(reply) => reply,
            Err(lost) => return Ok(Err(lost)),
        };
        if check.call != Call::Monitor || first != Reply::Fields(Fields::new()) {
            return Ok(Ok(first));
        }
        for command in &check.during {
            ioc.command(command)?;
            std::thread::sleep(BETWEEN);
        }
        let updates = Ask { call: Call::Updates, seconds: Some(LAST_UPDATES_S), ..ask };
        Ok(self.worker().and_then(|worker| worker.ask(updates)))
    }
}

/// What `dbgf` shows of the fields that the check names: the text after the type.
fn stored(check: &Check, ioc: &mut SoftIoc) -> Result<BTreeMap<String, String>, IocError> {
    let mut stored = BTreeMap::new();
    for field in check.stored.keys() {
        let answer = ioc.command(&format!("dbgf \"{field}\""))?;
        let value = answer.split_once(':').map_or(answer.as_str(), |(_, value)| value);
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        stored.insert(field.clone(), value);
    }
    Ok(stored)
}
