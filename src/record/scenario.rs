//! The names of scenarios.

use crate::named::named;

named! {
    /// What is asked of a server and an approach; `crate::scenario` defines each.
    #[derive(Default)]
    pub enum Scenario("scenario") {
        /// Connect, get, get again and put.
        #[default]
        Connect = "connect",
        /// A monitor on a camera's frames at a rate.
        Waveform = "waveform",
        /// Monitors on many scalars at a rate.
        Scalars = "scalars",
        /// The most scalars that an approach takes without loss, by search.
        Capacity = "capacity",
        /// Servers against clients: count of PVs x rate x monitors.
        Scale = "scale",
        /// Monitors through a stalled client, a restarted IOC and a PV that disappears.
        Recovery = "recovery" | "disturbed",
        /// A million PVs on a hundred IOCs.
        ManyIocs = "many-iocs" | "fleet",
        /// Clients while something goes wrong, and how they come back.
        Faults = "faults",
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::Scenario;

    #[test]
    fn the_names_of_before_are_read() {
        assert_eq!("disturbed".parse(), Ok(Scenario::Recovery));
        assert_eq!("fleet".parse(), Ok(Scenario::ManyIocs));
    }
}
