//! How long it takes until an IOC serves: one alone, several at once, and out of a pool.
//!
//! ```text
//! cargo run --release --example how_fast_iocs_start [HOW MANY, 20 unless given]
//! ```

use std::time::Instant;

use epics_gauge::ioc::{Builder, IocError, SoftIoc};

fn main() -> Result<(), IocError> {
    let count = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(20);
    let records = r#"record(ao, "current") { field(VAL, "1.5") field(PINI, "YES") }"#;
    let builder = SoftIoc::builder().db(records, &[]);
    // Unpacks the programs, which only the first IOC of all waits for.
    builder.start()?;

    let begun = Instant::now();
    let one = builder.start()?;
    println!("one alone: {:.2} s", begun.elapsed().as_secs_f64());
    drop(one);

    let begun = Instant::now();
    let builders: Vec<Builder> = (0..count).map(|_| builder.clone()).collect();
    let all = SoftIoc::start_all(&builders)?;
    println!("{count} at once: {:.2} s", begun.elapsed().as_secs_f64());
    drop(all);

    let pool = builder.pool(4);
    // A test suite does something else meanwhile.
    let first = pool.take()?;
    std::thread::sleep(std::time::Duration::from_secs(2));
    let begun = Instant::now();
    let second = pool.take()?;
    println!("out of a pool of 4: {:.4} s", begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    let rest = (0..count).map(|_| pool.take()).collect::<Result<Vec<_>, _>>()?;
    println!("{count} more out of it: {:.2} s", begun.elapsed().as_secs_f64());
    drop((first, second, rest));
    Ok(())
}
