//! An interval of a probability, from how often something happened.

/// The interval of Clopper and Pearson (Biometrika 26, 1934: 404-413): it covers
/// the true probability at least as often as `confidence` says, whatever that is.
/// Without trials it is (0, 1).
///
/// The lower end is the probability with which `hits` or more of `of` come in
/// (1 - `confidence`) / 2 of all cases, the upper end that with which `hits` or
/// fewer do; both by bisection on the exact binomial tail.
pub fn proportion_interval(hits: usize, of: usize, confidence: f64) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let outside = (1.0 - confidence) / 2.0;
    let low = if hits == 0 { 0.0 } else { lower_end(hits, of, outside) };
    let high = if hits >= of { 1.0 } else { 1.0 - lower_end(of - hits, of, outside) };
    (low, high)
}

/// The probability at which `hits` or more come in `outside` of all cases.
fn lower_end(hits: usize, of: usize, outside: f64) -> f64 {
    let ln_choose = ln_binomials(of);
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if tail(&ln_choose, hits, middle) < outside { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The probability of `hits` or more of n trials with probability `p` each,
/// above 0 and below 1; summed in logarithms, since the terms are too small for
/// a float when n is some thousands.
fn tail(ln_choose: &[f64], hits: usize, p: f64) -> f64 {
    let of = ln_choose.len() - 1;
    let (ln_hit, ln_miss) = (p.ln(), (-p).ln_1p());
    (hits..=of)
        .map(|hit| (ln_choose[hit] + hit as f64 * ln_hit + (of - hit) as f64 * ln_miss).exp())
        .sum()
}

/// The probability of `hits` or more heads in `of` throws of a fair coin.
pub(super) fn heads_or_more(hits: usize, of: usize) -> f64 {
    tail(&ln_binomials(of), hits, 0.5).min(1.0)
}

/// The logarithms of the binomial coefficients of `of` over 0, 1, ... `of`.
fn ln_binomials(of: usize) -> Vec<f64> {
    let mut ln = 0.0;
    let mut all = vec![0.0];
    for hit in 1..=of {
        ln += ((of - hit + 1) as f64 / hit as f64).ln();
        all.push(ln);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_those_of_the_tables() {
        for (hits, of, low, high) in [
            (0, 10, 0.0, 0.308_50),
            (1, 10, 0.002_53, 0.445_02),
            (5, 10, 0.187_09, 0.812_91),
            (10, 10, 0.691_50, 1.0),
            (95, 100, 0.887_17, 0.983_57),
            (0, 300, 0.0, 0.012_21),
        ] {
            let (found_low, found_high) = proportion_interval(hits, of, 0.95);
            assert!((found_low - low).abs() < 1e-4, "{hits} of {of}: {found_low}");
            assert!((found_high - high).abs() < 1e-4, "{hits} of {of}: {found_high}");
        }
    }

    #[test]
    fn ten_thousand_trials_do_not_underflow_and_none_report_nothing() {
        let (low, high) = proportion_interval(5000, 10_000, 0.95);
        assert!((low - 0.4902).abs() < 1e-4 && (high - 0.5098).abs() < 1e-4, "{low} {high}");
        assert_eq!(proportion_interval(0, 0, 0.95), (0.0, 1.0));
    }

    #[test]
    fn every_probability_is_covered_as_often_as_stated() {
        let ln_choose = ln_binomials(20);
        for p in [0.02, 0.1, 0.3, 0.5, 0.77] {
            let covered: f64 = (0..=20)
                .filter(|hits| {
                    let (low, high) = proportion_interval(*hits, 20, 0.95);
                    low <= p && p <= high
                })
                .map(|hits| tail(&ln_choose, hits, p) - tail(&ln_choose, hits + 1, p))
                .sum();
            assert!(covered >= 0.95, "{p}: {covered}");
        }
    }
}
