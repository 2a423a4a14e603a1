//! The guide against servers that are simulated.

use super::*;

/// Asks as the guide says, with every answer at once, and counts the lookups of all
/// servers; `home` says who has a PV, if anybody.
fn lookups(guide: &mut Guide, servers: u16, home: impl Fn(u32) -> Option<u16>) -> usize {
    let mut lookups = 0;
    while let Some((pv, whom)) = guide.next() {
        guide.asked();
        match whom {
            Whom::Everyone => lookups += usize::from(servers),
            Whom::Server(_) => lookups += 1,
        }
        match (home(pv), whom) {
            (Some(home), Whom::Server(server)) if home != server => guide.missed(pv),
            (Some(home), _) => guide.found(pv, Some(home)),
            (None, Whom::Server(_)) => guide.missed(pv),
            (None, Whom::Everyone) => guide.give_up(pv),
        }
    }
    lookups
}

/// Lookups for `pvs` PVs, all of which are found.
fn lookups_of_all(servers: u16, pvs: u32, home: impl Fn(u32) -> u16) -> usize {
    let mut guide = Guide::new(usize::from(servers), pvs as usize);
    guide.want(0..pvs);
    let lookups = lookups(&mut guide, servers, |pv| Some(home(pv)));
    assert!(guide.role.iter().all(|role| *role == Role::Found));
    lookups
}

#[test]
fn neighbours_on_a_hundred_servers_cost_little_more_than_one_lookup_each() {
    let lookups = lookups_of_all(100, 1_000_000, |pv| (pv / 10_000) as u16);
    assert!(lookups < 1_080_000, "{lookups}");
}

#[test]
fn smaller_servers_cost_more_but_far_less_than_asking_everyone() {
    let lookups = lookups_of_all(100, 100_000, |pv| (pv / 1000) as u16);
    assert!(lookups < 150_000, "{lookups}");
    let lookups = lookups_of_all(100, 10_000, |pv| (pv / 100) as u16);
    assert!(lookups < 100_000, "{lookups}");
    let lookups = lookups_of_all(3, 3000, |pv| (pv / 1000) as u16);
    assert!(lookups < 3200, "{lookups}");
}

#[test]
fn servers_of_any_size_in_any_order_cost_little() {
    let home = |pv: u32| [7, 3, 3, 9, 0, 1, 5][(pv.max(1).ilog2() / 3) as usize];
    let lookups = lookups_of_all(10, 1_000_000, home);
    assert!(lookups < 1_010_000, "{lookups}");
}

#[test]
fn without_neighbours_every_pv_is_found_all_the_same() {
    let interleaved = lookups_of_all(3, 3000, |pv| (pv % 3) as u16);
    assert!(interleaved < 3000 * 5, "{interleaved}");
    let random = lookups_of_all(100, 20_000, |pv| {
        ((u64::from(pv) * 2_654_435_761 % 0xffff_fffb) % 100) as u16
    });
    assert!(random < 20_000 * 115, "{random}");
}

#[test]
fn one_pv_after_another_is_first_asked_where_the_last_was_found() {
    let mut guide = Guide::new(100, 300);
    let mut all = 0;
    for pv in 0..300 {
        guide.want(pv..pv + 1);
        all += lookups(&mut guide, 100, |pv| Some((pv / 100) as u16));
    }
    assert_eq!(all, 300 + 100 + 2 * 100 - 1);
}

#[test]
fn what_nobody_has_is_asked_of_everyone_and_holds_up_no_other() {
    let mut guide = Guide::new(3, 3000);
    guide.want(0..3000);
    lookups(&mut guide, 3, |pv| Some((pv / 1000) as u16).filter(|server| *server != 1));
    for (pv, role) in guide.role.iter().enumerate() {
        let expected = if pv / 1000 == 1 { Role::Last } else { Role::Found };
        assert_eq!(*role, expected, "{pv}");
    }
}

#[test]
fn an_answer_that_comes_late_counts_and_is_asked_for_no_more() {
    let mut guide = Guide::new(2, 100);
    guide.want(0..100);
    while let Some((pv, whom)) = guide.next() {
        guide.asked();
        match whom {
            Whom::Everyone => guide.found(pv, Some(0)),
            // Missed, and answered in the same moment by somebody else.
            Whom::Server(_) => {
                guide.missed(pv);
                guide.found(pv, Some(1));
            }
        }
    }
    assert!(guide.role.iter().all(|role| *role == Role::Found));
    assert_eq!((guide.step, guide.unsettled), (Step::Over, 0));
}

#[test]
fn a_single_server_is_asked_for_every_pv_once() {
    assert_eq!(lookups_of_all(1, 1000, |_| 0), 1000);
}
