//! Owns the settings themselves: every key once, with its kind, default, range and reason.
//!
//! `hotline.sample.toml` and `docs/settings.md` are generated from here; the test
//! `generated_texts_are_up_to_date` says how.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use journal::Location;
use switch::Network;

use super::bucket::ArchiveBucket;
use super::callers::CallerList;
use super::daily::DailyReport;
use super::define::{Section, Table, section};
use super::duty::{Break, CallbackFirst, Duty, FeatureCodes, HoursWanted, WrapUpEnd};
use super::kinds::{
    Audience, Backend, Codec, Digest, Dtmf, Encryption, LogFormat, LogLevel, Messages, PortRange,
    Protection, RecordingFormat, Reliable, Size, Strangers, TelephoneProtection, Tones, Zone,
};
use super::overflow::{Elsewhere, FailureRule, UnservedRule};
use super::queues::{CallLanguage, Levels, Member, SkillWanted, Step, Strategy};
use super::trunks::{CallerPlace, DialForm, DidPlace, EarlyMedia, SipServer, TransferBy};
use super::webhooks::Webhook;

/// Every section, in the order of the sample file.
pub(super) const SECTIONS: &[Section] = &[
    Sip::SECTION,
    Limits::SECTION,
    Registrar::SECTION,
    Media::SECTION,
    Recordings::SECTION,
    Retention::SECTION,
    ArchiveBucket::SECTION,
    Journal::SECTION,
    DailyReport::SECTION,
    Api::SECTION,
    Trace::SECTION,
    InputLog::SECTION,
    Dialplans::SECTION,
    Prompts::SECTION,
    Log::SECTION,
    OperatorCalls::SECTION,
    Supervision::SECTION,
    Duty::SECTION,
    FeatureCodes::SECTION,
    Break::SECTION,
    CallerList::SECTION,
    Trunk::SECTION,
    Queue::SECTION,
    Webhook::SECTION,
];

section! {
    /// Signalling: where telephones and trunks reach the engine.
    one Sip "sip" {
        /// Addresses on which SIP over UDP is taken; port 0 means any free port.
        listen: Vec<SocketAddr> = Default "[\"0.0.0.0:5060\"]";
        /// Addresses on which SIP over TCP is taken. Without it those of listen, with the same ports;
        /// an empty list means no TCP at all.
        tcp: Option<Vec<SocketAddr>> = Empty "[\"0.0.0.0:5060\"]";
        /// Addresses on which SIP over TLS is taken. Needs certificate and key.
        tls: Vec<SocketAddr> = Empty "[\"0.0.0.0:5061\"]";
        /// Addresses on which SIP over WebSocket is taken, for telephones in browsers behind a web
        /// server that has the TLS.
        ws: Vec<SocketAddr> = Empty "[\"127.0.0.1:8088\"]";
        /// Addresses on which SIP over WebSocket within TLS is taken. Needs certificate and key.
        wss: Vec<SocketAddr> = Empty "[\"0.0.0.0:8443\"]";
        /// The file of our certificate and those between it and its authority, in PEM.
        certificate: Option<PathBuf> = Empty "\"/etc/hotline/certificate.pem\"";
        /// The file of the certificate's key, in PEM.
        key: Option<PathBuf> = Empty "\"/etc/hotline/key.pem\"";
        /// The file of authorities whose certificates are believed when the engine connects to
        /// others by TLS, in PEM. Without it those that this machine believes.
        authorities: Option<PathBuf> = Empty "\"/etc/hotline/authorities.pem\"";
        /// Web pages whose scripts may connect by WebSocket, by scheme, host and port; "*" means any.
        /// Clients that are no browsers name no page and are let in.
        origins: Vec<String> = Empty "[\"https://desk.example\"]";
        /// Name servers that are asked for the addresses of trunks. Without it those that this
        /// machine asks.
        name_servers: Vec<SocketAddr> = Empty "[\"192.0.2.53:53\"]";
        /// The address that peers are told (Contact, Via, SDP), for an engine behind NAT.
        /// Without it peers are told the address they reach us on.
        advertise: Option<IpAddr> = Empty "\"203.0.113.7\"";
        /// The realm of digest authentication. Stored passwords are bound to it: when it is
        /// changed, every operator's password must be set anew.
        realm: String = Default "\"hotline\"";
        /// Digest algorithms offered, the preferred one first. Some telephones (those on libre
        /// before 2.0, such as baresip 1.0) refuse a challenge that holds anything but MD5.
        digest: Vec<Digest> = Default "[\"sha-256\", \"md5\"]";
        /// The name in User-Agent and Server headers. No version is told to strangers by default.
        user_agent: String = Default "\"hotline\"";
        /// What requests of unknown addresses get: "refuse" answers them with a challenge or a
        /// refusal, "drop" is silent, but for the registration of telephones. Silence hides the
        /// engine from those who look for exchanges to break into.
        strangers: Strangers = Default "\"refuse\"";
        /// Addresses and subnets from which operators' telephones may register where strangers are
        /// dropped. Without them they may from anywhere.
        telephones: Vec<Network> = Empty "[\"10.0.0.0/8\"]";
        /// Requests a second that one unknown address may send; what is more gets no answer. An
        /// address from which a right password came is not unknown.
        strangers_rate: u32 = Default "50", in "1" ..= "10000";
        /// How long an operator's telephone may be wholly silent to an invitation before it counts
        /// as unreachable and the next operator is tried.
        unreachable_after: Duration = Default "\"4s\"", in "\"1s\"" ..= "\"32s\"";
        /// How long a session lasts without a sign of life of the other side (RFC 4028); after half
        /// of it the side whose turn it is sends one. It ends what a vanished telephone left behind.
        /// "0s" asks for none; what the other side asks for is kept all the same.
        session_expires: Duration = Default "\"30 min\"", in "\"0s\"" ..= "\"1d\"";
        /// The shortest such time that is taken; a call that asks for less is told so (422).
        session_expires_min: Duration = Default "\"90s\"", in "\"90s\"" ..= "\"1h\"";
        /// Which callers get provisional answers that they must acknowledge (100rel, RFC 3262): those
        /// who insist on it ("required"), or all who know it ("supported").
        reliable_provisional: Reliable = Default "\"required\"";
        /// Who may subscribe to the dialogs of an operator's line, for the lamps of telephones (RFC
        /// 4235): every operator ("operators"), only the operator of the line ("own"), or nobody.
        /// What waits for an operator (RFC 3842) is told to that operator alone, whatever stands here.
        lines_watched_by: Audience = Default "\"operators\"";
        /// Who of them is also told the other party's number and name. A lamp, and the pick-up of what
        /// rings, need neither, so by default nobody but the operator of the line gets a caller's
        /// number from here.
        parties_shown_to: Audience = Default "\"own\"";
        /// The shortest subscription; shorter ones are refused with 423.
        subscription_min: Duration = Default "\"60s\"", in "\"1s\"" ..= "\"1h\"";
        /// The longest subscription; longer ones are shortened.
        subscription_max: Duration = Default "\"1h\"", in "\"1 min\"" ..= "\"1d\"";
        /// What becomes of text messages (MESSAGE, RFC 3428): "refuse", or "operators" to pass those
        /// of operators on to the telephones of the line they are for. None is kept: who has no
        /// telephone registered gets none.
        messages: Messages = Default "\"refuse\"";
    }
}

