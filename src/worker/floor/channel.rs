//! What is known of each PV's channel, in few bytes: a job may have a million.

use super::names::Names;
use crate::units::counted_of;

/// How far a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::worker) enum ChannelState {
    /// No server has answered the search.
    NotFound,
    /// A server was asked to make the channel.
    Asked,
    /// The channel can be used.
    Connected,
    /// The server cannot make the channel.
    Refused,
    /// The server has taken the channel away, or its circuit is down.
    Lost,
}

/// A PV's channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Channel {
    /// The server's number of the channel, once connected.
    pub(super) sid: u32,
    /// The index of its circuit, once asked for.
    pub(super) circuit: u16,
    /// How far it is.
    pub(super) state: ChannelState,
}

impl Channel {
    /// The channel of a PV that is not found yet.
    pub(super) const NEW: Channel = Channel { sid: 0, circuit: 0, state: ChannelState::NotFound };
}

/// Why the PVs of `range` that are not connected are not, as a sentence; `after`
/// says when that was.
pub(super) fn why_not_connected(
    channels: &[Channel],
    names: &Names,
    range: std::ops::Range<usize>,
    after: &str,
) -> String {
    let all = range.len();
    let mut counts = [0; 4];
    let mut first = None;
    for (index, channel) in range.clone().zip(&channels[range]) {
        let reason = match channel.state {
            ChannelState::Connected => continue,
            ChannelState::NotFound => 0,
            ChannelState::Asked => 1,
            ChannelState::Refused => 2,
            ChannelState::Lost => 3,
        };
        counts[reason] += 1;
        first = first.or(Some(index));
    }
    let words = ["not found", "found but without a channel", "refused by the server", "lost"];
    let reasons: Vec<String> = (counts.iter().zip(words))
        .filter(|(count, _)| **count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let first = first.map_or("none", |index| names.get(index as u32));
    let count: usize = counts.iter().sum();
    let pvs = counted_of(count, all, "PV");
    format!("{pvs} not connected{after}, first {first}: {}", reasons.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_small() {
        assert_eq!(size_of::<Channel>(), 8);
    }

    #[test]
    fn what_is_missing_is_counted_and_the_first_is_named() {
        let names: Names = ["a", "b", "c", "d"].into_iter().collect();
        let mut channels = [Channel::NEW; 4];
        channels[0].state = ChannelState::Connected;
        channels[2].state = ChannelState::Refused;
        assert_eq!(
            why_not_connected(&channels, &names, 0..4, " after 5 s"),
            "3 of 4 PVs not connected after 5 s, first b: 2 not found, 1 refused by the server"
        );
    }
}
