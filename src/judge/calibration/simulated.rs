//! Whether redrawn rates are those of comparisons that were really made, where both
//! can be had: by simulation.

use rand::{SeedableRng, rngs::StdRng};

use super::{Calibration, Outcomes, Pool, Rate, calibrate, redraw};
use crate::judge::comparison::{Pairs, Rule, compare};
use crate::judge::pair_metrics::OF_CONNECT;
use crate::stats::proportion_interval;
use crate::stats::simulated::{NOISES, Noise};

fn pool(noise: Noise, slowdown: f64, count: usize, random: &mut StdRng) -> Pool {
    let pairs = noise.pairs(count, random);
    let shifted = pairs.into_iter().map(|pair| vec![pair + f64::ln_1p(slowdown)]).collect();
    Pool {
        label: String::new(),
        slowdown,
        metrics: OF_CONNECT.to_vec(),
        pairs: shifted,
        seconds_per_pair: 1.0,
    }
}

/// The outcomes of comparisons whose pairs all come fresh from the noise.
fn direct(noise: Noise, slowdown: f64, rule: &Rule, experiments: usize) -> Outcomes {
    let mut random = StdRng::seed_from_u64(8);
    let outcomes: Vec<_> = (0..experiments)
        .map(|_| {
            let most = rule.screen + rule.looks.last().unwrap();
            let mut screened = noise.pairs(most, &mut random);
            screened.iter_mut().for_each(|pair| *pair += slowdown.ln_1p());
            let fresh = screened.split_off(rule.screen);
            [compare(&[Pairs { metric: OF_CONNECT[0], screened, fresh }], rule).outcome]
        })
        .collect();
    Outcomes::count(outcomes.iter().map(|changes| &changes[..]))
}

/// A rule with so few pairs that slowdowns are found sometimes.
fn short_rule() -> Rule {
    Rule { looks: vec![12, 17, 24], ..Rule::default() }
}

/// Drift that dies away along the run is left out: a comparison made at the
/// beginning is not like one drawn from a long run, which no pool shows.
#[test]
fn a_large_pool_gives_the_rates_of_comparisons_really_made() {
    let rule = short_rule();
    for noise in NOISES.into_iter().filter(|noise| *noise != Noise::DriftAlongTheRun) {
        let mut random = StdRng::seed_from_u64(3);
        let truth = direct(noise, 0.05, &rule, 1000).regressed;
        let large = pool(noise, 0.05, 800, &mut random);
        let found = redraw(&large, &rule, 1000, 4).unwrap().family.regressed;
        println!("{noise:?}: {} redrawn, {} in truth", found.rate, truth.rate);
        // Two rates of 1000 differ by 0.06 at three standard errors; the location of
        // 800 pairs is off by 0.0025 at one, which moves the rate by 0.06.
        assert!((found.rate - truth.rate).abs() < 0.15, "{noise:?}: {found:?}, {truth:?}");
        assert!((0.02..0.98).contains(&truth.rate), "{noise:?} tells nothing: {truth:?}");
    }
}

/// The share of false alarms over many small pools, redrawn from each.
fn false_alarms(centre: bool, size: usize) -> Rate {
    let rule = Rule { tolerance: 1e-9, ..Rule::default() };
    let mut random = StdRng::seed_from_u64(5);
    let (mut hits, mut of) = (0, 0);
    for seed in 0..40 {
        let mut small = pool(Noise::Normal(0.06), 0.0, size, &mut random);
        if centre {
            small = small.centred();
        }
        let changed = redraw(&small, &rule, 50, seed).unwrap().family.changed;
        hits += changed.hits;
        of += changed.of;
    }
    Rate::new(hits, of)
}

#[test]
fn a_small_pool_inflates_false_alarms_unless_its_location_is_taken_off() {
    let as_measured = false_alarms(false, 60);
    let centred = false_alarms(true, 60);
    println!("as measured {as_measured:?}, centred {centred:?}");
    assert!(as_measured.low > 0.05, "{as_measured:?}");
    assert!(centred.high < 0.02, "{centred:?}");
    let larger = false_alarms(true, 300);
    println!("300 pairs, centred {larger:?}");
    assert!(larger.high < 0.015, "{larger:?}");
}

#[test]
fn the_bias_of_a_pool_of_alike_sides_holds_zero_as_often_as_stated() {
    let mut random = StdRng::seed_from_u64(6);
    let rule = Rule { looks: vec![12], ..Rule::default() };
    let holds = (0..400)
        .filter(|seed| {
            let small = pool(Noise::HeavyTails, 0.0, 40, &mut random);
            redraw(&small, &rule, 1, *seed).unwrap().metrics[0].bias_holds_zero
        })
        .count();
    let (low, high) = proportion_interval(holds, 400, 0.99);
    assert!(low <= 0.96 && high >= 0.94, "{holds} of 400");
}

#[test]
fn a_calibration_finds_five_percent_and_survives_its_file() {
    let mut random = StdRng::seed_from_u64(7);
    let noise = Noise::Normal(0.06);
    let alike = pool(noise, 0.0, 300, &mut random);
    let slowed = [0.1, 0.05, 0.01].map(|slowdown| pool(noise, slowdown, 300, &mut random));
    let made = ("a machine".to_owned(), "2026-01-01".to_owned());
    let calibration = calibrate(&alike, &slowed, &Rule::default(), 200, 1, made).unwrap();
    assert_eq!(calibration.smallest_found.by_estimate, Some(0.05));
    let rising: Vec<f64> = calibration.slowdowns.iter().map(|redrawn| redrawn.slowdown).collect();
    assert_eq!(rising, [0.01, 0.05, 0.1]);
    let bias = calibration.slowdowns[1].metrics[0].pool_bias;
    assert!(bias.low < 0.05 && 0.05 < bias.high, "{bias:?}");
    let text = serde_json::to_string(&calibration).unwrap();
    let read: Calibration = serde_json::from_str(&text).unwrap();
    assert_eq!((read.format, &read.rule), (calibration.format, &calibration.rule));
    assert_eq!(read.smallest_found, calibration.smallest_found);
    assert_eq!(read.alike.pairs, calibration.alike.pairs);
}
