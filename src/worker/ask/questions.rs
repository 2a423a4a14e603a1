//! Takes a question to the method that answers it, and keeps the subscription from `monitor` to
//! `updates`.

use std::time::{Duration, Instant};

use crate::worker::client::Asker;
use crate::worker_protocol::{Ask, Call, Fields, Form, Reply};

/// Why there is no answer.
pub(in crate::worker) enum NoAnswer {
    /// What the library reported.
    Error(String),
    /// Why the library has no call for it.
    Unable(String),
}

impl<T: Into<String>> From<T> for NoAnswer {
    fn from(error: T) -> NoAnswer {
        NoAnswer::Error(error.into())
    }
}

/// What a call returns, or why it returns nothing.
pub(in crate::worker) type Answer<T> = Result<T, NoAnswer>;

/// A library by its documented calls, each of which may last until `end`.
pub(in crate::worker) trait Library: Default {
    /// What is subscribed to; dropping it ends the subscription.
    type Subscription: Subscription;

    /// Why the protocol has no words for a question, if it has none.
    fn unable(ask: &Ask) -> Option<&'static str>;

    /// Reads once.
    fn get(&mut self, ask: &Ask, end: Instant) -> Answer<Fields>;

    /// Writes and waits for the server.
    fn put(&mut self, ask: &Ask, end: Instant) -> Answer<()>;

    /// Begins a subscription.
    fn subscribe(&mut self, ask: &Ask, end: Instant) -> Answer<Self::Subscription>;
}

/// A subscription that runs.
pub(in crate::worker) trait Subscription {
    /// The next update; none when the time is over.
    fn next(&mut self, end: Instant) -> Answer<Option<Fields>>;
}

/// Answers all questions by a library.
pub(in crate::worker) struct Questions<L: Library> {
    // Dropped in this order: a subscription needs its library.
    monitor: Option<(L::Subscription, Vec<Fields>)>,
    library: L,
}

impl<L: Library> Default for Questions<L> {
    fn default() -> Questions<L> {
        Questions { monitor: None, library: L::default() }
    }
}

impl<L: Library> Asker for Questions<L> {
    fn ask(&mut self, ask: &Ask, timeout: Duration) -> Reply {
        if let Some(reason) = L::unable(ask) {
            return Reply::Unable(reason.to_owned());
        }
        let end = Instant::now() + timeout;
        let answered = match ask.call {
            Call::Get => self.library.get(ask, end).map(Reply::Fields),
            Call::Put => self.library.put(ask, end).map(|()| Reply::Fields(Fields::new())),
            Call::Monitor => self.subscribe(ask, end),
            Call::Updates => self.updates(Duration::from_secs_f64(ask.seconds.unwrap_or(0.0))),
        };
        answered.unwrap_or_else(|none| match none {
            NoAnswer::Error(error) => Reply::Error(error),
            NoAnswer::Unable(reason) => Reply::Unable(reason),
        })
    }
}

impl<L: Library> Questions<L> {
    fn subscribe(&mut self, ask: &Ask, end: Instant) -> Answer<Reply> {
        let mut subscription = self.library.subscribe(ask, end)?;
        let first = subscription.next(end)?.ok_or("no first update")?;
        self.monitor = Some((subscription, vec![first]));
        Ok(Reply::Fields(Fields::new()))
    }

    fn updates(&mut self, seconds: Duration) -> Answer<Reply> {
        let (mut subscription, mut updates) =
            self.monitor.take().ok_or("nothing is subscribed to")?;
        let end = Instant::now() + seconds;
        while let Some(update) = subscription.next(end)? {
            updates.push(update);
        }
        Ok(Reply::Updates(updates))
    }
}

/// What Channel Access has no words for.
pub(in crate::worker) fn unable_over_channel_access(ask: &Ask) -> Option<&'static str> {
    ask.request.is_some().then_some("Channel Access has no request strings")
}

/// What pvAccess has no words for.
pub(in crate::worker) fn unable_over_pv_access(ask: &Ask) -> Option<&'static str> {
    if ask.form != Form::Native {
        return Some("pvAccess has a value in its own type only");
    }
    if ask.count.is_some() {
        return Some("pvAccess has no requests for a part of an array");
    }
    ask.mask.is_some().then_some("pvAccess has no masks of events")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker_protocol::{Detail, Value};

    #[derive(Default)]
    struct Counting;

    struct Numbers(std::ops::Range<u8>);

    impl Subscription for Numbers {
        fn next(&mut self, _: Instant) -> Answer<Option<Fields>> {
            Ok(self.0.next().map(fields))
        }
    }

    impl Library for Counting {
        type Subscription = Numbers;

        fn unable(ask: &Ask) -> Option<&'static str> {
            unable_over_channel_access(ask)
        }

        fn get(&mut self, _: &Ask, _: Instant) -> Answer<Fields> {
            Ok(fields(7))
        }

        fn put(&mut self, _: &Ask, _: Instant) -> Answer<()> {
            Err(NoAnswer::Unable("it only reads".to_owned()))
        }

        fn subscribe(&mut self, ask: &Ask, _: Instant) -> Answer<Numbers> {
            Ok(Numbers(if ask.pv == "silent" { 0..0 } else { 1..4 }))
        }
    }

    fn fields(number: u8) -> Fields {
        Fields::from([("value".to_owned(), Value::integer(number))])
    }

    fn ask(call: Call, pv: &str) -> Ask {
        Ask {
            call,
            pv: pv.to_owned(),
            detail: Detail::Value,
            form: Form::Native,
            count: None,
            mask: None,
            request: None,
            value: None,
            seconds: None,
        }
    }

    #[test]
    fn each_question_reaches_the_method_of_its_call() {
        let mut questions = Questions::<Counting>::default();
        let mut asked = |ask: &Ask| questions.ask(ask, Duration::ZERO);
        assert_eq!(asked(&ask(Call::Get, "pv")), Reply::Fields(fields(7)));
        assert_eq!(asked(&ask(Call::Put, "pv")), Reply::Unable("it only reads".to_owned()));
        let request = Ask { request: Some(String::new()), ..ask(Call::Get, "pv") };
        assert!(matches!(asked(&request), Reply::Unable(_)));
    }

    #[test]
    fn updates_are_those_since_the_monitor_and_end_it() {
        let mut questions = Questions::<Counting>::default();
        let mut asked = |call, pv| questions.ask(&ask(call, pv), Duration::ZERO);
        assert_eq!(asked(Call::Monitor, "pv"), Reply::Fields(Fields::new()));
        let all = [1, 2, 3].map(fields).to_vec();
        assert_eq!(asked(Call::Updates, "pv"), Reply::Updates(all));
        let none = Reply::Error("nothing is subscribed to".to_owned());
        assert_eq!(asked(Call::Updates, "pv"), none);
        let silent = Reply::Error("no first update".to_owned());
        assert_eq!(asked(Call::Monitor, "silent"), silent);
    }
}
