//! Owns the way of commands to one media thread, in the order given: a bounded ring, and a place
//! aside for what finds it full. Refuses to obey them, and to wait for the thread.
//!
//! Only an `Open` is ever refused: a call that cannot begin is told so, one that is up cannot do
//! without any of its commands (a lost `Bridge` is a silent talk without a recording, a lost
//! `Play` a call that waits for its end for ever). The place aside is bounded by the legs that are
//! open, as none is opened while anything waits there, and each call has but a few commands to
//! give before it waits for an answer or is over.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use vocab::media::{MediaCommand, PromptId};
use vocab::{CallId, LegId};

use crate::audio::Audio;
use crate::ports::Pair;

/// Of the ring, this part is kept for legs that are open already.
const RING_RESERVE: usize = 4;

/// What a thread is told.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are commands: a box would be an allocation for each"
)]
pub(crate) enum Control {
    Command(MediaCommand),
    /// A leg whose ports are bound; that it is open is told already.
    Open {
        call: CallId,
        leg: LegId,
        sockets: Pair,
    },
    Prompts(BTreeMap<PromptId, Audio>),
    /// Nothing will play these any more.
    Forget(BTreeSet<PromptId>),
}

/// The end of those who give commands.
pub(crate) struct Lane {
    sender: Sender<Control>,
    aside: Arc<Aside>,
    /// Opens are refused when so many commands wait.
    opens_max: usize,
}

/// The end of the thread.
pub(crate) struct Inbox {
    receiver: Receiver<Control>,
    aside: Arc<Aside>,
    /// Taken from aside and not obeyed yet. What is in the ring meanwhile was given before.
    taken: VecDeque<MediaCommand>,
}

/// Commands that found the ring full, and those after them.
struct Aside {
    /// `None` once the thread has ended.
    commands: Mutex<Option<VecDeque<MediaCommand>>>,
    /// From the first command aside until the thread has obeyed the last of them: no command goes
    /// into the ring. Changed under the lock only. Sequentially consistent, as is the flag of the
    /// waker: who sees the one sees the other.
    waits: AtomicBool,
}

/// What became of a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Handed {
    /// It is in the ring.
    InTime,
    /// It waits aside.
    Aside,
    /// It is an `Open` and there is no room for it.
    Refused(MediaCommand),
    /// The thread has ended.
    Gone(MediaCommand),
}

/// Both ends of a lane whose ring holds so many commands.
pub(crate) fn pair(ring: usize) -> (Lane, Inbox) {
    let ring = ring.max(RING_RESERVE);
    let (sender, receiver) = bounded(ring);
    let aside = Arc::new(Aside {
        commands: Mutex::new(Some(VecDeque::new())),
        waits: AtomicBool::new(false),
    });
    let lane = Lane {
        sender,
        aside: Arc::clone(&aside),
        opens_max: ring - ring / RING_RESERVE,
    };
    let inbox = Inbox {
        receiver,
        aside,
        taken: VecDeque::new(),
    };
    (lane, inbox)
}

impl Lane {
    /// Hands a command over. Never waits for the thread.
    pub(crate) fn hand(&self, command: MediaCommand) -> Handed {
        let opening = matches!(command, MediaCommand::Open { .. });
        let waits = self.aside.waits.load(Ordering::SeqCst);
        if opening && (waits || self.sender.len() >= self.opens_max) {
            return Handed::Refused(command);
        }
        if waits {
            return self.put_aside(command);
        }
        match self.sender.try_send(Control::Command(command)) {
            Ok(()) => Handed::InTime,
            Err(TrySendError::Full(Control::Command(command))) if opening => {
                Handed::Refused(command)
            }
            Err(TrySendError::Full(Control::Command(command))) => self.put_aside(command),
            Err(TrySendError::Disconnected(Control::Command(command))) => Handed::Gone(command),
            // It was a command that went in.
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Handed::InTime,
        }
    }

    /// Hands over a leg whose ports are bound already; false where an `Open` is refused.
    pub(crate) fn hand_open(&self, call: CallId, leg: LegId, sockets: Pair) -> bool {
        let waits = self.aside.waits.load(Ordering::SeqCst);
        let open = Control::Open { call, leg, sockets };
        !waits && self.sender.len() < self.opens_max && self.sender.try_send(open).is_ok()
    }

    /// Hands over prompts; waits for room in the ring. Goes past what waits aside, which then
    /// plays the newer version.
    pub(crate) fn hand_prompts(&self, prompts: BTreeMap<PromptId, Audio>) {
        // Fails only if the thread has ended, and then nobody plays anything.
        let _ = self.sender.send(Control::Prompts(prompts));
    }

    /// Says which prompts nothing will play any more.
    pub(crate) fn hand_forgotten(&self, prompts: BTreeSet<PromptId>) {
        let _ = self.sender.send(Control::Forget(prompts));
    }

    fn put_aside(&self, command: MediaCommand) -> Handed {
        let mut commands = self.aside.lock();
        let Some(commands) = commands.as_mut() else {
            return Handed::Gone(command);
        };
        commands.push_back(command);
        self.aside.waits.store(true, Ordering::SeqCst);
        Handed::Aside
    }
}

