//! JSON Schemas of what programs read: the report and the record file.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::json::{JsonReport, REPORT_FORMAT};
use crate::named::named;
use crate::record::{Line, RECORD_FORMAT};

named! {
    /// What has a JSON Schema.
    pub enum Described {
        /// `report.json`, of every kind.
        Report = "report",
        /// A line of `records.jsonl`.
        Records = "records",
    }
}

impl Described {
    /// The file in `docs/schema` that holds it.
    pub fn file_name(self) -> String {
        match self {
            Described::Report => format!("report-{REPORT_FORMAT}.json"),
            Described::Records => format!("records-{RECORD_FORMAT}.json"),
        }
    }

    /// The schema, draft 2020-12, of what this build writes.
    pub fn schema(self) -> String {
        let schema = match self {
            Described::Report => schema_of::<JsonReport<'_>>("report.json", REPORT_FORMAT),
            Described::Records => schema_of::<Line>("a line of records.jsonl", RECORD_FORMAT),
        };
        match serde_json::to_string_pretty(&schema) {
            Ok(text) => text + "\n",
            Err(error) => unreachable!("a schema is always JSON: {error}"),
        }
    }
}

/// Of what is written, every field is required; readers may be more generous.
fn schema_of<T: JsonSchema>(what: &str, format: u32) -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), json!(format!("epics-gauge: {what}, format {format}")));
    RecursiveTransform(refuse_unknown_fields).transform(&mut schema);
    RecursiveTransform(unlink).transform(&mut schema);
    pin_format(&mut schema, format);
    schema
}

/// A field that this schema does not know is an error: it was forgotten here, or
/// the reader is older than the writer.
fn refuse_unknown_fields(schema: &mut Schema) {
    let is_object = schema.get("properties").is_some_and(Value::is_object);
    if is_object {
        schema.insert("additionalProperties".to_owned(), json!(false));
    }
}

/// Links of the API's documentation lead nowhere in a schema.
fn unlink(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace("[`", "`").replace("`]", "`").replace('\n', " ");
    }
}

/// A file of another format is refused by its number, wherever a kind has one.
fn pin_format(schema: &mut Schema, format: u32) {
    let Some(Value::Array(kinds)) = schema.get_mut("oneOf") else { return };
    for kind in kinds {
        if let Some(Value::Object(number)) = kind.pointer_mut("/properties/format") {
            number.insert("const".to_owned(), json!(format));
        }
    }
}
