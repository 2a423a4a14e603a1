//! The two protocols of EPICS.

use crate::named::named;

named! {
    /// Which protocol a client speaks, or a server serves.
    #[derive(Default)]
    pub enum Protocol("protocol") {
        /// Channel Access.
        #[default]
        Ca = "ca",
        /// pvAccess.
        Pva = "pva",
    }
}
