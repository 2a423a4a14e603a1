//! The test that `docs/testing-your-code.md` shows, as it stands there, and the client that
//! it leaves to the reader.

fn my_client(environment: Vec<(String, String)>) {
    let is_on_loopback = |(name, value): &(String, String)| {
        name == "EPICS_CA_ADDR_LIST" && value.starts_with("127.0.0.1")
    };
    assert!(environment.iter().any(is_on_loopback), "{environment:?}");
}

use epics_gauge::ioc::SoftIoc;

#[test]
fn the_current_is_read() {
    let mut ioc = SoftIoc::builder().db_file("tests/current.db", &[("P", "t:")]).start().unwrap();
    my_client(ioc.client_environment()); // EPICS_CA_* for your client
    ioc.command("dbpf t:current 2.5").unwrap();
    assert_eq!(ioc.field_value("t:current").unwrap(), 2.5);
} // dropped: nothing is left
