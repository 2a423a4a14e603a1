//! The native approaches by name.

use std::io;

use super::callback_client::CallbackClient;
use super::client::Client;
use super::epics_ca::EpicsCa;
use super::future_client::FutureClient;
use super::libca::Libca;
#[cfg(feature = "pure-rust")]
use super::pure::{EpicsCaRs, EpicsPvaRs};
#[cfg(feature = "pvaccess")]
use super::pvxs::Pvxs;
use super::serve::serve;
use super::wire::Wire;
use super::wire_pva::{WirePva, WirePvaPipeline};

/// Serves one harness on stdin and stdout until stdin ends.
///
/// # Errors
/// An error of stdout, or a message that is not of the protocol.
pub type Serve = fn() -> io::Result<()>;

/// A new approach is its file and a line here.
const NATIVES: &[(&str, Serve)] = &[
    native_of::<Wire>(),
    native_of::<WirePva>(),
    native_of::<WirePvaPipeline>(),
    native_of::<CallbackClient<Libca>>(),
    native_of::<FutureClient<EpicsCa>>(),
    #[cfg(feature = "pvaccess")]
    native_of::<CallbackClient<Pvxs>>(),
    #[cfg(feature = "pure-rust")]
    native_of::<FutureClient<EpicsCaRs>>(),
    #[cfg(feature = "pure-rust")]
    native_of::<FutureClient<EpicsPvaRs>>(),
];

const fn native_of<C: Client>() -> (&'static str, Serve) {
    (C::APPROACH, serve::<C>)
}

/// The worker of a native approach; none where this build has no approach of that
/// name.
pub fn native(name: &str) -> Option<Serve> {
    NATIVES.iter().find(|(native, _)| *native == name).map(|(_, serve)| *serve)
}

/// The names of the native approaches that this build has.
pub fn native_names() -> impl Iterator<Item = &'static str> {
    NATIVES.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_native_approach_is_found_by_its_name_which_no_other_has() {
        assert!(native_names().all(|name| native(name).is_some()));
        assert!(native("pyepics").is_none());
        assert_eq!(native_names().collect::<BTreeSet<_>>().len(), NATIVES.len());
    }
}
