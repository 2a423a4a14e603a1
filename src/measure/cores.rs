//! Separate processor cores for client and server.

use crate::process::usable_cores;
use crate::record::Cores;

/// The lower half of the available cores for the server, the upper half for the client; none
/// with a single core, or where the system does not list them.
pub(super) fn apart() -> Option<Cores> {
    split(&usable_cores())
}

fn split(cores: &[usize]) -> Option<Cores> {
    let (server, client) = cores.split_at(cores.len() / 2);
    (!server.is_empty()).then(|| Cores { server: server.to_vec(), client: client.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_have_cores_or_neither_has() {
        assert_eq!(split(&[]), None);
        assert_eq!(split(&[4]), None);
        assert_eq!(split(&[2, 5]), Some(Cores { server: vec![2], client: vec![5] }));
        assert_eq!(split(&[0, 1, 2]), Some(Cores { server: vec![0], client: vec![1, 2] }));
    }
}
