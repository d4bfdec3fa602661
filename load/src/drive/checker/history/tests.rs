#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

/// A client's doing: when it begins and ends, and when in between the server does it.
#[derive(Debug, Clone, Copy)]
struct Doing {
    is_upload: bool,
    /// An upload whose answer never comes.
    is_unanswered: bool,
    start: u32,
    effect: u32,
    end: u32,
}

/// What happens, in the order of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Start,
    Effect,
    End,
}

/// How a server may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Right,
    /// Answers reads with the version before the newest.
    OneBehind,
    /// Answers an upload, and forgets it.
    Forgetful,
}

fn doings() -> impl Strategy<Value = Vec<Doing>> {
    let doing = (any::<bool>(), 0..8_u8, 0..60_u32, 1..12_u32, 1..12_u32);
    let doing = doing.prop_map(|(is_upload, answer, start, effect, rest)| Doing {
        is_upload,
        is_unanswered: is_upload && answer == 0,
        start,
        effect: start + effect,
        end: start + effect + rest,
    });
    prop::collection::vec(doing, 1..40)
}

/// Lets a server do all that clients ask; what the history says of each read, in the order in which
/// they end.
fn run(doings: &[Doing], server: Server) -> Vec<Found> {
    let mut events = Vec::new();
    for (number, doing) in doings.iter().enumerate() {
        events.push((doing.start, Event::Start, number));
        events.push((doing.effect, Event::Effect, number));
        events.push((doing.end, Event::End, number));
    }
    events.sort_unstable();
    let mut history = History::default();
    let mut held = vec![BEFORE];
    let mut tickets = vec![0; doings.len()];
    let mut returned = vec![BEFORE; doings.len()];
    let mut found = Vec::new();
    for (_, event, number) in events {
        let doing = doings[number];
        match (event, doing.is_upload) {
            (Event::Start, true) => tickets[number] = history.begin_upload(),
            (Event::Start, false) => tickets[number] = history.begin_read(),
            (Event::Effect, true) => {
                if server != Server::Forgetful {
                    held.push(tickets[number]);
                }
            }
            (Event::Effect, false) => {
                let behind = usize::from(server == Server::OneBehind && held.len() > 1);
                returned[number] = held[held.len() - 1 - behind];
            }
            (Event::End, true) if doing.is_unanswered => {}
            (Event::End, true) => history.acknowledge(tickets[number]),
            (Event::End, false) => {
                found.push(history.end_read(tickets[number], returned[number]));
            }
        }
    }
    found
}

/// One after the other, with nothing at once.
fn in_turn(uploads: &[bool]) -> Vec<Doing> {
    let doing = |(place, is_upload): (usize, &bool)| Doing {
        is_upload: *is_upload,
        is_unanswered: false,
        start: place as u32 * 10,
        effect: place as u32 * 10 + 1,
        end: place as u32 * 10 + 2,
    };
    uploads.iter().enumerate().map(doing).collect()
}

/// An operation as somebody sees it who knows nothing of the server.
#[derive(Debug, Clone, Copy)]
struct Operation {
    is_upload: bool,
    version: u64,
    start: u64,
    end: u64,
}

/// Whether some order of the operations, each between its start and its end, explains every read:
/// all orders are tried.
fn is_explained(left: &[Operation], held: u64) -> bool {
    if left.iter().all(|operation| operation.end == u64::MAX) {
        return true;
    }
    let first_end = left.iter().map(|operation| operation.end).min();
    (0..left.len()).any(|place| {
        let next = left[place];
        let may_be_next = Some(next.start) < first_end && (next.is_upload || next.version == held);
        let mut rest = left.to_vec();
        rest.remove(place);
        may_be_next && is_explained(&rest, if next.is_upload { next.version } else { held })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_right_server_is_never_blamed(doings in doings()) {
        for found in run(&doings, Server::Right) {
            prop_assert_eq!(found, Found::Current);
        }
    }

    #[test]
    fn old_versions_are_caught_when_nothing_happens_at_once(
        uploads in prop::collection::vec(any::<bool>(), 1..60),
    ) {
        for server in [Server::OneBehind, Server::Forgetful] {
            let mut acknowledged = false;
            let found = run(&in_turn(&uploads), server);
            let mut found = found.into_iter();
            for is_upload in &uploads {
                acknowledged |= is_upload;
                if !is_upload {
                    let expected = if acknowledged { Found::Outdated } else { Found::Current };
                    prop_assert_eq!(found.next().unwrap(), expected, "{:?}", server);
                }
            }
        }
    }

    /// The verdict is exact: the first read to be blamed is the first for which no order of all that
    /// was done exists.
    #[test]
    fn a_read_is_blamed_exactly_when_no_order_explains_it(
        steps in prop::collection::vec((0..5_u8, 0..4_u64), 1..22),
    ) {
        let mut history = History { tidy_at: 1, ..History::default() };
        let mut operations: Vec<Operation> = Vec::new();
        let mut open: Vec<(usize, u64)> = Vec::new();
        for (now, (step, choice)) in (1_u64..).zip(steps) {
            if step < 2 && open.len() < 4 {
                let is_upload = step == 0;
                let (ticket, version) = if is_upload {
                    let version = history.begin_upload();
                    (version, version)
                } else {
                    (history.begin_read(), BEFORE)
                };
                open.push((operations.len(), ticket));
                operations.push(Operation { is_upload, version, start: now, end: u64::MAX });
            } else if !open.is_empty() {
                let (place, ticket) = open.remove(choice as usize % open.len());
                operations[place].end = now;
                if operations[place].is_upload {
                    history.acknowledge(ticket);
                    continue;
                }
                operations[place].version = choice.min(history.newest);
                let found = history.end_read(ticket, operations[place].version);
                // Reads that have not ended say nothing yet; uploads may have taken effect.
                let so_far: Vec<Operation> = operations
                    .iter()
                    .copied()
                    .filter(|operation| operation.is_upload || operation.end != u64::MAX)
                    .collect();
                prop_assert_eq!(found == Found::Current, is_explained(&so_far, BEFORE), "{:?}", operations);
                if found != Found::Current {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_key_under_constant_load_is_remembered_in_little() {
    let mut history = History::default();
    let mut reading = history.begin_read();
    for _ in 0..10_000 {
        let version = history.begin_upload();
        history.acknowledge(version);
        let next = history.begin_read();
        assert_eq!(history.end_read(reading, version), Found::Current);
        reading = next;
    }
    assert!(
        history.versions.len() <= 2 * TIDY_FROM,
        "{}",
        history.versions.len()
    );
}