section! {
    /// What the engine takes at once. Beyond a limit callers get 503 with Retry-After.
    one Limits "limits" {
        /// Calls up at once, waiting ones included. A call takes two sockets when it is bridged.
        calls: usize = Default "2000", in "1" ..= "20000";
        /// SIP transactions at once. Over UDP a call leaves about three that last 32 s (RFC 3261 §17),
        /// so 100,000 carry a thousand calls a second.
        transactions: usize = Default "100000", in "100" ..= "1000000";
        /// Subscriptions at once, to lines and to waiting messages.
        subscriptions: usize = Default "5000", in "0" ..= "100000";
        /// Of these, subscriptions of one operator, on all of the operator's telephones: a telephone
        /// with forty lamps has forty.
        subscriptions_per_operator: usize = Default "100", in "0" ..= "10000";
        /// Longest call; it ends what a vanished telephone left behind.
        call_longest: Duration = Default "\"4h\"", in "\"1 min\"" ..= "\"2d\"";
        /// TCP, TLS and WebSocket connections at once.
        connections: usize = Default "4000", in "10" ..= "100000";
        /// Of these, connections that one address may have open to the engine: an office behind a
        /// NAT has one for each telephone. IPv6 addresses count by their /64.
        connections_per_address: usize = Default "200", in "1" ..= "100000";
        /// Silence after which a connection is closed that a peer has opened. Longer than telephones
        /// take between two registrations, or they become unreachable.
        connection_idle: Duration = Default "\"15 min\"", in "\"10s\"" ..= "\"1d\"";
        /// The time told in Retry-After.
        retry_after: Duration = Default "\"5s\"", in "\"1s\"" ..= "\"10 min\"";
    }
}

