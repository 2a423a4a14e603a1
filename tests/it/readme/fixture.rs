//! The test that the README shows, as it stands there, and the client that it leaves to the
//! reader.

fn my_client(environment: Vec<(String, String)>) {
    let is_on_loopback = |(name, value): &(String, String)| {
        name == "EPICS_CA_ADDR_LIST" && value.starts_with("127.0.0.1")
    };
    assert!(environment.iter().any(is_on_loopback), "{environment:?}");
}

use epics_gauge::ioc::SoftIoc;

#[tokio::test]
async fn the_current_is_read() {
    let mut ioc = SoftIoc::builder()
        .db(r#"record(ao, "$(P)current") { field(VAL, "1.5") field(PINI, "YES") }"#, &[("P", "t:")])
        .start_async()
        .await
        .unwrap();
    my_client(ioc.client_environment()); // EPICS_CA_* for your client
    assert!(ioc.command("dbgf t:current").unwrap().contains("1.5"));
} // dropped: nothing is left
