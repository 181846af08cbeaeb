//! Prompts by a speech command of ours, a small script, and by the real espeak-ng.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;

/// A folder with settings whose speech command is a script.
struct Place {
    dir: TempDir,
    settings: Settings,
}

impl Place {
    /// The script gets the text file, the output file and the voice as $1, $2 and $3.
    fn with_script(script: &str) -> Self {
        let mut place = Self::with_default_command();
        let path = place.dir.path().join("say.sh");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        // Run by the shell, not by its name: a file just written by a process that forks in
        // other threads may be "busy" for a moment.
        let words = [
            "/bin/sh",
            path.to_str().unwrap(),
            "{text_file}",
            "{output}",
            "{voice}",
        ];
        place.settings.prompts.speech_command = words.map(str::to_owned).to_vec();
        place
    }

    fn with_default_command() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hotline.toml");
        let settings = Settings::parse(file.to_str().unwrap(), "").unwrap();
        Self { dir, settings }
    }

    /// Writes a WAV of a quiet sine at 16 kHz, one second long, below the folder.
    fn wav(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        for at in 0..16_000 {
            let sample = (6_000.0 * (f64::from(at) * 0.2).sin()) as i16;
            writer.write_sample(sample).unwrap();
            writer.write_sample(sample).unwrap();
        }
        writer.finalize().unwrap();
        path
    }

    /// A script that copies a WAV and counts its runs.
    fn with_recorded_speech() -> Self {
        let mut place = Self::with_script("");
        let wav = place.wav("spoken.wav");
        let script = format!(
            "echo \"$3 $(cat \"$1\")\" >> {runs}\ncp {wav} \"$2\"",
            runs = place.dir.path().join("runs").display(),
            wav = wav.display()
        );
        let words = [
            "/bin/sh",
            "-c",
            &script,
            "say",
            "{text_file}",
            "{output}",
            "{voice}",
        ];
        place.settings.prompts.speech_command = words.map(str::to_owned).to_vec();
        place
    }

    fn runs(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.path().join("runs")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

fn spoken(name: &str, language: &str, text: &str) -> PromptRef {
    PromptRef {
        name: name.to_owned(),
        language: language.to_owned(),
        text: Some(text.to_owned()),
        file: None,
    }
}

fn problem(library: &Library) -> String {
    assert_eq!(library.problems.len(), 1, "{:?}", library.problems);
    assert_eq!(library.prompts[0].source, Source::Tone);
    assert!(!library.prompts[0].pcm.is_empty());
    library.problems[0].to_string()
}

#[test]
fn text_becomes_speech_once_and_is_kept() {
    let place = Place::with_recorded_speech();
    let refs = [
        spoken("greeting", "ru", "Здравствуйте"),
        spoken("greeting", "en", "Hello"),
    ];
    let first = prepare(&refs, &place.settings);
    assert_eq!(first.problems, []);
    assert_eq!(first.prompts.len(), 2);
    assert!((7_990..=8_010).contains(&first.prompts[0].pcm.len()));
    assert_eq!(first.prompts[0].source, Source::Speech);
    assert_eq!(prepare(&refs, &place.settings), first);
    assert_eq!(place.runs(), ["ru Здравствуйте", "en-gb Hello"]);
    let kept = fs::read_dir(&place.settings.prompts.cache).unwrap().count();
    assert_eq!(kept, 2, "only finished speech stays in the cache");
}

#[test]
fn a_changed_text_voice_or_command_is_made_anew() {
    let mut place = Place::with_recorded_speech();
    let _ = prepare(&[spoken("a", "ru", "раз")], &place.settings);
    let _ = prepare(&[spoken("a", "ru", "два")], &place.settings);
    place
        .settings
        .prompts
        .voices
        .insert("ru".to_owned(), "other".to_owned());
    let _ = prepare(&[spoken("a", "ru", "два")], &place.settings);
    place
        .settings
        .prompts
        .speech_command
        .push("more".to_owned());
    let _ = prepare(&[spoken("a", "ru", "два")], &place.settings);
    assert_eq!(place.runs(), ["ru раз", "ru два", "other два", "other два"]);
}

#[test]
fn a_damaged_file_in_the_cache_is_made_anew() {
    let place = Place::with_recorded_speech();
    let refs = [spoken("a", "ru", "раз")];
    let first = prepare(&refs, &place.settings);
    let kept = fs::read_dir(&place.settings.prompts.cache)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::write(&kept, b"RIFF").unwrap();
    assert_eq!(prepare(&refs, &place.settings), first);
    assert_eq!(place.runs().len(), 2);
}

#[test]
fn a_wav_file_of_the_same_name_wins_over_the_text() {
    let place = Place::with_recorded_speech();
    let plain = place.wav("prompts/greeting.wav");
    let refs = [spoken("greeting", "ru", "x"), spoken("greeting", "en", "x")];
    let english = place.wav("prompts/en/greeting.wav");
    let library = prepare(&refs, &place.settings);
    let sources: Vec<_> = library
        .prompts
        .iter()
        .map(|one| one.source.clone())
        .collect();
    assert_eq!(sources, [Source::File(plain), Source::File(english)]);
    let named = place.wav("prompts/own/hello.wav");
    let mut with_file = spoken("greeting", "uk", "x");
    with_file.file = Some("own/hello.wav".to_owned());
    let library = prepare(std::slice::from_ref(&with_file), &place.settings);
    assert_eq!(library.prompts[0].source, Source::File(named));
    let beside = place.wav("dialplans/own/hello.wav");
    let library = prepare(&[with_file], &place.settings);
    assert_eq!(library.prompts[0].source, Source::File(beside));
    assert!(place.runs().is_empty());
}

#[test]
fn waiting_music_without_a_file_is_ours() {
    let place = Place::with_script("exit 1");
    for (name, file) in [
        ("music/waiting.wav", None),
        ("waiting", Some("music/waiting.wav")),
    ] {
        let music = PromptRef {
            name: name.to_owned(),
            language: String::new(),
            text: None,
            file: file.map(str::to_owned),
        };
        let library = prepare(std::slice::from_ref(&music), &place.settings);
        assert_eq!(
            (library.problems.len(), &library.prompts[0].source),
            (0, &Source::Music)
        );
        assert_eq!(library.prompts[0].pcm.len(), 12 * 8_000);
    }
    let own = place.wav("prompts/music/waiting.wav");
    let music = PromptRef {
        text: None,
        ..spoken("music/waiting.wav", "", "")
    };
    assert_eq!(
        prepare(&[music], &place.settings).prompts[0].source,
        Source::File(own)
    );
}

#[test]
fn a_failing_command_is_told_with_code_and_first_complaint() {
    let place = Place::with_script("echo; echo 'no such voice' >&2; echo more >&2; exit 3");
    let text = problem(&prepare(&[spoken("greeting", "ru", "x")], &place.settings));
    assert!(
        text.starts_with("prompt \"greeting\" in \"ru\": the speech command `/bin/sh"),
        "{text}"
    );
    assert!(
        text.ends_with("ended with exit code 3: no such voice"),
        "{text}"
    );
    assert_eq!(
        fs::read_dir(&place.settings.prompts.cache).unwrap().count(),
        0
    );
}

#[test]
fn a_command_that_writes_nothing_is_told() {
    let place = Place::with_script("exit 0");
    let text = problem(&prepare(&[spoken("greeting", "ru", "x")], &place.settings));
    assert!(text.contains("made no use of {output}"), "{text}");
}

#[test]
fn a_command_that_hangs_is_stopped_with_its_children() {
    let mut place = Place::with_script("sleep 600 & sleep 600");
    place.settings.prompts.speech_timeout = Duration::from_millis(200);
    let begun = Instant::now();
    let text = problem(&prepare(&[spoken("greeting", "ru", "x")], &place.settings));
    assert!(text.contains("was stopped after"), "{text}");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_missing_command_is_told_in_full_for_every_prompt() {
    let mut place = Place::with_script("");
    place.settings.prompts.speech_command[0] = "surely-no-such-command".to_owned();
    let refs = [spoken("a", "ru", "x"), spoken("b", "ru", "y")];
    let library = prepare(&refs, &place.settings);
    let texts: Vec<_> = library.problems.iter().map(ToString::to_string).collect();
    assert!(
        texts
            .iter()
            .all(|text| text.contains("\"surely-no-such-command\" cannot be run")),
        "{texts:?}"
    );
    assert_eq!(texts.len(), 2);
    assert_eq!(library.prompts.len(), 2);
}

#[test]
fn prompts_that_cannot_be_are_told() {
    let place = Place::with_recorded_speech();
    let bare = PromptRef {
        text: None,
        ..spoken("closed", "uk", "")
    };
    let text = problem(&prepare(&[bare], &place.settings));
    assert!(
        text.contains("no WAV file: looked for") && text.contains("closed.wav"),
        "{text}"
    );
    let text = problem(&prepare(&[spoken("a", "de", "x")], &place.settings));
    assert!(
        text.contains("the language is not in [prompts] languages"),
        "{text}"
    );
    for name in ["../etc/passwd", "/etc/passwd", "a/../../b"] {
        let text = problem(&prepare(&[spoken(name, "ru", "x")], &place.settings));
        assert!(text.contains("below the folder of prompts"), "{text}");
    }
    fs::create_dir_all(&place.settings.prompts.folder).unwrap();
    fs::write(
        place.settings.prompts.folder.join("bad.wav"),
        b"this is no audio",
    )
    .unwrap();
    let text = problem(&prepare(&[spoken("bad", "ru", "x")], &place.settings));
    assert!(text.contains("bad.wav: expected a WAV file"), "{text}");
}

#[test]
fn one_name_means_one_prompt() {
    let place = Place::with_recorded_speech();
    let same = [spoken("a", "ru", "раз"), spoken("a", "ru", "раз")];
    let library = prepare(&same, &place.settings);
    assert_eq!((library.prompts.len(), library.problems.len()), (1, 0));
    let other = [spoken("a", "ru", "раз"), spoken("a", "ru", "два")];
    let library = prepare(&other, &place.settings);
    assert_eq!((library.prompts.len(), library.problems.len()), (1, 1));
    assert!(library.problems[0].to_string().contains("rename one"));
}

#[test]
fn wav_files_of_every_kind_sound_the_same() {
    let place = Place::with_script("exit 1");
    let reference = prepare(
        &[PromptRef {
            file: Some("x.wav".to_owned()),
            ..spoken("x", "ru", "")
        }],
        &{
            place.wav("prompts/x.wav");
            place.settings.clone()
        },
    );
    let reference = &reference.prompts[0].pcm;
    let sine = |at: u32| 6_000.0 / 32_768.0 * (f64::from(at) * 0.2).sin();
    let kinds = [
        (8, hound::SampleFormat::Int),
        (16, hound::SampleFormat::Int),
        (24, hound::SampleFormat::Int),
        (32, hound::SampleFormat::Int),
        (32, hound::SampleFormat::Float),
    ];
    for (bits, format) in kinds {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: bits,
            sample_format: format,
        };
        let path = place.settings.prompts.folder.join("kind.wav");
        let mut writer = hound::WavWriter::create(path, spec).unwrap();
        for at in 0..16_000 {
            match format {
                hound::SampleFormat::Float => writer.write_sample(sine(at) as f32).unwrap(),
                hound::SampleFormat::Int => {
                    let full = f64::from(1u32 << (bits - 1)) - 1.0;
                    writer
                        .write_sample((sine(at) * full).round() as i32)
                        .unwrap();
                }
            }
        }
        writer.finalize().unwrap();
        let library = prepare(&[spoken("kind", "ru", "")], &place.settings);
        assert_eq!(library.problems, []);
        assert!(
            alike(&library.prompts[0].pcm, reference),
            "{bits} bits {format:?}"
        );
    }
}

/// Within 2 % of full scale at every sample: 8 bits are coarse.
fn alike(one: &[i16], other: &[i16]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|(a, b)| (i32::from(*a) - i32::from(*b)).abs() < 650)
}