section! {
    /// Registration of the operators' telephones (RFC 3261 §10).
    one Registrar "registrar" {
        /// Shortest registration; shorter ones are refused with 423.
        expiry_min: Duration = Default "\"60s\"", in "\"1s\"" ..= "\"1h\"";
        /// How long a registration lasts when the telephone does not say.
        expiry_default: Duration = Default "\"5 min\"", in "\"10s\"" ..= "\"1d\"";
        /// Longest registration; longer ones are shortened. Registrations over UDP outlast a restart
        /// of the engine; a telephone that lost power is shown as there until its registration ends
        /// or it is silent to a call.
        expiry_max: Duration = Default "\"10 min\"", in "\"10s\"" ..= "\"1d\"";
        /// Telephones that one operator may have registered at once.
        contacts: usize = Default "3", in "1" ..= "20";
        /// Wrong passwords for one user from one address that are free. Each one more locks that
        /// pair, for 1 s first and twice as long each time; an address has ten times as many for
        /// all users, a user four times as many from all addresses where no telephone of that user
        /// was let in before. Who is locked is answered as for a wrong password. 0: no locks.
        lockout_after: u32 = Default "5", in "0" ..= "1000";
        /// The longest such lock.
        lockout_longest: Duration = Default "\"5 min\"", in "\"1s\"" ..= "\"1d\"";
        /// Whether audio between us and operators' telephones is encrypted by SRTP with keys in the
        /// session description: "off", "offered" to telephones that can do it (others talk in
        /// clear), or "required", and then a telephone that cannot has no calls. The keys are as
        /// safe as the signalling: use TLS. With "dtls" the keys are agreed on beside the signalling,
        /// by DTLS and ICE as with browsers, and a telephone that cannot has no calls.
        srtp: TelephoneProtection = Default "\"off\"";
        /// How often a line with a fixed address (`hotline user address`) is asked with OPTIONS
        /// whether it is there; silence for `[sip] unreachable_after` means that it is not.
        probe_every: Duration = Default "\"30s\"", in "\"10s\"" ..= "\"1h\"";
    }
}

section! {
    /// Audio.
    one Media "media" {
        /// The address on which RTP is taken; 0.0.0.0 means every address of this machine.
        address: IpAddr = Default "\"0.0.0.0\"";
        /// UDP ports for RTP, for a firewall; two for each leg of a call. Without it any free
        /// ports are taken.
        ports: Option<PortRange> = Empty "\"16384-32767\"";
        /// Threads that relay audio; 0 means one for each core.
        threads: usize = Default "0", in "0" ..= "256";
        /// The UDP port at which browsers, which come by `[sip] ws` or `wss`, send their audio, all to one;
        /// with several threads each has its own, this one and those after it. 0: any free ones.
        browser_port: u16 = Default "0", in "0" ..= "65000";
        /// The addresses at which browsers find that port, the best one first; IPv4 and IPv6 may be
        /// both here if media.address is "::". Without it the one to which their WebSocket goes, or
        /// sip.advertise.
        browser_addresses: Vec<IpAddr> = Empty "[\"203.0.113.7\", \"2001:db8::7\"]";
        /// How media sockets are served: "io_uring" costs least, needs Linux 6.1 (better 6.12) and is
        /// forbidden in many containers; "epoll" works everywhere; "auto" tries the first and takes
        /// the second where it fails. The log says at the start which it is, and why.
        backend: Backend = Default "\"auto\"";
        /// Codecs offered and taken, the preferred one first. Audio is passed on as it is where both parties
        /// have one codec, and is decoded and encoded anew, which costs much more, where they have not:
        /// so the one that most telephones have comes first.
        codecs: Vec<Codec> = Default "[\"pcma\", \"pcmu\", \"g722\", \"opus\"]";
        /// A caller or operator who sends no audio at all for so long is hung up on, and the journal
        /// says so: it ends what a telephone left behind that lost its network. Nobody is who is on
        /// hold, has put the other on hold, or announced silence by comfort noise. Without it nobody is
        /// hung up on for silence.
        silence_timeout: Option<Duration> = Empty "\"1 min\"", in "\"10s\"" ..= "\"1d\"";
    }
}

section! {
    /// Recordings of calls.
    one Recordings "recordings" {
        /// The folder of recordings, by year, month and day.
        root: PathBuf = Default "\"recordings\"";
        /// The folder where audio is gathered while a call lasts. On the same disk as root it is
        /// one rename less to fail; on another disk it takes the load off it.
        spool: PathBuf = Default "\"spool\"";
        /// Samples in a recording: "alaw" takes half the room of "pcm".
        format: RecordingFormat = Default "\"alaw\"";
        /// How often gathered audio is brought to the disk: what a power cut can cost.
        sync: Duration = Default "\"1s\"", in "\"100ms\"" ..= "\"1s\"";
        /// Whether recordings are encrypted at rest (age): "age" needs recipients. With "none"
        /// whoever gets at the disk hears them; the engine says so at each start.
        encryption: Encryption = Default "\"none\"";
        /// To whom recordings are encrypted: public keys. `hotline recordings keygen` makes a pair.
        /// A new key here is for new recordings; each of these can read all made since it was added.
        recipients: Vec<String> = Empty "[\"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\"]";
        /// The file of secret keys with which this machine reads recordings, one on each line, old
        /// ones too. Without it recordings are made and checked here, and read elsewhere.
        identity: Option<PathBuf> = Empty "\"/etc/hotline/recordings.identity\"";
        /// The file of the key of this installation that signs each day's recordings; made at the
        /// first start.
        signing_key: PathBuf = Default "\"journal/recordings.key\"";
        /// Whether a call that cannot be recorded may be taken: with true new calls get 503 while
        /// recordings cannot be written, with false they go on unrecorded, with an alarm in the log.
        mandatory: bool = Default "false";
        /// Free space on the disks of root and spool below which an alarm is raised.
        low_water: Size = Default "\"2 GiB\"", in "\"16 MiB\"" ..= "\"1 TiB\"";
        /// How long recordings are kept; then they are destroyed, with an act and a line in the
        /// chain. Without it they are kept for ever, but for those that a table [[retention]] names.
        keep: Option<Duration> = Empty "\"1095d\"";
        /// Age at which recordings are made into Ogg Opus, which takes a quarter of the room.
        /// Needs an identity where they are encrypted. Without it they stay as they are.
        archive_after: Option<Duration> = Empty "\"30d\"";
        /// Bits a second of a recording in the archive, both sides together.
        archive_bits: u32 = Default "32000", in "12000" ..= "128000";
        /// Name and address of the organisation whose data recordings are, for acts of destruction.
        data_operator: Option<String> = Empty "\"ГКУ Горячая линия, Южно-Сахалинск\"";
        /// Name of the information system, for acts of destruction.
        information_system: String = Default "\"hotline\"";
        /// Keys that an operator presses before a caller says data of a payment card: nothing is
        /// recorded until resume_keys, or for pause_longest. The telephone's own record key (INFO
        /// with `Record: off`) does the same.
        pause_card_keys: Option<String> = Empty "\"*71\"";
        /// The same before medical data.
        pause_medical_keys: Option<String> = Empty "\"*72\"";
        /// Keys with which an operator lets the recording go on.
        resume_keys: Option<String> = Empty "\"*70\"";
        /// Longest pause of a recording; then it goes on by itself, so that a forgotten pause costs
        /// no more. 0s forbids pausing.
        pause_longest: Duration = Default "\"3min\"", in "\"0s\"" ..= "\"30min\"";
    }
}

