//! Request strings of pvAccess, `record[queueSize=4]field(value,alarm.severity)`, as bytes.

use super::pva_types::size;

const STRUCTURE: u8 = 0x80;
const STRING: u8 = 0x60;

enum Node {
    Text(String),
    Structure(Vec<(String, Node)>),
}

/// The request as its type and its value. An empty one asks for everything.
///
/// # Errors
/// What is not understood.
pub(super) fn encoded(request: &str, is_big_endian: bool) -> Result<Vec<u8>, String> {
    let root = Node::Structure(parse(request)?);
    let mut bytes = Vec::new();
    describe(&root, is_big_endian, &mut bytes);
    fill(&root, is_big_endian, &mut bytes);
    Ok(bytes)
}

fn parse(request: &str) -> Result<Vec<(String, Node)>, String> {
    let mut parts = Vec::new();
    let mut rest = request.trim();
    while !rest.is_empty() {
        let wrong = || format!("the request `{request}` is not understood at `{rest}`");
        if let Some(after) = rest.strip_prefix("record[") {
            let (options, after) = after.split_once(']').ok_or_else(wrong)?;
            let option = |option: &str| {
                let (name, value) = option.split_once('=').ok_or_else(wrong)?;
                Ok((name.trim().to_owned(), Node::Text(value.trim().to_owned())))
            };
            let options = options.split(',').map(option).collect::<Result<_, String>>()?;
            let options = vec![("_options".to_owned(), Node::Structure(options))];
            parts.push(("record".to_owned(), Node::Structure(options)));
            rest = after.trim_start();
        } else if let Some(after) = rest.strip_prefix("field(") {
            let (names, after) = after.split_once(')').ok_or_else(wrong)?;
            let mut fields = Vec::new();
            for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                add(&mut fields, name);
            }
            parts.push(("field".to_owned(), Node::Structure(fields)));
            rest = after.trim_start();
        } else {
            return Err(wrong());
        }
    }
    Ok(parts)
}

fn add(fields: &mut Vec<(String, Node)>, path: &str) {
    let (name, below) =
        path.split_once('.').map_or((path, None), |(name, below)| (name, Some(below)));
    let at = fields.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
        fields.push((name.to_owned(), Node::Structure(Vec::new())));
        fields.len() - 1
    });
    if let (Some(below), Node::Structure(within)) = (below, &mut fields[at].1) {
        add(within, below);
    }
}

fn describe(node: &Node, is_big_endian: bool, bytes: &mut Vec<u8>) {
    let Node::Structure(members) = node else { return bytes.push(STRING) };
    bytes.push(STRUCTURE);
    size(0, is_big_endian, bytes);
    size(members.len(), is_big_endian, bytes);
    for (name, member) in members {
        text(name, is_big_endian, bytes);
        describe(member, is_big_endian, bytes);
    }
}

fn fill(node: &Node, is_big_endian: bool, bytes: &mut Vec<u8>) {
    match node {
        Node::Text(value) => text(value, is_big_endian, bytes),
        Node::Structure(members) => {
            members.iter().for_each(|(_, member)| fill(member, is_big_endian, bytes));
        }
    }
}

fn text(text: &str, is_big_endian: bool, bytes: &mut Vec<u8>) {
    size(text.len(), is_big_endian, bytes);
    bytes.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_these_bytes() {
        assert_eq!(encoded("", false).unwrap(), b"\x80\0\0");
        let value = b"\x80\0\x01\x05field\x80\0\x01\x05value\x80\0\0";
        assert_eq!(encoded("field(value)", false).unwrap(), value);
        let options = encoded("record[process=true]field()", false).unwrap();
        assert!(options.ends_with(b"\x05field\x80\0\0\x04true"));
        assert!(encoded("fields(value)", false).is_err());
    }
}
