//! libca's status codes and versions.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_long};
use std::fmt;

use crate::sys;

/// A status of libca, one of `ECA_*`; shown in libca's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::worker) struct Status(pub(in crate::worker) c_int);

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: any number may be asked for; the answer is a static string.
        f.write_str(&unsafe { static_text(sys::ca_message(c_long::from(self.0))) })
    }
}

/// A status as a result.
pub(super) fn check(status: c_int) -> Result<(), Status> {
    if status == sys::ECA_NORMAL { Ok(()) } else { Err(Status(status)) }
}

/// The versions of what is below every approach that uses the built libca.
pub(in crate::worker) fn versions() -> BTreeMap<String, String> {
    // SAFETY: it needs no context and answers with a static string.
    let ca = unsafe { static_text(sys::ca_version()) };
    BTreeMap::from([
        ("epics-base".to_owned(), env!("EPICS_GAUGE_BASE_VERSION").to_owned()),
        ("libca".to_owned(), ca),
    ])
}

/// # Safety
/// `text` must be a C string that is never changed.
unsafe fn static_text(text: *const c_char) -> String {
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_shown_in_libcas_words() {
        assert_eq!(Status(sys::ECA_DISCONN).to_string(), "Virtual circuit disconnect");
        assert_eq!(check(sys::ECA_NORMAL), Ok(()));
        assert_eq!(check(sys::ECA_TIMEOUT), Err(Status(sys::ECA_TIMEOUT)));
    }

    #[test]
    fn the_versions_are_those_of_the_linked_library() {
        assert!(versions()["libca"].contains('4'), "{:?}", versions());
    }
}
