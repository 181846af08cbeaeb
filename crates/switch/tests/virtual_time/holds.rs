//! Hold in virtual time: its three spellings, what the other side hears, what the journal gets.

use core::time::Duration;

use crate::world::session::{ask, body, described, end, holds, kinds, of_operator, remotes, talk};
use crate::world::{OFFER, World, phone, trunk};
use sip::{HeaderName, Message, Method};
use vocab::HeldBy;
use vocab::media::{MediaCommand, PromptId};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_operator_holds_in_each_of_the_three_spellings_and_the_caller_hears_music() {
    let told = OFFER
        .replace("192.0.2.10", "203.0.113.1")
        .replace("8 0 101", "8 101");
    let old = told.replace("c=IN IP4 203.0.113.1", "c=IN IP4 0.0.0.0");
    let spellings = [
        format!("{told}a=sendonly\r\n"),
        format!("{told}a=inactive\r\n"),
        old,
        // With another codec than before.
        format!("{}a=sendonly\r\n", told.replace("8 101", "0 101")),
    ];
    for hold in spellings {
        let mut world = World::new().with_operators(1);
        let (caller, (ring, answer)) = talk(&mut world);
        let before = world.commands.len();
        for (number, offer) in [(1, hold.as_str()), (2, hold.as_str())] {
            let invite = of_operator(&mut world, &ring, &answer, Method::Invite, number);
            world.send(phone(1), &described(invite.clone(), offer));
            let held = world.response(phone(1));
            assert_eq!(held.status(), Some(200), "{offer}");
            assert!(!body(&held).contains("sendrecv"), "{offer}");
            let mut ack = of_operator(&mut world, &ring, &answer, Method::Ack, number);
            ack.headers.remove(&HeaderName::Contact);
            world.send(phone(1), &ack);
        }
        assert_eq!(holds(&world), [(true, HeldBy::Operator)], "once: {hold}");
        let music = world.commands[before..].iter().any(|command| {
            matches!(
                command,
                MediaCommand::Play {
                    prompt: PromptId(2),
                    repeat: true,
                    ..
                }
            )
        });
        assert!(music, "{hold}");
        // Minutes of silence are no reason to hang up.
        world.pass(300 * SECOND);
        assert!(world.ended().is_empty());
        let invite = of_operator(&mut world, &ring, &answer, Method::Invite, 3);
        world.send(phone(1), &described(invite, &told));
        let resumed = world.response(phone(1));
        assert!(body(&resumed).contains("sendrecv"));
        let mut ack = of_operator(&mut world, &ring, &answer, Method::Ack, 3);
        ack.headers.remove(&HeaderName::Contact);
        world.send(phone(1), &ack);
        assert_eq!(
            holds(&world),
            [(true, HeldBy::Operator), (false, HeldBy::Operator)]
        );
        let stopped = world
            .commands
            .iter()
            .rev()
            .any(|c| matches!(c, MediaCommand::Stop { .. }));
        assert!(stopped);
        end(&mut world, &caller, 2);
    }
}

#[test]
fn the_version_of_our_description_grows_with_changes_only() {
    let version = |response: &Message| {
        let text = body(response);
        let origin = text.lines().find(|line| line.starts_with("o=")).unwrap();
        origin.split(' ').nth(2).unwrap().parse::<u64>().unwrap()
    };
    let mut world = World::new().with_operators(1);
    let (caller, _) = talk(&mut world);
    let first = version(&caller.1);
    let mut versions = Vec::new();
    let hold = format!("{OFFER}a=sendonly\r\n");
    for (number, offer) in (2..).zip([OFFER, &hold, &hold, OFFER]) {
        let update = ask(&mut world, &caller, Method::Update, number);
        world.send(trunk(), &described(update, offer));
        versions.push(version(&world.response(trunk())) - first);
    }
    assert_eq!(versions, [0, 1, 1, 2]);
    assert_eq!(
        holds(&world),
        [(true, HeldBy::Caller), (false, HeldBy::Caller)]
    );
    assert_eq!(remotes(&world, false), 2);
    end(&mut world, &caller, 6);
}

#[test]
fn a_hold_ends_with_the_talk_and_before_it_in_the_journal() {
    let mut world = World::new().with_operators(1);
    let (caller, _) = talk(&mut world);
    let update = ask(&mut world, &caller, Method::Update, 2);
    world.send(
        trunk(),
        &described(update, &format!("{OFFER}a=inactive\r\n")),
    );
    end(&mut world, &caller, 3);
    let mut kinds = kinds(&world);
    // The operator is free again after it.
    kinds.retain(|kind| kind != "WrapUpEnded");
    assert_eq!(
        kinds[kinds.len() - 4..],
        ["HoldStarted", "HoldEnded", "SegmentEnded", "CallEnded"]
    );
}
