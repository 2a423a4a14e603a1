//! `NAME:VARIABLE=VALUE`: an approach with a setting that its users tune.

use crate::protocol::Protocol;

/// Where the settings begin in the name of an approach, and the next one.
const BEFORE: char = ':';

/// What a setting may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A number above 0.
    Number,
    /// `YES` or `NO`.
    YesOrNo,
}

/// What users tune, and the protocol that it is for. Nothing here decides whom a client
/// talks to.
const TUNABLE: [(&str, Protocol, Form); 6] = [
    ("EPICS_CA_CONN_TMO", Protocol::Ca, Form::Number),
    ("EPICS_CA_MAX_SEARCH_PERIOD", Protocol::Ca, Form::Number),
    ("EPICS_CA_MAX_ARRAY_BYTES", Protocol::Ca, Form::Number),
    ("EPICS_CA_AUTO_ARRAY_BYTES", Protocol::Ca, Form::YesOrNo),
    ("EPICS_PVA_CONN_TMO", Protocol::Pva, Form::Number),
    ("EPICS_PVA_MAX_ARRAY_BYTES", Protocol::Pva, Form::Number),
];

/// Environment variables of a worker beyond those by which it finds its server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(Vec<(String, String)>);

/// Why a text is no setting of an approach.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSetting {
    /// It has no value.
    #[error("`{0}` is no setting: write VARIABLE=VALUE, such as EPICS_CA_CONN_TMO=5")]
    Form(String),
    /// It is not among those that may be set.
    #[error(
        "`{variable}` cannot be set: only what does not decide whom a client talks to; there \
         are: {}",
        known.join(", ")
    )]
    Unknown {
        /// The variable.
        variable: String,
        /// Those that may be set.
        known: Vec<&'static str>,
    },
    /// It is for the other protocol.
    #[error("`{variable}` means nothing to an approach over {protocol}")]
    OtherProtocol {
        /// The variable.
        variable: String,
        /// The protocol of the approach.
        protocol: Protocol,
    },
    /// The value is wrong.
    #[error("`{variable}={value}`: the value must be {expected}")]
    Value {
        /// The variable.
        variable: String,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
}

impl Settings {
    /// Splits the name of an approach from its settings; the empty text where it has none.
    pub(super) fn split(text: &str) -> (&str, &str) {
        // A chosen version may be an address, which has this sign too.
        let is_begin = |(at, _): &(usize, &str)| {
            text[at + 1..].starts_with("EPICS_") || !text[..*at].contains('@')
        };
        match text.match_indices(BEFORE).find(is_begin) {
            Some((at, _)) => (&text[..at], &text[at + 1..]),
            None => (text, ""),
        }
    }

    /// Those in `text`, for an approach over `protocol`.
    ///
    /// # Errors
    /// When one is none, or is not for this protocol.
    pub(super) fn parse(text: &str, protocol: Protocol) -> Result<Settings, NoSetting> {
        let parts = text.split(BEFORE).filter(|part| !part.is_empty());
        parts.map(|part| one(part, protocol)).collect::<Result<_, _>>().map(Settings)
    }

    /// Adds them to the environment of a worker; a variable that is there gets the new value.
    pub fn apply(&self, environment: &mut Vec<(String, String)>) {
        for (variable, value) in &self.0 {
            environment.retain(|(other, _)| other != variable);
            environment.push((variable.clone(), value.clone()));
        }
    }
}

fn one(text: &str, protocol: Protocol) -> Result<(String, String), NoSetting> {
    let (variable, value) = text.split_once('=').ok_or_else(|| NoSetting::Form(text.to_owned()))?;
    let owned = || variable.to_owned();
    let Some((_, of, form)) = TUNABLE.iter().find(|(known, _, _)| *known == variable) else {
        let known = TUNABLE.map(|(known, _, _)| known).to_vec();
        return Err(NoSetting::Unknown { variable: owned(), known });
    };
    if *of != protocol {
        return Err(NoSetting::OtherProtocol { variable: owned(), protocol });
    }
    let (is_right, expected) = match form {
        Form::Number => {
            let number = value.parse::<f64>();
            (number.is_ok_and(|number| number.is_finite() && number > 0.0), "a number above 0")
        }
        Form::YesOrNo => (["YES", "NO"].contains(&value), "YES or NO"),
    };
    match is_right {
        true => Ok((owned(), value.to_owned())),
        false => Err(NoSetting::Value { variable: owned(), value: value.to_owned(), expected }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_split_from_its_settings_and_not_from_an_address() {
        for (text, name, settings) in [
            ("pyepics", "pyepics", ""),
            ("pyepics:EPICS_CA_CONN_TMO=5", "pyepics", "EPICS_CA_CONN_TMO=5"),
            ("pyepics:x", "pyepics", "x"),
            ("a@1.2:EPICS_CA_CONN_TMO=5:x=1", "a@1.2", "EPICS_CA_CONN_TMO=5:x=1"),
            ("a@git+file:///x@abc", "a@git+file:///x@abc", ""),
            ("a@git+file:///x:EPICS_Y=1", "a@git+file:///x", "EPICS_Y=1"),
        ] {
            assert_eq!(Settings::split(text), (name, settings), "{text}");
        }
    }

    #[test]
    fn a_setting_replaces_the_variable_that_is_there() {
        let text = "EPICS_CA_CONN_TMO=2.5:EPICS_CA_AUTO_ARRAY_BYTES=NO";
        let settings = Settings::parse(text, Protocol::Ca).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut variables =
            vec![pair("EPICS_CA_CONN_TMO", "30"), pair("EPICS_CA_ADDR_LIST", "127.0.0.1")];
        settings.apply(&mut variables);
        let expected = [
            pair("EPICS_CA_ADDR_LIST", "127.0.0.1"),
            pair("EPICS_CA_CONN_TMO", "2.5"),
            pair("EPICS_CA_AUTO_ARRAY_BYTES", "NO"),
        ];
        assert_eq!(variables, expected);
    }

    #[test]
    fn whom_a_client_talks_to_cannot_be_set() {
        let refused = |text: &str| Settings::parse(text, Protocol::Ca).unwrap_err().to_string();
        for variable in [
            "EPICS_CA_ADDR_LIST",
            "EPICS_CA_NAME_SERVERS",
            "EPICS_CA_SERVER_PORT",
            "EPICS_CA_AUTO_ADDR_LIST",
            "LD_PRELOAD",
            "epics_ca_conn_tmo",
        ] {
            let error = refused(&format!("{variable}=1"));
            assert!(error.contains(variable) && error.contains("EPICS_CA_CONN_TMO"), "{error}");
        }
        assert!(refused("EPICS_PVA_CONN_TMO=5").contains("means nothing to an approach over"));
        assert!(refused("EPICS_CA_CONN_TMO").contains("VARIABLE=VALUE"));
        for value in ["", "0", "-1", "x", "inf", "NaN"] {
            let error = refused(&format!("EPICS_CA_CONN_TMO={value}"));
            assert!(error.contains("a number above 0"), "{error}");
        }
        assert!(refused("EPICS_CA_AUTO_ARRAY_BYTES=maybe").contains("YES or NO"));
    }
}
