//! Owns what the demo runs on: its folder, settings, plan, operators, and who speaks.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use dialplan::PromptRef;
use journal::operators::{self, Operator, OperatorError};
use load::{
    CallerPattern, DurationRange, LoadSettings, OperatorAccount, OperatorBehaviour, Voices,
};
use sip::Secrets;
use vocab::OperatorId;

use crate::cli;
use crate::prompts;
use crate::settings::Settings;

/// The number of the demo's hotline, as the shipped plan has it.
pub(super) const NUMBER: &str = "1300";

const CALLERS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const OPERATORS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// The shipped plan, so that the program needs no files beside it.
const PLAN: &str = include_str!("../../dialplans/demo/health-line.toml");

const SETTINGS: &str = r#"# Made by `hotline demo`; `hotline journal export --config` reads it.
[sip]
listen = ["127.0.0.1:0"]

[media]
address = "127.0.0.1"

[recordings]
root = "recordings"
spool = "spool"

[journal]
events = "events"
database = "journal.db"

[dialplans]
folder = "dialplans"

[prompts]
folder = "prompts"
cache = "prompt-cache"

[[trunk]]
name = "demo-city"
addresses = ["127.0.0.2"]
country_code = "7"
national_prefix = "8"
area_code = "4242"

[[queue]]
name = "operators"
ring_time = "10s"
wrap_up = "2s"
rest_after_no_answer = "5s"
"#;

const NAMES: [&str; 8] = [
    "Анна Иванова",
    "Олег Петренко",
    "Mary Brown",
    "Елена Смирнова",
    "Тарас Коваль",
    "John Miller",
    "Ольга Ким",
    "Ирина Мельник",
];

/// What callers and operators say, turned into speech where the speech command is there.
const CALLERS_SAY: [(&str, &str); 3] = [
    (
        "ru",
        "Здравствуйте, я хочу записаться на приём к врачу. Мне удобно в среду утром, после девяти часов. Скажите, пожалуйста, какие документы нужно взять с собой?",
    ),
    (
        "uk",
        "Добрий день, у нашому будинку другий день немає гарячої води. Підкажіть, будь ласка, коли її увімкнуть і куди можна звернутися?",
    ),
    (
        "en",
        "Good afternoon. I would like to know the opening hours of the admission office, and whether I can send my documents by mail.",
    ),
];
const OPERATORS_SAY: [(&str, &str); 3] = [
    (
        "ru",
        "Горячая линия, здравствуйте. Слушаю вас внимательно. Назовите, пожалуйста, вашу фамилию, имя и отчество, и я посмотрю свободное время.",
    ),
    (
        "uk",
        "Вітаю, ви зателефонували на гарячу лінію. Я записую вашу заявку. Будь ласка, назвіть адресу та номер квартири.",
    ),
    (
        "en",
        "Hello, thank you for waiting. Let me look this up for you. Could you please tell me your name and the number of your application?",
    ),
];

/// The demo's folder and all that was put into it.
pub(super) struct World {
    pub(super) folder: PathBuf,
    pub(super) settings: Settings,
}

impl World {
    /// Makes the folder ready; one that an earlier demo left is used on.
    pub(super) fn make(args: &cli::Demo) -> anyhow::Result<Self> {
        let folder = match &args.data {
            Some(folder) => folder.clone(),
            None => std::env::temp_dir().join(format!("hotline-demo-{}", std::process::id())),
        };
        refuse_foreign(&folder.join("hotline.toml"))?;
        write(&folder.join("hotline.toml"), SETTINGS)?;
        write(&folder.join("dialplans/health-line.toml"), PLAN)?;
        let folder = folder
            .canonicalize()
            .with_context(|| format!("{} cannot be used", folder.display()))?;
        let file = folder.join("hotline.toml").display().to_string();
        let settings = Settings::parse(&file, SETTINGS)
            .map_err(|problems| anyhow!("the demo's settings: {problems:?}"))?;
        Ok(Self { folder, settings })
    }

    /// The log goes into the folder: the terminal is for the live picture.
    pub(super) fn start_log(&self) -> anyhow::Result<()> {
        let path = self.folder.join("hotline.log");
        let file = fs::File::options()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        let filter = tracing_subscriber::EnvFilter::try_from_env("HOTLINE_LOG")
            .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,sqlx=warn"));
        let log = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_env_filter(filter);
        // A second demo in one process (tests) keeps the first log.
        let _ = log.with_writer(Arc::new(file)).try_init();
        Ok(())
    }

    /// Puts the operators into the journal; the running engine takes note of them.
    pub(super) fn enrol(&self, operators: u16) -> anyhow::Result<Vec<OperatorAccount>> {
        enrol(&self.settings, operators)
    }