impl Inbox {
    /// The next in order; `None` if nothing waits.
    ///
    /// The ring is emptied before what was taken from aside, as whoever puts a command aside has
    /// put all its former ones into the ring, and puts none into it until `waits` is false.
    pub(crate) fn next(&mut self) -> Option<Control> {
        loop {
            if let Ok(control) = self.receiver.try_recv() {
                return Some(control);
            }
            if let Some(command) = self.taken.pop_front() {
                return Some(Control::Command(command));
            }
            if !self.take_aside() {
                return None;
            }
        }
    }

    /// False if nothing waits aside; the ring is in use again.
    fn take_aside(&mut self) -> bool {
        if !self.aside.waits.load(Ordering::SeqCst) {
            return false;
        }
        let mut commands = self.aside.lock();
        if let Some(commands) = commands.as_mut() {
            mem::swap(commands, &mut self.taken);
        }
        if self.taken.is_empty() {
            self.aside.waits.store(false, Ordering::SeqCst);
        }
        !self.taken.is_empty()
    }
}

impl Drop for Inbox {
    /// The thread has ended: nothing piles up for it.
    fn drop(&mut self) {
        *self.aside.lock() = None;
    }
}

impl Aside {
    fn lock(&self) -> MutexGuard<'_, Option<VecDeque<MediaCommand>>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    const CALL: CallId = CallId::new(1, 1);
    const LEG: LegId = LegId::new(1, 1);

    fn play(token: u32) -> MediaCommand {
        MediaCommand::Play {
            call: CALL,
            leg: LEG,
            prompt: PromptId(1),
            repeat: false,
            token,
        }
    }

    fn open() -> MediaCommand {
        MediaCommand::Open {
            call: CALL,
            leg: LEG,
        }
    }

    fn next(inbox: &mut Inbox) -> Option<u32> {
        match inbox.next()? {
            Control::Command(MediaCommand::Play { token, .. }) => Some(token),
            Control::Command(other) => panic!("{other:?}"),
            Control::Open { .. } | Control::Prompts(_) | Control::Forget(_) => panic!("a command"),
        }
    }

    #[test]
    fn what_waits_aside_and_what_comes_after_it_keeps_its_order() {
        let (lane, mut inbox) = pair(4);
        let mut given = 0;
        let mut give = |count, want: Handed| {
            for _ in 0..count {
                assert_eq!(lane.hand(play(given)), want);
                given += 1;
            }
        };
        // The thread has found the ring empty; then, before it looks aside, this comes.
        assert_eq!(next(&mut inbox), None);
        give(4, Handed::InTime);
        give(3, Handed::Aside);
        assert_eq!(next(&mut inbox), Some(0));
        // There is room in the ring again, and it is not used.
        give(1, Handed::Aside);
        for token in 1..6 {
            assert_eq!(next(&mut inbox), Some(token));
        }
        // In the middle of what was taken from aside.
        give(2, Handed::Aside);
        for token in 6..10 {
            assert_eq!(next(&mut inbox), Some(token));
        }
        give(1, Handed::Aside);
        assert_eq!((next(&mut inbox), next(&mut inbox)), (Some(10), None));
        give(1, Handed::InTime);
        assert_eq!((next(&mut inbox), next(&mut inbox)), (Some(11), None));
    }

    #[test]
    fn only_an_open_is_refused_and_it_is_while_anything_waits_aside() {
        let (lane, mut inbox) = pair(4);
        for token in 0..3 {
            assert_eq!(lane.hand(play(token)), Handed::InTime);
        }
        assert_eq!(lane.hand(open()), Handed::Refused(open()), "the reserve");
        assert_eq!(lane.hand(play(3)), Handed::InTime);
        assert_eq!(lane.hand(play(4)), Handed::Aside);
        for token in 0..4 {
            assert_eq!(next(&mut inbox), Some(token));
        }
        assert_eq!(lane.hand(open()), Handed::Refused(open()), "one is aside");
        assert_eq!((next(&mut inbox), next(&mut inbox)), (Some(4), None));
        assert_eq!(lane.hand(open()), Handed::InTime);
    }

    #[test]
    fn a_thread_that_has_ended_is_told_of_also_while_commands_wait_aside() {
        let (lane, inbox) = pair(4);
        for token in 0..6 {
            lane.hand(play(token));
        }
        drop(inbox);
        assert_eq!(lane.hand(play(6)), Handed::Gone(play(6)));
        let (lane, inbox) = pair(4);
        drop(inbox);
        assert_eq!(lane.hand(play(0)), Handed::Gone(play(0)));
    }

    #[test]
    fn commands_of_several_threads_keep_the_order_of_each() {
        const EACH: u32 = 20_000;
        let (lane, mut inbox) = pair(4);
        let mut next_of = [0; 2];
        std::thread::scope(|scope| {
            for sender in 0..2 {
                let lane = &lane;
                scope.spawn(move || {
                    for number in 0..EACH {
                        lane.hand(play(sender * EACH + number));
                    }
                });
            }
            let end = Instant::now() + Duration::from_secs(30);
            while next_of != [EACH; 2] {
                assert!(Instant::now() < end, "commands are missing: {next_of:?}");
                if let Some(token) = next(&mut inbox) {
                    let place = &mut next_of[(token / EACH) as usize];
                    assert_eq!(token % EACH, *place);
                    *place += 1;
                } else {
                    std::thread::yield_now();
                }
            }
        });
        assert_eq!(next(&mut inbox), None);
    }
}