section! {
    /// How long recordings of some calls are kept, in place of recordings.keep. Of several tables
    /// that fit, one with queue and topic stands before one with a topic, that before one with a queue.
    many Retention "retention" {
        /// Calls whose last queue has this name.
        queue: Option<String> = Empty "\"health\"";
        /// Calls for which the dialplan set the field `topic` to this.
        topic: Option<String> = Empty "\"complaint\"";
        /// How long their recordings are kept.
        keep: Duration = Required "\"365d\"";
        /// How long the personal fields of their entries are kept, in place of journal.keep_personal.
        keep_personal: Option<Duration> = Empty "\"1095d\"";
    }
}

section! {
    /// The electronic journal.
    one Journal "journal" {
        /// The folder of event files: every fact is on the disk here before it is answered to.
        events: PathBuf = Default "\"journal/events\"";
        /// The database of entries and operators; follows the event files. A file of SQLite, or
        /// the URL of a PostgreSQL (15 or newer), whose password PGPASSWORD or ~/.pgpass holds.
        database: Location = Default "\"journal/journal.db\"";
        /// Longest time for which facts are gathered into one write to the disk. Longer spares
        /// the disk; the answer to a call waits for it.
        group: Duration = Default "\"5ms\"", in "\"1ms\"" ..= "\"20ms\"";
        /// Longest time that an answer waits for the disk. Later it goes out all the same, and
        /// is counted.
        answer_wait: Duration = Default "\"20ms\"", in "\"1ms\"" ..= "\"1s\"";
        /// The time zone of reports and of days. Without it that of the machine. What is stored is
        /// in UTC.
        time_zone: Option<Zone> = Empty "\"Asia/Sakhalin\"";
        /// A file with the forms of entries: required fields, topics and times of each queue
        /// (docs/journal.md). Without it nothing is required.
        forms: Option<PathBuf> = Empty "\"forms.toml\"";
        /// The time from the end of talk in which an entry is to be completed, where its form does
        /// not say another.
        complete_within: Duration = Default "\"10 min\"", in "\"10s\"" ..= "\"7d\"";
        /// How long personal fields of entries are kept: number and name of the caller, and what was
        /// written of the matter. Then they are destroyed with an act; figures stay. Without it they
        /// never are.
        keep_personal: Option<Duration> = Empty "\"1095d\"";
    }
}

section! {
    /// The HTTP API: journal, reports, recordings, the live picture, figures for Prometheus (docs/api.md).
    one Api "api" {
        /// The address on which HTTP is taken, in clear text: a proxy with TLS belongs in front of
        /// any but a loopback address. Without it there is no API.
        listen: Option<SocketAddr> = Empty "\"127.0.0.1:8080\"";
        /// The file of tokens, which `hotline token add` makes: names, hashes and rights.
        tokens: PathBuf = Default "\"tokens\"";
        /// A session of somebody who signed in and does nothing for so long is over.
        session_idle: Duration = Default "\"30 min\"", in "\"1 min\"" ..= "\"1d\"";
        /// A session is over after so long, whatever is done in it.
        session_longest: Duration = Default "\"12h\"", in "\"5 min\"" ..= "\"30d\"";
        /// Whether browsers send the cookie of a session over TLS alone. Where a proxy says
        /// `X-Forwarded-Proto: https` they do anyway.
        secure_cookie: bool = Default "false";
    }
}

