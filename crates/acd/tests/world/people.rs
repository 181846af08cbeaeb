//! Who and what there is in a world: queues with all their rules, operators, chance.

use std::collections::BTreeMap;
use std::time::Duration;

use acd::{
    Attendance, BreakSettings, Failures, Hours, Levels, Limits, Membership, OperatorSettings,
    Overflow, QueueSettings, Relaxation, Reserve, Ringing, SkillNeed, StaffRule, Strategy,
    Unstaffed, WrapUp,
};
use vocab::{OperatorId, QueueId, SplitMix64};

pub const OPERATORS: u32 = 9;
pub const QUEUES: u16 = 5;
pub const RETRY: Duration = Duration::from_secs(4);
pub const REST: Duration = Duration::from_secs(20);
pub const RING: Duration = Duration::from_secs(12);
/// The ring time of operators who have one of their own.
pub const RING_OWN: Duration = Duration::from_secs(15);
pub const LENGTH_MAX: usize = 12;
pub const STICKY: Duration = Duration::from_secs(15);
pub const KEEP: Duration = Duration::from_secs(40);
pub const LANGUAGES: [&str; 2] = ["ru", "uk"];

/// The seed is the whole world.
pub struct Random(SplitMix64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub fn ms(&mut self, bound: u64) -> Duration {
        Duration::from_micros(self.below(bound * 1_000) + 1)
    }

    pub fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

/// The queues: each has other rules, and in each world other strategies.
pub fn queues(random: &mut Random) -> Vec<QueueSettings> {
    (0..QUEUES)
        .map(|number| queue(random, QueueId(number)))
        .collect()
}

fn queue(random: &mut Random, id: QueueId) -> QueueSettings {
    let mut queue = QueueSettings {
        ring_time: RING,
        failures: Failures::new(RETRY, REST),
        wrap_up: WrapUp::Fixed(Duration::from_secs(3)),
        wait_max: Some(Duration::from_secs(90)),
        length_max: LENGTH_MAX,
        strategy: random.of(&[
            Strategy::LongestIdle,
            Strategy::FewestCalls,
            Strategy::LeastTalk,
            Strategy::RoundRobin,
            Strategy::Linear,
            Strategy::WeightedRandom,
        ]),
        levels: random.of(&[Levels::HighestFirst, Levels::Alike]),
        ..QueueSettings::new(id, &format!("queue{}", id.0))
    };
    match id.0 {
        // For everybody; its own operator first, and a place that is kept.
        0 => {
            queue.sticky = Some(STICKY);
            queue.keep_place = Some(KEEP);
            queue.wrap_up = WrapUp::Optional(Duration::from_secs(5));
        }
        // A skill at a level, eased; overflows when full.
        1 => {
            let limits = Limits { min: 50, max: 90 };
            queue.skills = vec![SkillNeed::within("health", limits)];
            queue.relaxation = vec![
                Relaxation {
                    after: Duration::from_secs(10),
                    levels_by: 30,
                    ..Relaxation::default()
                },
                Relaxation {
                    after: Duration::from_secs(40),
                    anyone: true,
                    ..Relaxation::default()
                },
            ];
            queue.on_full = Overflow::Queue(QueueId(0));
            queue.wrap_up = WrapUp::UntilEntry(Duration::from_secs(6));
        }
        // Two skills, one dropped after a while; rings at all.
        2 => {
            queue.skills = vec![SkillNeed::required("water"), SkillNeed::preferred("health")];
            queue.relaxation = vec![Relaxation {
                after: Duration::from_secs(25),
                drop: vec!["water".to_owned()],
                ..Relaxation::default()
            }];
            queue.ringing = Ringing::All(3);
            queue.on_wait_max = Overflow::Voicemail;
        }
        // Progressive, with a reserve; leaves when nobody serves it.
        3 => {
            queue.ringing = Ringing::Progressive {
                every: Duration::from_secs(4),
                max: 3,
            };
            queue.reserve = Reserve {
                length: Some(4),
                wait: Some(Duration::from_secs(30)),
            };
            queue.priority = 1;
            queue.failures.no_answer.not_ready_from = 2;
            queue.unstaffed = vec![StaffRule {
                cause: Unstaffed::AllOnBreak,
                refuses: true,
                leave_after: Some(Duration::from_secs(8)),
                then: Overflow::Plan,
            }];
        }
        // Members only; its callers may be called back.
        _ => {
            queue.members_only = true;
            queue.on_wait_max = Overflow::Queue(QueueId(3));
            queue.credit = Duration::from_secs(5);
        }
    }
    queue
}

pub fn breaks() -> Vec<BreakSettings> {
    vec![
        BreakSettings {
            reason: "lunch".to_owned(),
            daily_max: None,
            hours: Vec::new(),
        },
        BreakSettings {
            reason: "technical".to_owned(),
            daily_max: Some(Duration::from_secs(30)),
            hours: vec![Hours {
                from: Duration::from_secs(300),
                to: Duration::from_secs(600),
            }],
        },
    ]
}

/// The table of operators, with other skills each time.
pub fn operators(random: &mut Random) -> Vec<OperatorSettings> {
    let all = (0..OPERATORS).map(OperatorId);
    all.filter_map(|id| {
        let listed = id.0 < 2 || random.percent(85);
        listed.then(|| operator(random, id))
    })
    .collect()
}

fn operator(random: &mut Random, id: OperatorId) -> OperatorSettings {
    let mut skills = BTreeMap::new();
    for skill in ["health", "water", "ru", "uk"] {
        if random.percent(70) {
            let level = u8::try_from(random.below(6) * 20).unwrap();
            skills.insert(skill.to_owned(), level);
        }
    }
    let mut settings = OperatorSettings::new(id, skills);
    if id.0 >= 3 {
        for queue in 0..QUEUES {
            if random.percent(70) {
                settings.queues.push(Membership {
                    queue: QueueId(queue),
                    order: u8::try_from(random.below(2)).unwrap(),
                    delay: random.of(&[Duration::ZERO, Duration::ZERO, Duration::from_secs(8)]),
                    reserve: queue == 3 && random.percent(30),
                    ring_time: None,
                });
            }
        }
    }
    settings.ring_time = id.0.is_multiple_of(3).then_some(RING_OWN);
    settings.weight = u16::try_from(1 + random.below(4)).unwrap();
    if id.0 % 4 == 1 {
        settings.attendance = Attendance::BySignIn;
    }
    settings
}
