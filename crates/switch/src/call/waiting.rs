//! Owns what is told of a call that begins to wait in a queue and waits no more, and the recording of what
//! its caller says and hears meanwhile, where the plan wants that.

use vocab::media::{MediaCommand, RecordingKey};
use vocab::{Fact, QueueOutcome};

use super::Call;
use super::steps::{Place, told};
use crate::context::Context;

impl Call {
    /// The call waits at a place from now on, with these skills asked for.
    pub(super) fn entered_queue(
        &mut self,
        ctx: &mut Context,
        place: &Place,
        skills: &[acd::SkillNeed],
    ) {
        let (call, queue) = (self.id, place.name.clone());
        ctx.record(Fact::QueueEntered {
            call,
            queue: queue.clone(),
            priority: place.priority,
            skills: told(skills),
        });
        // Nobody is there yet whom the engine calls back once an operator has answered.
        if !place.wait_recorded || self.awaits_operator() {
            return;
        }
        self.segments = self.segments.saturating_add(1);
        let segment = self.segments;
        self.recorded_wait = true;
        ctx.record(Fact::WaitRecorded {
            call,
            segment,
            queue,
        });
        ctx.media(MediaCommand::RecordWait {
            call,
            leg: self.first,
            record: RecordingKey { call, segment },
        });
    }

    /// It waits no more.
    pub(super) fn left_queue(&mut self, ctx: &mut Context, queue: String, outcome: QueueOutcome) {
        let call = self.id;
        if core::mem::take(&mut self.recorded_wait) {
            ctx.media(MediaCommand::EndRecord {
                call,
                leg: self.first,
                keep: true,
            });
        }
        ctx.record(Fact::QueueLeft {
            call,
            queue,
            outcome,
        });
    }
}
