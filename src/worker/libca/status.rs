//! libca's status codes and versions.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_long};

use crate::sys;
use crate::worker::StageError;

/// What of libca did not work: its status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused(pub(super) c_int);

/// A status code as a result.
pub(super) fn check(status: c_int) -> Result<(), Refused> {
    if status == sys::ECA_NORMAL { Ok(()) } else { Err(Refused(status)) }
}

impl Refused {
    /// As the error of a stage, of what is named `subject`.
    pub(super) fn of(self, subject: &str) -> StageError {
        failed(subject, self.0)
    }
}

/// Says that `subject`, a PV's name or a function's, failed with `status`, in
/// libca's own words.
pub(in crate::worker) fn failed(subject: &str, status: c_int) -> StageError {
    // SAFETY: any number may be asked for; the answer is a static string.
    let text = unsafe { static_text(sys::ca_message(c_long::from(status))) };
    StageError(format!("{subject}: {text}"))
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
    fn a_status_is_told_in_libcas_words_with_its_subject() {
        let StageError(said) = Refused(sys::ECA_DISCONN).of("gauge:7");
        assert_eq!(said, "gauge:7: Virtual circuit disconnect");
        assert_eq!(check(sys::ECA_NORMAL), Ok(()));
        assert_eq!(check(sys::ECA_TIMEOUT), Err(Refused(sys::ECA_TIMEOUT)));
    }

    #[test]
    fn the_versions_are_those_of_the_linked_library() {
        assert!(versions()["libca"].contains('4'), "{:?}", versions());
    }
}