section! {
    /// The SIP trace: what was said on the wire, for `hotline call show` and `hotline call export`.
    one Trace "trace" {
        /// Whether SIP messages are kept. They hold numbers of callers; proofs of passwords are made
        /// unreadable in them.
        enabled: bool = Default "true";
        /// The folder of trace files (pcapng), readable by the engine's user alone.
        folder: PathBuf = Default "\"trace\"";
        /// What all files may take; the oldest go first. A call takes about 15 kB. An eighth is for
        /// messages of no call, so that a flood of registrations costs no call its trace.
        size: Size = Default "\"1 GiB\"", in "\"4 MiB\"" ..= "\"1 TiB\"";
        /// The oldest message that is kept. It is personal data: long enough to look into a
        /// complaint, and no longer.
        age: Duration = Default "\"7d\"", in "\"1h\"" ..= "\"365d\"";
    }
}

section! {
    /// The input log: everything that reached the engine since it began, for `hotline replay`. Its files
    /// hold numbers of callers and proofs of passwords.
    one InputLog "input_log" {
        /// Whether it is written.
        enabled: bool = Default "true";
        /// The folder of its files, readable by the engine's user alone.
        folder: PathBuf = Default "\"inputs\"";
        /// What all files may take; the log of one start ends when it has half of it, and the oldest
        /// files go. A call takes about 6 kB. The log of a process in which an invariant broke is kept
        /// besides, until somebody removes it.
        size: Size = Default "\"512 MiB\"", in "\"1 MiB\"" ..= "\"1 TiB\"";
    }
}

section! {
    /// Dialplans: what a caller hears and where the call goes.
    one Dialplans "dialplans" {
        /// The folder of plans, one in each .toml file.
        folder: PathBuf = Default "\"dialplans\"";
    }
}

section! {
    /// Prompts: what is said to callers, as WAV files or as text turned into speech.
    one Prompts "prompts" {
        /// The folder of WAV files. One with the name of a prompt (name.wav, or ru/name.wav for one
        /// language) wins over its text.
        folder: PathBuf = Default "\"prompts\"";
        /// The folder where speech made from text is kept. It may be emptied at any time.
        cache: PathBuf = Default "\"cache/prompts\"";
        /// The command that makes a WAV file of text, with its arguments. In them {text_file},
        /// {output}, {voice} and {language} are replaced; {text_file} and {output} must be there.
        /// No shell is involved.
        speech_command: Vec<String> = Default
            "[\"espeak-ng\", \"-v\", \"{voice}\", \"-s\", \"150\", \"-f\", \"{text_file}\", \"-w\", \"{output}\"]";
        /// The command's voice for each language; a language that is not here is its own voice.
        voices: BTreeMap<String, String> = Default
            "{ ru = \"ru\", uk = \"uk\", en = \"en-gb\" }";
        /// How long the command may take for one prompt.
        speech_timeout: Duration = Default "\"10s\"", in "\"1s\"" ..= "\"5 min\"";
        /// Whose tones a caller hears where a plan's music is "music/ringing" or "music/busy" and there is no
        /// such file: those of Russia ("ru"), Ukraine ("ua"), the United Kingdom ("gb") or North America
        /// ("us").
        tones: Tones = Default "\"ru\"";
        /// Languages that prompts may be in.
        languages: Vec<String> = Default "[\"ru\", \"uk\", \"en\"]";
    }
}

section! {
    /// The log, on standard error.
    one Log "log" {
        /// How much is logged: "error", "warn", "info", "debug" or "trace". The environment
        /// variable HOTLINE_LOG wins, and can name single parts: "info,sip=trace".
        level: LogLevel = Default "\"info\"";
        /// The form: "text" for people, "json" for collectors.
        format: LogFormat = Default "\"text\"";
    }
}

section! {
    /// Calls that operators make themselves, and transfers. Which outer numbers may be called is
    /// said at each trunk.
    one OperatorCalls "operator_calls" {
        /// Calls that one operator may have made at once; a talk and a consultation are two. It
        /// bounds what a stolen password costs.
        at_once: usize = Default "2", in "1" ..= "20";
        /// How long one who is called by name or transferred to may ring.
        ring_time: Duration = Default "\"30s\"", in "\"1s\"" ..= "\"3 min\"";
        /// Whether the talks are recorded. Calls that came from a queue are recorded as their
        /// dialplan says, also after a transfer.
        recorded: bool = Default "true";
        /// Keys with which an operator who talks in one call and has another on hold makes one
        /// conference of both.
        conference_keys: Option<String> = Empty "\"*3\"";
    }
}

section! {
    /// Supervisors whose telephones are in talks: `hotline acd supervise`.
    one Supervision "supervision" {
        /// The key of the supervisor's telephone with which nobody hears the supervisor any more.
        listen_key: String = Default "\"1\"";
        /// The key with which operators hear the supervisor, and nobody else.
        whisper_key: String = Default "\"2\"";
        /// The key with which all hear the supervisor.
        barge_key: String = Default "\"3\"";
    }
}

