//! Arrays that libca is not allowed to receive.

/// Why libca drops every update of so many bytes, if it does: it only says so
/// once, on stderr.
pub(in crate::worker) fn why_dropped(bytes: usize) -> Option<String> {
    why(bytes, |name| std::env::var(name).ok())
}

fn why(bytes: usize, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let grows = variable("EPICS_CA_AUTO_ARRAY_BYTES").unwrap_or_default();
    if grows.is_empty() || grows.eq_ignore_ascii_case("yes") {
        return None;
    }
    let most: usize = variable("EPICS_CA_MAX_ARRAY_BYTES")?.trim().parse().ok()?;
    (bytes > most).then(|| {
        format!(
            "its {bytes} bytes are more than EPICS_CA_MAX_ARRAY_BYTES={most}, \
             and EPICS_CA_AUTO_ARRAY_BYTES={grows}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_dropped_when_it_is_too_large_and_may_not_grow() {
        let dropped = |bytes, grows: &'static str| {
            why(bytes, move |name| match name {
                "EPICS_CA_AUTO_ARRAY_BYTES" => Some(grows.to_owned()),
                _ => Some("16384".to_owned()),
            })
        };
        let reason = "its 652800 bytes are more than EPICS_CA_MAX_ARRAY_BYTES=16384, \
                      and EPICS_CA_AUTO_ARRAY_BYTES=NO";
        assert_eq!(dropped(652_800, "NO").as_deref(), Some(reason));
        assert_eq!(dropped(16_384, "NO"), None);
        assert_eq!(dropped(652_800, "Yes"), None);
        assert_eq!(why(652_800, |_| None), None);
    }
}
