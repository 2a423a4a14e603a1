//! The normal distribution and Student's t.

use std::f64::consts::{PI, SQRT_2};

/// The probability that a standard normal variable is at most `z`.
///
/// Up to 3 standard deviations by the series of Marsaglia (Evaluating the Normal
/// Distribution, J. Stat. Software 11(4), 2004), beyond by the continued fraction
/// of the tail (Abramowitz and Stegun, 26.2.14), so that small tails keep their
/// digits.
pub fn normal_cdf(z: f64) -> f64 {
    if z.is_nan() {
        return f64::NAN;
    }
    let density = (-z * z / 2.0).exp() / (PI.sqrt() * SQRT_2);
    if z.abs() > 3.0 {
        let fraction =
            (1..=60).rev().fold(z.abs(), |below, term| z.abs() + f64::from(term) / below);
        let tail = density / fraction;
        return if z > 0.0 { 1.0 - tail } else { tail };
    }
    let mut term = z;
    let mut sum = z;
    for odd in (3..200).step_by(2) {
        term *= z * z / f64::from(odd);
        sum += term;
    }
    0.5 + sum * density
}

/// The value that a standard normal variable exceeds with probability
/// 1 - `probability`.
pub fn normal_quantile(probability: f64) -> f64 {
    inverse(normal_cdf, probability)
}

/// The value that Student's t with so many degrees of freedom exceeds with
/// probability 1 - `probability`.
pub(super) fn student_quantile(probability: f64, freedom: usize) -> f64 {
    inverse(|t| student_cdf(t, freedom), probability)
}

/// The finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4.
fn student_cdf(t: f64, freedom: usize) -> f64 {
    let angle = (t / (freedom as f64).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let odd = freedom % 2 == 1;
    let mut term = if odd { cosine } else { 1.0 };
    let mut sum = if freedom == 1 { 0.0 } else { term };
    let mut power = if odd { 3 } else { 2 };
    while power < freedom {
        term *= cosine * cosine * (power - 1) as f64 / power as f64;
        sum += term;
        power += 2;
    }
    let within = if odd { 2.0 / PI * (angle + sine * sum) } else { sine * sum };
    0.5 + within / 2.0
}

/// Where a rising function reaches `wanted`, by bisection.
fn inverse(rising: impl Fn(f64) -> f64, wanted: f64) -> f64 {
    let (mut low, mut high) = (-1.0, 1.0);
    while rising(low) > wanted && low > -1e9 {
        low *= 2.0;
    }
    while rising(high) < wanted && high < 1e9 {
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if rising(middle) < wanted { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution_is_that_of_the_tables() {
        for (z, probability) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_543),
            (1.959_963_984_540_054, 0.975),
            (-2.999, 0.001_354_336_5),
            (-3.001, 0.001_345_472_8),
            (-5.0, 2.866_515_719e-7),
            (-8.0, 6.220_960_574e-16),
            (3.5, 0.999_767_370_9),
        ] {
            let found = normal_cdf(z);
            assert!((found / probability - 1.0).abs() < 1e-7, "{z}: {found}");
        }
        for (probability, quantile) in [(0.995, 2.575_829_303_5), (0.005, -2.575_829_303_5)] {
            assert!((normal_quantile(probability) - quantile).abs() < 1e-9, "{probability}");
        }
    }

    #[test]
    fn students_t_is_that_of_the_tables() {
        for (freedom, quantile) in
            [(1, 12.706_205), (2, 4.302_653), (3, 3.182_446), (7, 2.364_624), (30, 2.042_272)]
        {
            let found = student_quantile(0.975, freedom);
            assert!((found - quantile).abs() < 1e-5, "{freedom}: {found}");
        }
    }
}
