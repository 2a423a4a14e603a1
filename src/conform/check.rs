//! Checks as their files hold them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::expected::Expected;
use super::sources::CHECKS;
use crate::protocol::Protocol;
use crate::worker_protocol::{Ask, Call, Detail, Form};

/// Fields that need the metadata of a PV.
const METADATA: &[&str] = &[
    "units",
    "precision",
    "description",
    "choices",
    "display_low",
    "display_high",
    "alarm_low",
    "alarm_high",
    "warning_low",
    "warning_high",
    "control_low",
    "control_high",
];

/// A file of checks that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct CheckError {
    /// The file.
    pub file: String,
    /// What is wrong.
    pub reason: String,
}

/// All checks, with the records that they need.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    /// In the order of the files.
    pub all: Vec<Check>,
    /// The text of the database.
    pub records: String,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Its name, which no other check has.
    pub id: String,
    /// The group of its file.
    #[serde(skip)]
    pub group: String,
    /// The protocols that it is for.
    #[serde(default = "both")]
    pub protocols: Vec<Protocol>,
    /// Commands for the IOC's shell before the client is asked.
    #[serde(default)]
    pub before: Vec<String>,
    /// The PV that is asked for.
    pub pv: String,
    /// The call.
    #[serde(default = "get")]
    pub call: Call,
    /// The form of the value.
    #[serde(default)]
    pub form: Form,
    /// How many elements are asked for.
    #[serde(default)]
    pub count: Option<u32>,
    /// The events of a subscription.
    #[serde(default)]
    pub mask: Option<Vec<String>>,
    /// The request over pvAccess.
    #[serde(default)]
    pub request: Option<String>,
    /// What is written.
    #[serde(default)]
    pub put: Option<Expected>,
    /// Commands for the IOC's shell while a subscription runs.
    #[serde(default)]
    pub during: Vec<String>,
    /// What is to come back, by field.
    #[serde(default)]
    pub expect: BTreeMap<String, Expected>,
    /// The same over Channel Access alone; it comes over `expect`.
    #[serde(default)]
    pub expect_ca: BTreeMap<String, Expected>,
    /// The same over pvAccess alone.
    #[serde(default)]
    pub expect_pva: BTreeMap<String, Expected>,
    /// The updates of a subscription, the first one included.
    #[serde(default)]
    pub updates: Option<Vec<BTreeMap<String, Expected>>>,
    /// The same over pvAccess, where they differ.
    #[serde(default)]
    pub updates_pva: Option<Vec<BTreeMap<String, Expected>>>,
    /// Whether the library must report that the server refused. A timeout is no refusal.
    #[serde(default)]
    pub refused: bool,
    /// Whether there is no such PV: the library must report an error, which may be a timeout.
    #[serde(default)]
    pub absent: bool,
    /// The same call where it is permitted: only a client that succeeds there shows by an error
    /// that it was refused.
    #[serde(default)]
    pub permitted: Option<Permitted>,
    /// What the IOC itself holds afterwards: the field and what `dbgf` shows of it.
    #[serde(default)]
    pub stored: BTreeMap<String, String>,
    /// What decides the right answer.
    pub source: String,
}

/// What a call that is refused is compared with: the same call of the same client to a record
/// of the same kind, or to the same one, which succeeds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permitted {
    /// The PV.
    pub pv: String,
    /// Commands for the IOC's shell before it.
    #[serde(default)]
    pub before: Vec<String>,
    /// What is written; what the check writes when absent.
    #[serde(default)]
    pub put: Option<Expected>,
    /// What the IOC holds after a put.
    #[serde(default)]
    pub stored: BTreeMap<String, String>,
    /// What comes back from a get.
    #[serde(default)]
    pub expect: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckFile {
    group: String,
    records: String,
    check: Vec<Check>,
}

fn both() -> Vec<Protocol> {
    vec![Protocol::Ca, Protocol::Pva]
}

fn get() -> Call {
    Call::Get
}

impl Checks {
    /// The checks of this build.
    ///
    /// # Errors
    /// The file and what is wrong with it.
    pub fn built_in() -> Result<Checks, CheckError> {
        let mut checks = Checks::default();
        for (file, text) in CHECKS {
            checks.add(file, text)?;
        }
        Ok(checks)
    }