#[test]
fn an_alaw_file_is_read() {
    let place = Place::with_script("exit 1");
    fs::create_dir_all(&place.settings.prompts.folder).unwrap();
    // RIFF header of one channel at 8 kHz, then a square of 400 Hz at codes of ±4032.
    let data: Vec<u8> = (0..8_000u32)
        .map(|at| if (at / 10) % 2 == 0 { 0x9a } else { 0x1a })
        .collect();
    let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x12\0\0\0\x06\0\x01\0".to_vec();
    bytes.extend(8_000u32.to_le_bytes());
    bytes.extend(8_000u32.to_le_bytes());
    bytes.extend([1, 0, 8, 0, 0, 0]);
    bytes.extend(b"fact\x04\0\0\0\x40\x1f\0\0data");
    bytes.extend(8_000u32.to_le_bytes());
    bytes.extend(&data);
    fs::write(place.settings.prompts.folder.join("law.wav"), bytes).unwrap();
    let library = prepare(&[spoken("law", "ru", "")], &place.settings);
    assert_eq!(library.problems, []);
    let pcm = &library.prompts[0].pcm;
    assert_eq!(pcm.len(), 8_000);
    assert!(
        pcm[0] > 2_000 && pcm[10] == -pcm[0],
        "{} {}",
        pcm[0],
        pcm[10]
    );
}

/// The real command, which scripts/setup installs.
#[test]
fn espeak_speaks_russian_ukrainian_and_english() {
    let place = Place::with_default_command();
    let refs = [
        spoken("greeting", "ru", "Здравствуйте. Разговор записывается."),
        spoken("greeting", "uk", "Добрий день. Розмова записується."),
        spoken("greeting", "en", "Hello. This call is recorded."),
    ];
    let library = prepare(&refs, &place.settings);
    assert_eq!(
        library.problems,
        [],
        "is espeak-ng installed? scripts/setup test"
    );
    for prompt in &library.prompts {
        assert!(
            (8_000..80_000).contains(&prompt.pcm.len()),
            "{}",
            prompt.pcm.len()
        );
        let loudest = prompt
            .pcm
            .iter()
            .map(|one| one.unsigned_abs())
            .max()
            .unwrap();
        assert!(
            (8_000..30_000).contains(&loudest),
            "{}: {loudest}",
            prompt.language
        );
    }
    assert_ne!(library.prompts[0].pcm, library.prompts[1].pcm);
}