    /// The simulated people. A run of `--once` has no mishaps: every call is to be answered.
    pub(super) fn load(
        &self,
        args: &cli::Demo,
        operators: Vec<OperatorAccount>,
        engine: SocketAddr,
    ) -> LoadSettings {
        let seconds =
            |from, to| DurationRange::new(Duration::from_secs(from), Duration::from_secs(to));
        let concurrent = f64::from(args.concurrent);
        let (rate, patience) = if args.once {
            (concurrent.clamp(2.0, 50.0), seconds(3_600, 3_600))
        } else {
            // Somewhat more calls than operators can take: there is a queue to be seen.
            (f64::from(args.operators) / 12.0, seconds(25, 90))
        };
        let mishaps = if args.once { 0.0 } else { 0.04 };
        LoadSettings {
            caller_address: IpAddr::V4(CALLERS),
            operator_address: IpAddr::V4(OPERATORS),
            callers: CallerPattern {
                number: NUMBER.to_owned(),
                calls: args.calls.map(u64::from),
                rate,
                at_once: usize::from(args.concurrent),
                talk: if args.once {
                    seconds(3, 8)
                } else {
                    seconds(8, 20)
                },
                patience,
                ..CallerPattern::default()
            },
            operators,
            behaviour: OperatorBehaviour {
                busy: mishaps,
                reject: mishaps,
                ring_on: mishaps,
                ..OperatorBehaviour::default()
            },
            voices: self.voices(args.seed),
            seed: args.seed,
            ..LoadSettings::new(engine)
        }
    }

    /// Speech of the speech command; made-up voices where it is not there.
    fn voices(&self, seed: u64) -> Voices {
        let speak = |side: &str, texts: &[(&str, &str)]| -> Vec<Arc<[i16]>> {
            let refs: Vec<PromptRef> = (1..)
                .zip(texts)
                .map(|(n, (language, text))| PromptRef {
                    name: format!("{side}-{n}"),
                    language: (*language).to_owned(),
                    text: Some((*text).to_owned()),
                    file: None,
                })
                .collect();
            let library = prompts::prepare(&refs, &self.settings);
            if library.problems.is_empty() {
                library
                    .prompts
                    .into_iter()
                    .map(|prompt| prompt.pcm.into())
                    .collect()
            } else {
                Vec::new()
            }
        };
        let made_up = Voices::generated(seed);
        let or = |spoken: Vec<Arc<[i16]>>, other| if spoken.is_empty() { other } else { spoken };
        Voices {
            callers: or(speak("caller", &CALLERS_SAY), made_up.callers),
            operators: or(speak("operator", &OPERATORS_SAY), made_up.operators),
        }
    }
}

/// Puts the operators into the journal, each with a password that nobody needs to know.
fn enrol(settings: &Settings, operators: u16) -> anyhow::Result<Vec<OperatorAccount>> {
    let database = &settings.journal.database;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut accounts = Vec::new();
        for (n, name) in (0..operators).zip(NAMES.iter().cycle()) {
            let login = format!("operator{}", u32::from(n) + 101);
            let password = password()?;
            let Secrets { sha256, md5 } = Secrets::new(&login, &settings.sip.realm, &password);
            let operator = Operator {
                id: OperatorId(0),
                login: login.clone(),
                name: (*name).to_owned(),
                line: (u32::from(n) + 101).to_string(),
                ha1_sha256: sha256.clone(),
                ha1_md5: md5.clone(),
                skills: Default::default(),
                enabled: true,
                address: None,
            };
            match operators::add(database, operator).await {
                Ok(_) => {}
                // An earlier demo's operator gets a new password.
                Err(OperatorError::LoginTaken(_)) => {
                    operators::set_secrets(database, &login, &sha256, &md5).await?;
                }
                Err(error) => return Err(error.into()),
            }
            accounts.push(OperatorAccount::new(login, password));
        }
        Ok(accounts)
    })
}

/// 128 random bits.
fn password() -> anyhow::Result<String> {
    let bytes: [u8; 16] = crate::boot::random_bytes()?;
    Ok(crate::hex::hex(&bytes))
}

/// Settings that are not the demo's own are somebody's real ones.
fn refuse_foreign(settings: &Path) -> anyhow::Result<()> {
    let ours = SETTINGS.lines().next().unwrap_or_default();
    match fs::read_to_string(settings) {
        Ok(text) if text.lines().next() != Some(ours) => Err(anyhow!(
            "{} was not made by a demo; give --data another folder",
            settings.display()
        )),
        _ => Ok(()),
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    crate::boot::make_parent(path)?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