section! {
    /// A route to the outer network: a carrier or a telephone exchange. Calls from addresses
    /// of no trunk must come from a registered operator.
    many Trunk "trunk" {
        /// The name, in logs and in the journal.
        name: String = Required "\"carrier\"";
        /// Addresses and subnets from which its calls come. Without them it must authenticate.
        addresses: Vec<Network> = Empty "[\"192.0.2.10\", \"198.51.100.0/24\"]";
        /// The name as which the trunk authenticates itself (digest). Without it the address
        /// is enough.
        user: Option<String> = Empty "\"carrier-1\"";
        /// A file whose first line is the password of user.
        secret_file: Option<PathBuf> = Empty "\"/etc/hotline/carrier.secret\"";
        /// An environment variable that holds the password of user, in place of secret_file.
        secret_env: Option<String> = Empty "\"HOTLINE_CARRIER_SECRET\"";
        /// The port its calls come from, where two trunks share an address.
        peer_port: Option<u16> = Empty "5080", in "1" ..= "65535";
        /// The port of ours its calls come to, where each trunk has one of its own in [sip] listen.
        our_port: Option<u16> = Empty "5070", in "1" ..= "65535";
        /// Where the number dialled stands; the first place that holds one counts. Where the
        /// Request-URI holds only the name of our account, To counts.
        did: Vec<DidPlace> = Default "[\"request-uri\"]";
        /// Numbers behind which another is meant, so that the journal shows the one that people
        /// dialled: a city number to which an 8-800 number leads.
        stands_for: BTreeMap<String, String> = Empty "{ 84951112233 = \"88001234567\" }";
        /// Whether its word about the caller is believed: P-Asserted-Identity and
        /// Remote-Party-ID. Without it only From is read, which every caller can choose.
        trusted: bool = Default "false";
        /// Where the caller's number stands; the first place that holds one counts.
        caller: Vec<CallerPlace> = Default
            "[\"p-asserted-identity\", \"remote-party-id\", \"from\"]";
        /// Calls at once that it may bring; the next one gets 503 with Retry-After.
        calls_in: Option<u32> = Empty "30", in "1" ..= "20000";
        /// New calls a second that it may bring.
        rate_in: Option<u32> = Empty "10", in "1" ..= "10000";
        /// Servers to which calls go and where we register, the preferred one first.
        servers: Vec<SipServer> = Empty "[\"sip.example.com\", \"192.0.2.1:5060\"]";
        /// The outbound proxy, through which everything to the trunk goes.
        proxy: Option<SipServer> = Empty "\"proxy.example.com\"";
        /// The domain in addresses of the trunk. Without it the first server's.
        domain: Option<String> = Empty "\"sip.example.com\"";
        /// The number or name of our account with the trunk: the user of the address that is
        /// registered.
        account: Option<String> = Empty "\"74951112233\"";
        /// The authentication user, where it is not the account.
        account_user: Option<String> = Empty "\"SIP0123456789@sip.example.com\"";
        /// A file whose first line is the password of our account.
        account_secret_file: Option<PathBuf> = Empty "\"/etc/hotline/account.secret\"";
        /// An environment variable that holds it, in place of account_secret_file.
        account_secret_env: Option<String> = Empty "\"HOTLINE_ACCOUNT_SECRET\"";
        /// The realm that the trunk's challenges name. Others get no password. Without it the
        /// domain; the log tells which realm came where they differ.
        realm: Option<String> = Empty "\"asterisk\"";
        /// Whether to register, so that the trunk knows where to send its calls.
        register: bool = Default "false";
        /// How long a registration is asked for; the trunk may grant less.
        register_expiry: Duration = Default "\"1h\"", in "\"1 min\"" ..= "\"1d\"";
        /// The user of From, where the trunk wants another than the account.
        from_user: Option<String> = Empty "\"74951112233\"";
        /// The user of Contact: what the trunk's calls then have in the Request-URI. Without it
        /// the account.
        contact_user: Option<String> = Empty "\"line1\"";
        /// The number that called parties see. Without it they see the caller's.
        number: Option<String> = Empty "\"+74951112233\"";
        /// The header that tells that number: "from", or From and one of
        /// "p-asserted-identity" and "remote-party-id".
        identity: CallerPlace = Default "\"from\"";
        /// What becomes of the audio that it sends before a call is answered: "relay" lets the one
        /// who called hear tones and announcements of the network, "ignore" tells that it rings.
        early_media: EarlyMedia = Default "\"relay\"";
        /// Whether its audio is encrypted by SRTP with keys in the session description: "off",
        /// "offered" (in clear if it cannot), or "required" (no call without).
        srtp: Protection = Default "\"off\"";
        /// Codecs offered to it and taken from it, the preferred one first; none: those of `[media]`.
        codecs: Vec<Codec> = Default "[]";
        /// How keys go with it: "rfc4733" as telephone-events, or as tones if it has none; for a trunk that
        /// has none or loses them "info" by INFO with `application/dtmf-relay`, or as tones if it
        /// refuses them; "inband" as tones. Keys that it sends by INFO are taken in any case.
        dtmf: Dtmf = Default "\"rfc4733\"";
        /// How a caller whom it brought is transferred, without consultation, to a number for which it
        /// would be called: "here", by calling the number ourselves, or "refer", by asking the
        /// trunk to do it (REFER). A trunk that tells nothing costs ten seconds; then
        /// it is done here. What is said after a transfer by the trunk is not recorded.
        transfer: TransferBy = Default "\"here\"";
        /// The form in which numbers are dialled: "e164" (+74242123456), "digits"
        /// (74242123456), "national" (84242123456).
        dial: DialForm = Default "\"e164\"";
        /// What is taken off the front of a number in that form.
        dial_strip: Option<String> = Empty "\"7\"";
        /// What is put before it then.
        dial_prefix: Option<String> = Empty "\"9\"";
        /// Beginnings of the numbers that may be called, whole numbers with + and short codes.
        /// Without them those of country_code; without that none.
        dial_allowed: Vec<String> = Empty "[\"+7\", \"112\"]";
        /// Beginnings of the numbers that may never be: those with which fraud is paid.
        dial_refused: Vec<String> = Default
            "[\"+7809\", \"+870\", \"+878\", \"+881\", \"+882\", \"+883\", \"+979\"]";
        /// Which trunk is tried first: the lowest; equals in the order of this file.
        priority: usize = Default "0", in "0" ..= "1000";
        /// Calls at once that may go to it; the next one takes the next trunk.
        calls_out: Option<u32> = Empty "30", in "1" ..= "20000";
        /// New calls a second that may go to it.
        rate_out: Option<u32> = Empty "5", in "1" ..= "10000";
        /// How often its servers are asked with OPTIONS whether they are there.
        probe: Option<Duration> = Empty "\"30s\"", in "\"5s\"" ..= "\"1h\"";
        /// So many in a row without an answer, and a server takes no calls until it answers.
        probe_failures: u32 = Default "3", in "1" ..= "20";
        /// The country code with which local forms of numbers are made whole (E.164): with "7",
        /// 84242123456 and 4242123456 become +74242123456.
        country_code: Option<String> = Empty "\"7\"";
        /// What is dialled before numbers within the country, the one to dial first; several are
        /// parted by commas: "0, 80" in Ukraine.
        national_prefix: Option<String> = Empty "\"8\"";
        /// What is dialled before numbers of other countries: "810" in Russia, "00" in Ukraine.
        international_prefix: Option<String> = Empty "\"810\"";
        /// Digits of a number within the country, without the digit before it: 10 in Russia, 9 in
        /// Ukraine.
        national_length: usize = Default "10", in "4" ..= "14";
        /// The area code with which short local numbers are made whole: with "4242", 123456
        /// becomes +74242123456.
        area_code: Option<String> = Empty "\"4242\"";
    }
}

