//! Several IOCs started at once.

use std::thread;

use super::{Builder, IocError, Place, SoftIoc};
use crate::lookup::Lookup;
use crate::process::{Reach, client_environment_of};

impl SoftIoc {
    /// Starts one IOC for each builder, all at the same time; blocks until all serve, which
    /// takes little longer than one does: most of that time Base sleeps. The order is that
    /// of the builders.
    ///
    /// # Errors
    /// The first of [`Builder::start`]; the others are ended then.
    pub fn start_all(builders: &[Builder]) -> Result<Vec<SoftIoc>, IocError> {
        let places = builders.iter().map(place_of).collect::<Result<Vec<_>, _>>()?;
        start_at(builders, places)
    }

    /// The same for IOCs that see each other: links of each find the records of all.
    ///
    /// # Errors
    /// The same.
    pub fn start_together(builders: &[Builder]) -> Result<Vec<SoftIoc>, IocError> {
        let places = builders.iter().map(place_of).collect::<Result<Vec<_>, _>>()?;
        let mut builders = builders.to_vec();
        for (number, builder) in builders.iter_mut().enumerate() {
            let others = places.iter().enumerate().filter(|(other, _)| *other != number);
            others.for_each(|(_, place)| builder.peers.add(&place.ports));
        }
        start_at(&builders, places)
    }

    /// The environment in which a client finds these IOCs and nothing else, over UDP. Beacons
    /// of the first one reach it.
    ///
    /// # Panics
    /// Without any IOC.
    pub fn environment_of_all(iocs: &[&SoftIoc]) -> Vec<(String, String)> {
        let ports: Vec<_> = iocs.iter().map(|ioc| ioc.ports()).collect();
        client_environment_of(&ports, Lookup::Udp, iocs[0].builder.array_limit(), Reach::Direct)
    }
}

fn place_of(builder: &Builder) -> Result<Place, IocError> {
    Place::take(builder.reach.served())
}

fn start_at(builders: &[Builder], places: Vec<Place>) -> Result<Vec<SoftIoc>, IocError> {
    thread::scope(|scope| {
        let starting: Vec<_> = builders
            .iter()
            .zip(places)
            .map(|(builder, place)| scope.spawn(move || builder.start_at(place)))
            .collect();
        let started: Vec<_> = starting
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        started.into_iter().collect()
    })
}