    /// Adds the checks of a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), CheckError> {
        let wrong = |reason: String| CheckError { file: file.to_owned(), reason };
        let read: CheckFile = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let mut known: BTreeSet<String> = self.all.iter().map(|check| check.id.clone()).collect();
        for check in read.check {
            check.verify().map_err(|reason| wrong(format!("{}: {reason}", check.id)))?;
            if !known.insert(check.id.clone()) {
                return Err(wrong(format!("there are two checks `{}`", check.id)));
            }
            self.all.push(Check { group: read.group.clone(), ..check });
        }
        self.records += &read.records;
        self.records.push('\n');
        Ok(())
    }
}

impl Check {
    fn verify(&self) -> Result<(), String> {
        if self.must_fail() != self.permitted.is_some() {
            return Err("`refused` and `absent` need `permitted`, the same call where it \
                        succeeds; nothing else does"
                .into());
        }
        if let Some(permitted) = self.permitted() {
            permitted.verify().map_err(|reason| format!("`permitted`: {reason}"))?;
        }
        let is_right = match self.call {
            Call::Get => {
                self.must_fail()
                    || !self.expect.is_empty()
                    || !self.expect_ca.is_empty()
                    || !self.expect_pva.is_empty()
            }
            Call::Put => self.put.is_some() && !self.stored.is_empty(),
            Call::Monitor => self.updates.is_some(),
            Call::Updates => false,
        };
        match is_right {
            true => Ok(()),
            false => {
                Err("a get needs `expect`, a put `put` and `stored`, a monitor `updates`".into())
            }
        }
    }

    /// Whether the library must report an error.
    pub fn must_fail(&self) -> bool {
        self.refused || self.absent
    }

    /// The check that a client has to pass first, in the same worker, where it must fail in
    /// this one.
    pub fn permitted(&self) -> Option<Check> {
        let Permitted { pv, before, put, stored, expect } = self.permitted.clone()?;
        Some(Check {
            pv,
            before,
            put: put.or_else(|| self.put.clone()),
            stored,
            expect,
            refused: false,
            absent: false,
            permitted: None,
            ..self.clone()
        })
    }

    /// What is to come back over a protocol, by field.
    pub fn expected(&self, protocol: Protocol) -> BTreeMap<String, Expected> {
        let mut expected = self.expect.clone();
        expected.extend(match protocol {
            Protocol::Ca => self.expect_ca.clone(),
            Protocol::Pva => self.expect_pva.clone(),
        });
        expected
    }

    /// The updates that are to come over a protocol.
    pub fn expected_updates(&self, protocol: Protocol) -> &[BTreeMap<String, Expected>] {
        let of_protocol = match protocol {
            Protocol::Pva => self.updates_pva.as_ref(),
            Protocol::Ca => None,
        };
        of_protocol.or(self.updates.as_ref()).map_or(&[], Vec::as_slice)
    }

    /// The question to a client.
    pub fn ask(&self, protocol: Protocol) -> Ask {
        Ask {
            call: self.call,
            pv: self.pv.clone(),
            detail: self.detail(protocol),
            form: self.form,
            count: self.count,
            mask: self.mask.clone(),
            request: self.request.clone(),
            value: self.put.as_ref().map(Expected::value),
            seconds: None,
        }
    }

    fn detail(&self, protocol: Protocol) -> Detail {
        let expected = self.expected(protocol);
        if expected.keys().any(|name| METADATA.contains(&name.as_str())) {
            Detail::Metadata
        } else if expected.keys().any(|name| name != "value") {
            Detail::Time
        } else {
            Detail::Value
        }
    }

    /// What is done, in words: one line each.
    pub fn steps(&self) -> Vec<String> {
        let permitted = self.permitted().map(|check| check.steps()).unwrap_or_default();
        let mut steps: Vec<String> =
            permitted.into_iter().map(|step| format!("permitted: {step}")).collect();
        steps.extend(self.before.iter().map(|command| format!("IOC shell: {command}")));
        let value = self.put.as_ref().map(|value| super::expected::shown(&value.value()));
        let mut asked = match self.call {
            Call::Get => format!("get {}", self.pv),
            Call::Put => format!("put {} to {}", value.unwrap_or_default(), self.pv),
            Call::Monitor | Call::Updates => format!("monitor {}", self.pv),
        };
        match self.form {
            Form::Native => {}
            Form::Text => asked += " as a string",
            Form::LongText => asked += " as a long string",
        }
        if let Some(count) = self.count {
            asked += &format!(", {count} elements");
        }
        if let Some(mask) = &self.mask {
            asked += &format!(", mask {}", mask.join(" "));
        }
        if let Some(request) = &self.request {
            asked += &format!(", request {request}");
        }
        steps.push(asked);
        steps.extend(self.during.iter().map(|command| format!("IOC shell: {command}")));
        steps
    }
}
