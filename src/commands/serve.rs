//! Owns `hotline serve`: the engine from its start to a signal.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use sip::Transport;
use tokio::signal::unix::{SignalKind, signal};

use crate::boot::{Begin, Engine};
use crate::settings::Settings;

/// How often it is looked whether all parts live and, after a signal, whether calls are up.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) fn serve(settings: &Settings, begin: Begin) -> anyhow::Result<ExitCode> {
    super::start_log(settings);
    let engine = Engine::start(settings, begin)?;
    announce(&engine)?;
    let ended = engine.block_on(until_stopped(&engine, settings));
    let stopped = engine.stop()?;
    ended?;
    if stopped.facts_lost > 0 {
        anyhow::bail!(
            "{} facts could not be written to the disk",
            stopped.facts_lost
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// One line for whoever started us: where SIP is taken, with real ports.
fn announce(engine: &Engine) -> std::io::Result<()> {
    let mut line = String::from("ready");
    for (name, protocol) in [
        ("sip", Transport::Udp),
        ("tcp", Transport::Tcp),
        ("tls", Transport::Tls),
        ("ws", Transport::Ws),
        ("wss", Transport::Wss),
    ] {
        let of_it = engine
            .listening()
            .iter()
            .filter(|(one, _)| *one == protocol);
        let addresses: Vec<String> = of_it.map(|(_, address)| address.to_string()).collect();
        if !addresses.is_empty() {
            line.push_str(&format!(" {name}={}", addresses.join(",")));
        }
    }
    if let Some(address) = engine.api() {
        line.push_str(&format!(" http={address}"));
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// The first signal lets calls finish, the second ends at once; so does a part that has died.
/// SIGHUP loads the plans anew.
async fn until_stopped(engine: &Engine, settings: &Settings) -> anyhow::Result<()> {
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut drained = false;
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hang_up.recv() => {
                // Nothing else runs on this thread: the engine does not notice the wait.
                engine.reload_plans(settings);
                continue;
            }
            () = tokio::time::sleep(LOOK_EVERY) => {
                if let Some(failure) = engine.failure() {
                    anyhow::bail!(failure);
                }
                let picture = engine.picture();
                if picture.process.draining && picture.calls == 0 {
                    return Ok(());
                }
                continue;
            }
        }
        if drained {
            return Ok(());
        }
        drained = true;
        let calls = engine.picture().calls;
        tracing::info!(
            calls,
            "taking no new calls; a second signal ends those that are up"
        );
        engine.drain();
    }
}
