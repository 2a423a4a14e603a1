//! The two tables that libCom is compiled with: the defaults of the `EPICS_*`
//! variables and the texts of the status codes.

use std::path::{Path, PathBuf};

use crate::generate::definitions;
use crate::libraries::{operating_system, target_architecture, targets_macos};
use crate::stop::{Outcome, Stop, read};

/// A `#define NAME (value) /* text */` of a Base header.
struct Code {
    name: String,
    value: String,
    text: String,
}

/// One C file with both tables; codes are taken from `headers`.
pub(crate) fn source(tree: &Path, headers: &[PathBuf]) -> Outcome<String> {
    Ok(environment_table(tree)? + &error_table(headers)?)
}

fn environment_table(tree: &Path) -> Outcome<String> {
    let compiler = if targets_macos() { "clang" } else { "gcc" };
    let mut parameters = vec![
        ("EPICS_BUILD_COMPILER_CLASS".to_string(), compiler.to_string()),
        ("EPICS_BUILD_OS_CLASS".to_string(), operating_system().to_string()),
        ("EPICS_BUILD_TARGET_ARCH".to_string(), target_architecture()),
    ];
    parameters.extend(definitions(tree, "CONFIG_ENV")?);
    parameters.extend(definitions(tree, "CONFIG_SITE_ENV")?);
    let mut text =
        "#include <stddef.h>\n#include \"envDefs.h\"\n#include \"errlog.h\"\n".to_string();
    for (name, value) in &parameters {
        // The prompt is written with errlog.h's colour macros: it is C already.
        let literal = match name.as_str() {
            "IOCSH_PS1" => value.clone(),
            _ => c_string(value.trim_matches('"')),
        };
        text += &format!("const ENV_PARAM {name} = {{ \"{name}\", {literal} }};\n");
    }
    text += "const ENV_PARAM *env_param_list[] = {\n";
    for (name, _) in &parameters {
        text += &format!("    &{name},\n");
    }
    Ok(text + "    NULL\n};\n")
}

/// Takes the codes of every public header: a code without its text would be
/// reported as a bare number, and an empty table as an error at start.
fn error_table(headers: &[PathBuf]) -> Outcome<String> {
    let mut modules: Vec<Code> = Vec::new();
    let mut statuses: Vec<Code> = Vec::new();
    for header in headers {
        for code in read(header)?.lines().filter_map(code_definition) {
            let list = if code.name.starts_with("M_") { &mut modules } else { &mut statuses };
            if !list.iter().any(|known| known.name == code.name) {
                list.push(code);
            }
        }
    }
    if statuses.is_empty() {
        return Err(Stop {
            tried: "collect the status codes of EPICS Base's headers".to_string(),
            why: "found none".to_string(),
            mend: "this pin is laid out differently: vendor/build/tables.rs has to follow it"
                .to_string(),
        });
    }
    let mut text = "#include \"errMdef.h\"\n#include \"errSymTbl.h\"\n".to_string();
    for Code { name, value, .. } in &modules {
        text += &format!("#ifndef {name}\n#define {name} ({value})\n#endif\n");
    }
    text += "static ERRSYMBOL symbols[] = {\n";
    for Code { value, text: words, .. } in &statuses {
        text += &format!("    {{ (long)({value}), {} }},\n", c_string(words));
    }
    text += "};\nstatic ERRSYMTAB table = { sizeof symbols / sizeof symbols[0], symbols };\n";
    Ok(text + "ERRSYMTAB_ID errSymTbl = &table;\n")
}

fn code_definition(line: &str) -> Option<Code> {
    let rest = line.trim().strip_prefix('#')?.trim_start().strip_prefix("define")?;
    let (name, rest) = rest.trim_start().split_once(char::is_whitespace)?;
    if !(name.starts_with("S_") || name.starts_with("M_")) {
        return None;
    }
    let (value, rest) = rest.trim_start().strip_prefix('(')?.split_once(')')?;
    let words = rest.trim().strip_prefix("/*")?.strip_suffix("*/")?;
    Some(Code { name: name.to_string(), value: value.to_string(), text: words.trim().to_string() })
}

fn c_string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
