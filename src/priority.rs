//! Owns which of our threads go first when there is more work than processors. Refuses to insist: where
//! the system forbids it, all work as they would without.

/// Of the threads between a SIP message and its answer: they have little to do, and a caller waits.
pub(crate) const CALL_CONTROL: i32 = -15;
/// Of what may take its time.
pub(crate) const KEEPING: i32 = 15;

/// Sets the nice value of the thread that calls it, from -20 (first) to 19. Below 0 it takes
/// `CAP_SYS_NICE`, or `LimitNICE=` of the unit.
pub(crate) fn set(nice: i32) {
    // On Linux this is the thread's own.
    if let Err(problem) = rustix::process::setpriority_process(None, nice) {
        tracing::debug!(nice, %problem, "the priority of a thread stays as it is");
    }
}
