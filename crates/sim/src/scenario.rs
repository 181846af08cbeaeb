//! Owns what a world is like: how long, how busy, and what goes wrong in it.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

/// What may go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Datagrams are lost: 30 of a thousand.
    Loss,
    /// Datagrams come twice: 20 of a thousand.
    Doubles,
    /// Datagrams take up to 120 ms, so that later ones overtake.
    Delay,
    /// A telephone, or the trunk, is cut off for up to 40 s.
    Partition,
    /// Telephones are busy, decline, do not answer, or never say a word.
    Refusals,
    /// Telephones and strangers send what is no SIP.
    Garbage,
    /// Operators transfer callers to another queue.
    Transfers,
    /// Operators call somebody about a caller and give each to the other.
    Consults,
    /// Operators put callers on hold and come back, or do not.
    Holds,
    /// Operators call people outside, who may be busy or never come; the trunk may be full.
    Outside,
    /// Operators take breaks and sign out; supervisors close queues, move calls, give them away.
    Orders,
    /// Callers press keys while something is said to them.
    Keys,
    /// The event file's disk takes up to a second for a sync.
    SlowDisk,
    /// Recordings cannot be stored.
    FullDisk,
    /// No socket for a leg: 5 of a thousand.
    Ports,
    /// The process dies and comes back after a second; what was not synced is gone.
    Crash,
    /// What a crash finds unsynced is on the disk in part.
    TornWrite,
    /// The database is down for up to three minutes, slow, or commits without saying so.
    Database,
    /// Plans and operators are loaded anew.
    Reload,
    /// The wall clock is set, up to two hours either way.
    Clock,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::Loss,
        Self::Doubles,
        Self::Delay,
        Self::Partition,
        Self::Refusals,
        Self::Garbage,
        Self::Transfers,
        Self::Consults,
        Self::Holds,
        Self::Outside,
        Self::Orders,
        Self::Keys,
        Self::SlowDisk,
        Self::FullDisk,
        Self::Ports,
        Self::Crash,
        Self::TornWrite,
        Self::Database,
        Self::Reload,
        Self::Clock,
    ];

    /// The word for it on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Doubles => "doubles",
            Self::Delay => "delay",
            Self::Partition => "partition",
            Self::Refusals => "refusals",
            Self::Garbage => "garbage",
            Self::Transfers => "transfers",
            Self::Consults => "consults",
            Self::Holds => "holds",
            Self::Outside => "outside",
            Self::Orders => "orders",
            Self::Keys => "keys",
            Self::SlowDisk => "slow-disk",
            Self::FullDisk => "full-disk",
            Self::Ports => "ports",
            Self::Crash => "crash",
            Self::TornWrite => "torn-write",
            Self::Database => "database",
            Self::Reload => "reload",
            Self::Clock => "clock",
        }
    }
}

/// Which faults a world has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

/// A word that names no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no fault {word:?}: expected all, none, or some of {}", Fault::ALL.map(Fault::word).join(","))]
pub struct UnknownFault {
    word: String,
}

impl Faults {
    /// All of them.
    #[must_use]
    pub fn all() -> Self {
        Self(Fault::ALL.to_vec())
    }

    /// None of them.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether a world has this one.
    #[must_use]
    pub fn has(&self, fault: Fault) -> bool {
        self.0.contains(&fault)
    }

    /// Those that there are.
    pub fn iter(&self) -> impl Iterator<Item = Fault> {
        self.0.iter().copied()
    }

    /// The same but for one.
    #[must_use]
    pub fn without(&self, fault: Fault) -> Self {
        Self(self.iter().filter(|one| *one != fault).collect())
    }
}

impl FromStr for Faults {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Self::all());
        }
        if text == "none" {
            return Ok(Self::none());
        }
        let known = |word: &str| {
            let fault = Fault::ALL.into_iter().find(|fault| fault.word() == word);
            fault.ok_or_else(|| UnknownFault {
                word: word.to_owned(),
            })
        };
        text.split(',')
            .map(known)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() == Fault::ALL.len() {
            return f.write_str("all");
        }
        if self.0.is_empty() {
            return f.write_str("none");
        }
        let words: Vec<&str> = self.iter().map(Fault::word).collect();
        f.write_str(&words.join(","))
    }
}

/// A world to be lived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Decides everything that chance decides.
    pub seed: u64,
    /// Callers call for so long; what they began is lived to its end.
    pub minutes: u32,
    /// What goes wrong.
    pub faults: Faults,
}

impl Scenario {
    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs(u64::from(self.minutes) * 60)
    }
}

impl fmt::Display for Scenario {
    /// The command that lives it again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            minutes,
            faults,
        } = self;
        write!(
            f,
            "hotline sim --seeds {seed}..{seed} --minutes {minutes} --faults {faults}"
        )
    }
}
