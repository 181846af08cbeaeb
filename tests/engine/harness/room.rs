//! A room of one test: a namespace of mounts in which folders are on small disks of their own, that fill
//! up or freeze. It is gone with the test, however that ends. Needs root.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Running, text_of, until};

/// How long a room stays when nobody is left to close it.
const LONGEST: &str = "900";
/// After which a disk thaws by itself: whoever waits for a frozen one cannot even be killed.
const THAWS_AFTER: &str = "45";

/// The namespace, held by a process that does nothing.
pub struct Room(Running);

impl Room {
    pub fn open() -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "disks that fill or freeze need root: run the tests as root"
        );
        let holder = Command::new("unshare")
            .args(["--mount", "sleep", LONGEST])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let room = Self(Running(holder));
        let mounts = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/mnt")).ok();
        let ours = mounts("self");
        until("a namespace of mounts", Duration::from_secs(10), || {
            let theirs = mounts(&room.0.0.id().to_string());
            (theirs.is_some() && theirs != ours).then_some(())
        });
        room
    }

    /// What stands before a command that is to run in the room.
    pub fn enter(&self) -> Vec<String> {
        let holder = self.0.0.id().to_string();
        ["nsenter", "--mount", "--target", &holder, "--"]
            .map(str::to_owned)
            .to_vec()
    }

    fn command(&self, program: &str) -> Command {
        let enter = self.enter();
        let mut command = Command::new(&enter[0]);
        command.args(&enter[1..]).arg(program);
        command
    }

    fn run(&self, command: &mut Command) {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", text_of(&output));
    }

    /// A new folder on a disk in memory of so many MiB.
    pub fn small_disk(&self, folder: &Path, mib: u32) {
        std::fs::create_dir_all(folder).unwrap();
        let size = format!("size={mib}m");
        let mut mount = self.command("mount");
        self.run(
            mount
                .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
                .arg(folder),
        );
    }

    /// A new folder on a disk that can be frozen: a file of so many MiB beside it with ext4 in it.
    pub fn real_disk(&self, folder: &Path, mib: u64) {
        std::fs::create_dir_all(folder).unwrap();
        let image = folder.with_extension("image");
        let file = std::fs::File::create(&image).unwrap();
        file.set_len(mib << 20).unwrap();
        // Debian keeps it where the PATH of a user need not lead.
        let mut make = self.command("/sbin/mkfs.ext4");
        self.run(make.args(["-q", "-E", "nodiscard"]).arg(&image));
        let mut mount = self.command("mount");
        self.run(mount.args(["-o", "loop"]).arg(&image).arg(folder));
    }

    /// Takes all the room that is left on the disk of a folder.
    pub fn fill(&self, folder: &Path) -> Filled<'_> {
        let file = folder.join("filler");
        let mut fill = self.command("dd");
        let of = format!("of={}", file.display());
        let output = fill.args(["if=/dev/zero", &of, "bs=64k"]).output().unwrap();
        let said = text_of(&output);
        assert!(said.contains("No space left"), "{said}");
        Filled { room: self, file }
    }

    /// Freezes the disk of a folder: whatever is written there waits.
    pub fn freeze(&self, folder: &Path) -> Frozen<'_> {
        let mut later = self.command("sh");
        let script = format!("sleep {THAWS_AFTER}; fsfreeze -u '{}'", folder.display());
        let rescue = later.args(["-c", &script]).stderr(Stdio::null());
        let rescue = Running(rescue.spawn().unwrap());
        self.run(self.command("fsfreeze").arg("-f").arg(folder));
        Frozen {
            room: self,
            folder: folder.to_path_buf(),
            _rescue: rescue,
        }
    }
}

/// A disk that is full for as long as this lives.
pub struct Filled<'a> {
    room: &'a Room,
    file: PathBuf,
}

impl Drop for Filled<'_> {
    fn drop(&mut self) {
        let _ = self.room.command("rm").arg(&self.file).status();
    }
}

/// A disk that hangs for as long as this lives.
pub struct Frozen<'a> {
    room: &'a Room,
    folder: PathBuf,
    _rescue: Running,
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        let mut thaw = self.room.command("fsfreeze");
        let _ = thaw.arg("-u").arg(&self.folder).status();
    }
}