section! {
    /// A queue: waiting calls and the operators who take them.
    many Queue "queue" {
        /// The name by which dialplans call it.
        name: String = Required "\"operators\"";
        /// How long one operator's telephone rings before the next is tried.
        ring_time: Duration = Default "\"20s\"", in "\"1s\"" ..= "\"3 min\"";
        /// Longest wait; then the dialplan goes on. Without it callers wait until they are
        /// answered or give up.
        wait_max: Option<Duration> = Empty "\"15 min\"", in "\"1s\"" ..= "\"1d\"";
        /// Calls that may wait at once; the next one is turned away.
        length_max: usize = Default "200", in "1" ..= "20000";
        /// Time an operator has after a call before the next is offered; 0s means none.
        wrap_up: Duration = Default "\"10s\"", in "\"0s\"" ..= "\"1h\"";
        /// What ends that time: only the "time" itself; the operator's word "ready"; or the completion
        /// of the "entry". With the last two wrap_up is the longest that it may take.
        wrap_up_until: WrapUpEnd = Default "\"time\"";
        /// The skill that operators need, above level 0. Without it every operator takes part.
        skill: Option<String> = Empty "\"health\"";
        /// Skills that operators need, all of them, with the lowest level that will do or the
        /// lowest and the highest. A highest level spares the best for those who need them.
        skills: Vec<SkillWanted> = Empty "[\"health 50\", \"water 20-80\"]";
        /// Skills that are not needed, but who has them comes first.
        prefers: Vec<String> = Empty "[\"uk\"]";
        /// What the language of a call (its dialplan says it) asks of operators: "required" or
        /// "preferred" as a skill of that name, or "ignored".
        call_language: CallLanguage = Default "\"ignored\"";
        /// How that is eased while a call waits: limits of levels move apart, a skill is needed no
        /// more, at last anyone may take the call. What was eased stays so.
        relax: Vec<Step> = Empty "[\"30s: levels 20\", \"1 min: without uk\", \"2 min: anyone\"]";
        /// Whom it takes among those who can serve alike: "longest-idle", "fewest-calls" or
        /// "least-talk" today, "round-robin", "linear" (in the order of the table), or
        /// "weighted-random" (by lot).
        strategy: Strategy = Default "\"longest-idle\"";
        /// Whether a higher level comes before that ("highest-first") or not ("alike").
        levels: Levels = Default "\"highest-first\"";
        /// At how many operators one call may ring at once. Others who wait come first.
        ring_at_once: usize = Default "1", in "1" ..= "32";
        /// With it a call begins to ring at one operator, and rings at one more each time after
        /// this, up to ring_at_once.
        ring_more_every: Option<Duration> = Empty "\"5s\"", in "\"1s\"" ..= "\"3 min\"";
        /// Added to the priority that the dialplan gives; calls of a higher one are served first.
        priority: usize = Default "0", in "0" ..= "100";
        /// Waiting time that its calls are credited with, compared with those of other queues.
        credit: Duration = Default "\"0s\"", in "\"0s\"" ..= "\"1h\"";
        /// The operators who serve it, by login, and nobody else. "order 1": after the operator's
        /// queues of a lower order; "after 10s": calls that have waited so long; "reserve": only as
        /// reserve_length and reserve_wait say; "ring 30s": so long in place of ring_time; "weight 3":
        /// drawn by lot so often, in all queues. Without it all who are members of no other.
        members: Vec<Member> = Empty "[\"ivanova\", \"petrov after 10s\", \"sidorova reserve\"]";
        /// From so many calls in the queue on its reserve helps.
        reserve_length: Option<usize> = Empty "10", in "1" ..= "20000";
        /// Calls that have waited so long may go to the reserve.
        reserve_wait: Option<Duration> = Empty "\"2 min\"", in "\"1s\"" ..= "\"1d\"";
        /// How long a caller waits for the operator who talked to that number last, if that one is
        /// at work, before anybody takes the call. Without it nobody waits for one operator.
        sticky: Option<Duration> = Empty "\"20s\"", in "\"1s\"" ..= "\"1h\"";
        /// How long the place is kept of a caller who hung up and calls again. Without it it is lost.
        keep_place: Option<Duration> = Empty "\"5 min\"", in "\"1s\"" ..= "\"1h\"";
        /// What an operator hears on answering, before the caller: which queue it is, in the first
        /// language of [prompts] languages. How long the caller waited follows. A key cuts it short.
        /// Without it the two are joined at once.
        whisper: Option<String> = Empty "\"Линия здоровья.\"";
        /// Who is called first for a callback: the "caller", so that no operator listens to a ringing
        /// that nobody answers; or the "operator", so that the caller hears a person at once.
        callback_first: CallbackFirst = Default "\"caller\"";
        /// How often a caller is called back who is owed that (the step `callback` of a dialplan,
        /// `hotline acd callback`).
        callback_attempts: u32 = Default "3", in "1" ..= "10";
        /// From one attempt in vain to the next.
        callback_pause: Duration = Default "\"10 min\"", in "\"10s\"" ..= "\"1d\"";
        /// When callers may be called back, by the clock of [journal] time_zone. Without it at any time.
        callback_hours: Vec<HoursWanted> = Empty "[\"09:00-20:00\"]";
        /// The queue in which calls wait that find this one full, with the waiting time they have; or
        /// "callback": the caller is told so, and called back. Without it the dialplan goes on.
        full_to: Option<Elsewhere> = Empty "\"others\"";
        /// The same for calls after wait_max.
        wait_max_to: Option<Elsewhere> = Empty "\"callback\"";
        /// The same for calls that find the queue closed by a supervisor.
        closed_to: Option<Elsewhere> = Empty "\"others\"";
        /// What happens when nobody serves it, by the cause: "nobody-signed-in", "nobody-reachable"
        /// (no telephone of those who are), "all-on-break". "refuse": nobody gets in; "leave after":
        /// so long until those leave who wait; "to": where they go. For the causes that stand here in
        /// place of leave_unserved_after.
        unserved: Vec<UnservedRule> =
            Empty "[\"nobody-signed-in: refuse\", \"all-on-break: leave after 5 min, to callback\"]";
        /// How long callers stay while no telephone of an operator is registered; after that
        /// nobody gets in, and the dialplan goes on as for a queue that is closed. Without it they
        /// wait.
        leave_unserved_after: Option<Duration> = Empty "\"1 min\"", in "\"1s\"" ..= "\"1h\"";
        /// Time before the same call is offered again to an operator who did not take it.
        retry_delay: Duration = Default "\"5s\"", in "\"0s\"" ..= "\"10 min\"";
        /// Time for which an operator is left alone whose telephone rang in vain or did not
        /// answer at all.
        rest_after_no_answer: Duration = Default "\"30s\"", in "\"0s\"" ..= "\"1h\"";
        /// What else follows when an offer fails, by the way: "no-answer", "rejected", "busy",
        /// "unreachable". "retry": until the same call comes again; "rest": how long the operator is
        /// left alone, from which failure in a row; "not-ready from 3": from the third on the
        /// operator gets no calls until they say that they are available.
        failures: Vec<FailureRule> =
            Empty "[\"no-answer: rest 1 min, not-ready from 3\", \"busy: retry 20s\"]";
    }
}
