//! How many datagrams may be unanswered: more while all are answered, half as many
//! when one is lost.

/// Datagrams unanswered at once before anything is known of the server.
const FIRST_WINDOW: f64 = 4.0;
/// The most datagrams unanswered at once. With Linux's default receive buffer
/// of 212 992 bytes a socket holds 92 datagrams of up to 1500 bytes (2304 bytes
/// each, with the kernel's overhead).
pub(super) const MAXIMUM_WINDOW: f64 = 64.0;
/// The fewest searches in a full datagram; there are fewer than fit when
/// datagrams get lost although only one is unanswered.
const MINIMUM_SEARCHES: usize = 4;

/// The window of a search.
#[derive(Debug)]
pub(super) struct Window {
    size: f64,
    /// Up to here the window doubles in a round trip; from here it grows by one.
    doubles_below: f64,
    /// How many searches a datagram may hold.
    searches: usize,
    most_searches: usize,
    /// Flights with a lower number say nothing new: the window was halved since.
    halved_at: u64,
}

impl Window {
    /// The first window, for datagrams of up to `most_searches`.
    pub(super) fn new(most_searches: usize) -> Window {
        Window {
            size: FIRST_WINDOW,
            doubles_below: MAXIMUM_WINDOW,
            searches: most_searches,
            most_searches,
            halved_at: 0,
        }
    }

    /// How many datagrams may be unanswered.
    pub(super) fn datagrams(&self) -> usize {
        self.size as usize
    }

    /// How many searches a datagram may hold.
    pub(super) fn searches(&self) -> usize {
        self.searches
    }

    /// A datagram has arrived.
    pub(super) fn grow(&mut self) {
        self.size += if self.size < self.doubles_below { 1.0 } else { 1.0 / self.size };
        self.size = self.size.min(MAXIMUM_WINDOW);
        if self.size >= 2.0 {
            self.searches = (self.searches * 2).min(self.most_searches);
        }
    }

    /// The datagram of number `lost` is lost; `next` is the number of the next.
    pub(super) fn halve(&mut self, lost: u64, next: u64) {
        if lost < self.halved_at {
            return;
        }
        if self.size < 2.0 {
            self.searches = (self.searches / 2).max(MINIMUM_SEARCHES);
        }
        self.size = (self.size / 2.0).max(1.0);
        self.doubles_below = self.size;
        self.halved_at = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_losses_among_those_on_their_way_halve_the_window_once() {
        let mut window = Window::new(42);
        (0..100).for_each(|_| window.grow());
        assert_eq!(window.datagrams(), MAXIMUM_WINDOW as usize);
        window.halve(100, 164);
        window.halve(101, 164);
        assert_eq!(window.datagrams(), 32);
        window.halve(164, 200);
        assert_eq!(window.datagrams(), 16);
    }

    #[test]
    fn datagrams_get_shorter_when_even_a_single_one_is_lost() {
        let mut window = Window::new(42);
        (0..10).for_each(|loss| window.halve(loss, loss + 1));
        assert_eq!((window.datagrams(), window.searches()), (1, MINIMUM_SEARCHES));
        (0..10).for_each(|_| window.grow());
        assert_eq!(window.searches(), 42);
    }
}
