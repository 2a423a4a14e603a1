//! A real IOC in a test of your own: `cargo run --example ioc_in_a_test`.
//!
//! The two functions are what you would write with `#[test]` and
//! `#[tokio::test]` above them, in a crate that has `epics-gauge` among its
//! `[dev-dependencies]`. Neither needs an installed EPICS, a free port or a
//! clean-up, and the IOC is gone when the test ends, however it ends.

use epics_ca::Context;
use epics_gauge::ioc::SoftIoc;

/// What the test needs of an IOC: a setpoint, and a readback that is twice it.
const DATABASE: &str = r#"
record(ao, "$(P)setpoint") {
    field(FLNK, "$(P)readback")
}
record(calc, "$(P)readback") {
    field(INPA, "$(P)setpoint")
    field(CALC, "2*A")
}
"#;

/// As a `#[test]`: the database alone, through the IOC's own shell.
fn the_readback_follows_the_setpoint() {
    let mut ioc = SoftIoc::builder().db(DATABASE, &[("P", "test:")]).start().unwrap();
    ioc.command("dbpf test:setpoint 2.5").unwrap();
    assert_eq!(ioc.field_value("test:readback").unwrap(), 5.0);
}

/// As a `#[tokio::test]`: a client, here the crate `epics-ca`, against the IOC.
async fn a_client_reads_what_it_caused() {
    let ioc = SoftIoc::builder().db(DATABASE, &[("P", "test:")]).start_async().await.unwrap();
    for (name, value) in ioc.client_environment() {
        // libca reads these when a context is made. A client that is a program
        // of its own gets them from `Command::envs` instead, which also suits
        // many such tests in one process.
        // SAFETY: no other thread uses the environment now: those of the IOC
        // read its output, and no other test runs in this process.
        unsafe { std::env::set_var(name, value) };
    }
    let context = Context::new().unwrap();
    let mut setpoint = context.connect::<f64>(c"test:setpoint").await.unwrap();
    let mut readback = context.connect::<f64>(c"test:readback").await.unwrap();
    setpoint.put(1.5).unwrap().await.unwrap();
    assert_eq!(readback.get().await.unwrap(), 3.0);
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    the_readback_follows_the_setpoint();
    a_client_reads_what_it_caused().await;
    println!("both tests passed, and both IOCs are gone");
}
