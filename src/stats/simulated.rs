//! Paired differences as a restless machine makes them, for tests.

use rand::{Rng, rngs::StdRng};

/// How single pairs scatter around their true difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Noise {
    /// Normal, with this standard deviation.
    Normal(f64),
    /// Student's t with three degrees of freedom: now and then a wild pair.
    HeavyTails,
    /// The machine's speed wanders from measurement to measurement. Both sides
    /// of a pair share it but for the last step; their order is drawn.
    DriftInBlocks,
    /// The machine slows down along the run, much at first. Both sides of a pair
    /// share it but for one step, and their order is drawn.
    DriftAlongTheRun,
    /// Pairs are 10 % off to one side or to the other, hardly ever between.
    Bimodal,
    /// Each side is 15 % slower in one of four measurements.
    TwoMoods,
    /// The difference itself rises along the run, by as much as single pairs
    /// scatter: its location over the whole run is 0, but the sides are not alike.
    RisingDifference,
}

/// Those with which alike sides are alike: all but the rising difference.
pub(crate) const NOISES: [Noise; 6] = [
    Noise::Normal(0.06),
    Noise::HeavyTails,
    Noise::DriftInBlocks,
    Noise::DriftAlongTheRun,
    Noise::Bimodal,
    Noise::TwoMoods,
];

impl Noise {
    /// So many differences, in order of time, whose true location is 0.
    pub(crate) fn pairs(self, count: usize, random: &mut StdRng) -> Vec<f64> {
        let mut speed = 0.0;
        (0..count)
            .map(|at| match self {
                Noise::Normal(deviation) => deviation * normal(random),
                Noise::HeavyTails => 0.04 * student_3(random),
                Noise::DriftInBlocks => {
                    let first = speed + 0.03 * normal(random);
                    let second = first + 0.03 * normal(random);
                    speed = second;
                    sign(random) * (second - first) + 0.05 * normal(random)
                }
                Noise::DriftAlongTheRun => {
                    let step = 0.1 * (-(at as f64) / 20.0).exp();
                    sign(random) * step + 0.05 * normal(random)
                }
                Noise::RisingDifference => {
                    let along = (at as f64 + 0.5) / count as f64 - 0.5;
                    0.06 * (normal(random) + along)
                }
                Noise::Bimodal => 0.1 * sign(random) + 0.02 * normal(random),
                Noise::TwoMoods => mood(random) - mood(random) + 0.03 * normal(random),
            })
            .collect()
    }
}

pub(crate) fn normal(random: &mut StdRng) -> f64 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

pub(crate) fn student_3(random: &mut StdRng) -> f64 {
    let squares: f64 = (0..3).map(|_| normal(random).powi(2)).sum();
    normal(random) / (squares / 3.0).sqrt()
}

fn sign(random: &mut StdRng) -> f64 {
    if random.random() { 1.0 } else { -1.0 }
}

fn mood(random: &mut StdRng) -> f64 {
    if random.random_bool(0.25) { 0.15 } else { 0.0 }
}
