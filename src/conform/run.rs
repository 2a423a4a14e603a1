//! Runs checks: a fresh IOC for each client, which serves all of them.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::time::{Duration, Instant};

use super::check::{Check, Checks};
use super::conversation::{CALL, Lost, Worker};
use super::held::{Records, why_not_held};
use super::judged::{Answered, judged, without_proof};
use super::known::Known;
use super::matrix::{Column, Field, Matrix, Outcome, Page};
use super::sources::ACCESS_SECURITY;
use crate::ioc::{Database, Holds, IocError, Servers, Wanted};
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

/// A server that clients are asked with.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its name in the catalogue.
    pub name: String,
    /// The protocols that clients use with it.
    pub protocols: Vec<Protocol>,
    /// Which records it holds.
    pub holds: Holds,
}

/// A server that does not start, or fails in the middle of a check.
#[derive(Debug, thiserror::Error)]
#[error("the server {server} failed {at} for {approach}: {error}")]
pub struct ServerFailed {
    server: String,
    approach: String,
    /// Where: at its start, or in which check.
    at: String,
    error: Box<IocError>,
}

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

/// Runs `checks` with every candidate that speaks a protocol of `servers`, which `catalogue`
/// starts.
///
/// # Errors
/// When the user interrupts, or a server fails.
pub fn run(
    checks: &Checks,
    catalogue: &Servers,
    servers: &[Server],
    candidates: &[Candidate],
    known: &Known,
    mut report: impl FnMut(Reported<'_>),
) -> Result<Result<Matrix, Interrupted>, ServerFailed> {
    let mut matrix = Matrix::of(&checks.all);
    let records = Records::of(&checks.records);
    for server in servers {
        let name = &server.name;
        let mut page =
            Page { server: name.clone(), versions: BTreeMap::new(), columns: Vec::new() };
        let meant =
            |candidate: &&Candidate| server.protocols.contains(&candidate.approach.protocol);
        let meant: Vec<&Candidate> = candidates.iter().filter(meant).collect();
        for some in meant.chunks(AT_ONCE) {
            for candidate in some {
                report(Reported::Begins { approach: &candidate.approach.name, server: name });
            }
            let bench = |candidate| Bench {
                checks,
                records: &records,
                catalogue,
                server,
                candidate,
                known,
            };
            let benches = some.iter().copied().map(bench);
            for outcome in columns(benches) {
                let Some((column, versions)) = outcome? else { return Ok(Err(Interrupted)) };
                page.versions.extend(versions);
                page.columns.push(column);
            }
        }
        matrix.pages.push(page);
    }
    Ok(Ok(matrix))
}

/// A client's column, and versions of what is below its server.
type Asked = (Column, BTreeMap<String, String>);

/// All clients at once: they and their IOCs wait most of the time.
fn columns<'a>(
    benches: impl Iterator<Item = Bench<'a>>,
) -> Vec<Result<Option<Asked>, ServerFailed>> {
    std::thread::scope(|scope| {
        let begun: Vec<_> = benches.map(|bench| scope.spawn(move || bench.column())).collect();
        let ended = begun.into_iter().map(|thread| thread.join());
        ended.map(|column| column.unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

/// What came of one check.
enum Answer {
    /// It is not for the client's protocol.
    OfOther,
    /// This.
    Field(Field),
    /// The user interrupted.
    Interrupted,
}

/// One client against one server.
struct Bench<'a> {
    checks: &'a Checks,
    records: &'a Records,
    catalogue: &'a Servers,
    server: &'a Server,
    candidate: &'a Candidate,
    known: &'a Known,
}

impl Bench<'_> {
    /// The client's column; none when interrupted.
    fn column(&self) -> Result<Option<Asked>, ServerFailed> {
        let approach = &self.candidate.approach;
        let command = match &self.candidate.command {
            Ok(command) => command,
            Err(missing) => {
                return Ok(Some((self.not_asked(missing.to_string()), BTreeMap::new())));
            }
        };
        let at_start = |error| self.failed("at its start".to_owned(), error);
        let folder = tempfile::tempdir().map_err(files).map_err(at_start)?;
        let mut ioc = self.ioc(folder.path()).map_err(at_start)?;
        let of_server = ioc.versions();
        let command = command.clone().environment(ioc.client_environment());
        let mut client = Client { command, worker: None, lost: 0 };
        match client.worker() {
            Ok(worker) if !worker.is_asked() => {
                return Ok(Some((self.not_asked("not asked yet".to_owned()), of_server)));
            }
            Ok(_) => {}
            Err(Lost::Interrupted) => return Ok(None),
            Err(Lost::Worker(_, why)) => return Ok(Some((self.not_asked(why), of_server))),
        }
        let versions = client.versions();
        let mut fields = Vec::new();
        for check in &self.checks.all {
            if interrupted() {
                return Ok(None);
            }
            let field = self.field(check, &mut client, ioc.as_mut());
            match field.map_err(|error| self.failed(format!("in {}", check.id), error))? {
                Answer::OfOther => fields.push(None),
                Answer::Field(mut field) => {
                    let (name, server) = (&approach.name, &self.server.name);
                    self.known.note(&check.id, name, server, &versions, &mut field);
                    fields.push(Some(field));
                }
                Answer::Interrupted => return Ok(None),
            }
        }
        let name = approach.name.clone();
        Ok(Some((Column { approach: name, versions, not_asked: None, fields }, of_server)))
    }

    fn field(
        &self,
        check: &Check,
        client: &mut Client,
        ioc: &mut dyn crate::ioc::Server,
    ) -> Result<Answer, IocError> {
        let protocol = self.candidate.approach.protocol;
        if !check.protocols.contains(&protocol) {
            return Ok(Answer::OfOther);
        }
        if let Some(got) = why_not_held(check, protocol, self.records, &self.server.holds) {
            return Ok(Answer::Field(Field::not_held(got)));
        }
        Ok(client.field(check, protocol, ioc)?.map_or(Answer::Interrupted, Answer::Field))
    }

    fn failed(&self, at: String, error: IocError) -> ServerFailed {
        ServerFailed {
            server: self.server.name.clone(),
            approach: self.candidate.approach.name.clone(),
            at,
            error: Box::new(error),
        }
    }

    fn ioc(&self, folder: &std::path::Path) -> Result<Box<dyn crate::ioc::Server>, IocError> {
        let access_rules = folder.join("access.acf");
        std::fs::write(&access_rules, ACCESS_SECURITY).map_err(files)?;
        let text = self.checks.records.clone();
        let database = Some(Database { text, access_rules });
        self.catalogue.start(&self.server.name, &Wanted { database, ..Wanted::default() })
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

    /// Runs one check, after the permitted call of one that must fail; none when interrupted.
    fn field(
        &mut self,
        check: &Check,
        protocol: Protocol,
        ioc: &mut dyn crate::ioc::Server,
    ) -> Result<Option<Field>, IocError> {
        if let Some(permitted) = check.permitted() {
            let Some(field) = self.asked(&permitted, protocol, ioc)? else { return Ok(None) };
            if field.outcome != Outcome::Pass {
                return Ok(Some(without_proof(check, protocol, &field)));
            }
        }
        self.asked(check, protocol, ioc)
    }

    /// Asks one question; none when interrupted.
    fn asked(
        &mut self,
        check: &Check,
        protocol: Protocol,
        ioc: &mut dyn crate::ioc::Server,
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
        if matches!(reply, Reply::Error(_) | Reply::Unanswered(_)) {
            self.worker = None;
        }
        let stored = stored(check, ioc)?;
        Ok(Some(judged(check, protocol, &Answered { reply, stored })))
    }

    fn reply(
        &mut self,
        check: &Check,
        protocol: Protocol,
        ioc: &mut dyn crate::ioc::Server,
    ) -> Result<Result<Reply, Lost>, IocError> {
        if self.lost > MOST_LOST {
            let why = format!("given up after {MOST_LOST} crashes or hangs");
            return Ok(Err(Lost::Worker(Outcome::Crash, why)));
        }
        let ask = check.ask(protocol);
        let begun = Instant::now();
        let first = match self.worker().and_then(|worker| worker.ask(ask.clone())) {
            Ok(Reply::Error(error)) if begun.elapsed() >= CALL => Reply::Unanswered(error),
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
fn stored(
    check: &Check,
    ioc: &mut dyn crate::ioc::Server,
) -> Result<BTreeMap<String, String>, IocError> {
    let mut stored = BTreeMap::new();
    for field in check.stored.keys() {
        let answer = ioc.command(&format!("dbgf \"{field}\""))?;
        let value = answer.split_once(':').map_or(answer.as_str(), |(_, value)| value);
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        stored.insert(field.clone(), value);
    }
    Ok(stored)
}
