//! Who holds a lock on a file, as far as the system shows it.

use std::fmt;
use std::fs::File;

/// Letters of a command line that are shown.
#[cfg(target_os = "linux")]
const SHOWN_LETTERS: usize = 200;

/// A process that holds a lock, as messages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockHolder {
    /// Its process id.
    pub pid: u32,
    /// The name of its user, or the user's number; none where that is hidden.
    pub user: Option<String>,
    /// Its command line; none where that is hidden.
    pub command: Option<String>,
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.pid)?;
        match &self.user {
            Some(user) => write!(f, " of user {user}")?,
            None => f.write_str(" of another user")?,
        }
        match &self.command {
            Some(command) => write!(f, ", `{command}`"),
            None => f.write_str(", whose command line is hidden from you"),
        }
    }
}

/// The process that holds the exclusive `flock` of `file`. None when nobody does, when
/// the holder lives in another container, and on systems without `/proc/locks`.
#[cfg(target_os = "linux")]
pub fn lock_holder(file: &File) -> Option<LockHolder> {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;

    let metadata = file.metadata().ok()?;
    let mut devices = vec![device(libc::major(metadata.dev()), libc::minor(metadata.dev()))];
    devices.extend(device_of_mount(file.as_raw_fd()));
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let pid = holder_in(&locks, &devices, metadata.ino())?;
    Some(LockHolder { pid, user: user_of(pid), command: command_of(pid) })
}

/// The same; never known here.
#[cfg(not(target_os = "linux"))]
pub fn lock_holder(_file: &File) -> Option<LockHolder> {
    None
}

/// Whether `ancestor` is among the processes that started this one, directly or not;
/// false where the system does not report it.
#[cfg(target_os = "linux")]
pub fn descends_from(ancestor: u32) -> bool {
    let parent = |pid: &u32| {
        let stat = procfs::process::Process::new(i32::try_from(*pid).ok()?).ok()?.stat().ok()?;
        u32::try_from(stat.ppid).ok().filter(|parent| *parent > 0)
    };
    std::iter::successors(Some(std::process::id()), parent).skip(1).any(|pid| pid == ancestor)
}

/// The same; never known here.
#[cfg(not(target_os = "linux"))]
pub fn descends_from(_ancestor: u32) -> bool {
    false
}

/// Such as `fe:00`, as `/proc/locks` writes it.
#[cfg(target_os = "linux")]
fn device(major: u32, minor: u32) -> String {
    format!("{major:02x}:{minor:02x}")
}

/// The device of the file system itself: some, such as btrfs, show another one for each
/// of their parts, but name this one in `/proc/locks`.
#[cfg(target_os = "linux")]
fn device_of_mount(descriptor: i32) -> Option<String> {
    let information = std::fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).ok()?;
    let mount = information.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let columns = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let found = mounts.lines().map(columns).find(|columns| columns[0] == mount)?;
    let (major, minor) = found.get(2)?.split_once(':')?;
    Some(device(major.parse().ok()?, minor.parse().ok()?))
}

/// The process in the line `1: FLOCK  ADVISORY  WRITE 4711 fe:00:2 0 EOF`.
#[cfg(target_os = "linux")]
fn holder_in(locks: &str, devices: &[String], inode: u64) -> Option<u32> {
    locks.lines().find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [_number, "FLOCK", _, "WRITE", pid, place, ..] = columns[..] else { return None };
        let (device, number) = place.rsplit_once(':')?;
        let is_ours = devices.iter().any(|ours| ours == device) && number.parse() == Ok(inode);
        // Of a process that this container does not see the number is 0 or negative.
        pid.parse().ok().filter(|pid| is_ours && *pid > 0)
    })
}

#[cfg(target_os = "linux")]
fn user_of(pid: u32) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let id = ids.split_whitespace().next()?.parse().ok()?;
    Some(user_name(id).unwrap_or_else(|| id.to_string()))
}

#[cfg(target_os = "linux")]
fn user_name(id: libc::uid_t) -> Option<String> {
    let mut text = vec![0; 16_384];
    // SAFETY: all zeroes is a valid `passwd`: null pointers and numbers.
    let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
    let mut found = std::ptr::null_mut();
    // SAFETY: every pointer is valid for the call, and `text` has the size that is given.
    let answer = unsafe {
        libc::getpwuid_r(id, &raw mut entry, text.as_mut_ptr().cast(), text.len(), &raw mut found)
    };
    if answer != 0 || found.is_null() {
        return None;
    }
    // SAFETY: the call succeeded, so the name is a C string inside `text`.
    let name = unsafe { std::ffi::CStr::from_ptr(entry.pw_name) };
    Some(name.to_string_lossy().into_owned())
}

#[cfg(target_os = "linux")]
fn command_of(pid: u32) -> Option<String> {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = String::from_utf8_lossy(&words).trim_end_matches('\0').replace('\0', " ");
    Some(shown(&words)).filter(|command| !command.is_empty())
}

/// Another user chose these words: nothing in them may steer a terminal.
#[cfg(target_os = "linux")]
fn shown(words: &str) -> String {
    let mut shown: String = words
        .chars()
        .take(SHOWN_LETTERS)
        .map(|letter| if letter.is_control() { '?' } else { letter })
        .collect();
    if words.chars().nth(SHOWN_LETTERS).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const LOCKS: &str = "\
1: POSIX  ADVISORY  WRITE 11 fe:00:2 0 EOF
2: FLOCK  ADVISORY  READ  12 fe:00:2 0 EOF
3: FLOCK  ADVISORY  WRITE 13 fe:01:2 0 EOF
4: FLOCK  ADVISORY  WRITE 14 fe:00:2 0 EOF
4: -> FLOCK  ADVISORY  WRITE 15 fe:00:2 0 EOF
5: FLOCK  ADVISORY  WRITE 0 fe:00:3 0 EOF
";

    #[test]
    fn the_holder_is_the_process_with_the_exclusive_lock_of_the_file() {
        let holder = |place: &str, inode| holder_in(LOCKS, &[place.to_owned()], inode);
        assert_eq!(holder("fe:00", 2), Some(14));
        assert_eq!(holder("fe:01", 2), Some(13));
        assert_eq!(holder("fe:01", 7), None);
        // In another container.
        assert_eq!(holder("fe:00", 3), None);
    }

    #[test]
    fn a_held_lock_names_this_process_and_a_free_one_nobody() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(lock_holder(&file), None);
        file.lock().unwrap();
        let holder = lock_holder(&file).unwrap();
        assert_eq!(holder.pid, std::process::id());
        assert!(holder.user.is_some_and(|user| !user.is_empty()));
        let own = std::env::args().next().unwrap();
        assert!(holder.command.unwrap().starts_with(&own[..own.len().min(SHOWN_LETTERS)]));
    }

    #[test]
    fn a_command_line_cannot_steer_a_terminal() {
        assert_eq!(shown("run\x1b[2J\n"), "run?[2J?");
        assert_eq!(shown(&"x".repeat(500)).chars().count(), SHOWN_LETTERS + 1);
    }

    #[test]
    fn a_process_descends_from_its_parent_and_not_from_itself() {
        assert!(descends_from(std::os::unix::process::parent_id()));
        assert!(!descends_from(std::process::id()));
        assert!(!descends_from(u32::MAX));
    }
}
