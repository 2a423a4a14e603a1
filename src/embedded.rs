//! What travels inside this crate: programs, templates and Python workers, and
//! the cache folder that they are unpacked into.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

/// The programs that travel inside this one could not be unpacked.
#[derive(Debug, thiserror::Error)]
#[error("cannot unpack {path}: {source}; set EPICS_GAUGE_CACHE to a folder that can be written")]
pub struct UnpackError {
    /// The folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

struct File {
    name: &'static str,
    bytes: &'static [u8],
    executable: bool,
}

macro_rules! built {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name))
    };
}

macro_rules! program {
    ($name:literal) => {
        File { name: $name, bytes: built!($name), executable: true }
    };
}

macro_rules! source {
    ($folder:literal, $name:literal) => {
        File {
            name: $name,
            bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $folder, "/", $name)),
            executable: false,
        }
    };
}

const FILES: &[File] = &[
    program!("leash"),
    program!("softIoc"),
    #[cfg(feature = "pvaccess")]
    program!("softIocPvx"),
    program!("caRepeater"),
    program!("catime"),
    File { name: "softIoc.dbd", bytes: built!("softIoc.dbd"), executable: false },
    #[cfg(feature = "pvaccess")]
    File { name: "softIocPvx.dbd", bytes: built!("softIocPvx.dbd"), executable: false },
    source!("db", "gauge.db"),
    source!("db", "calc.template"),
    source!("db", "frame.template"),
    source!("vendor", "python.lock"),
    source!("src/worker/python", "main.py"),
    source!("src/worker/python", "gauge_worker.py"),
    source!("src/worker/python", "chosen_version.py"),
    source!("src/worker/python", "handicap.py"),
    source!("src/worker/python", "messages.py"),
    source!("src/worker/python", "update_log.py"),
    source!("src/worker/python", "loaded_libca.py"),
    source!("src/worker/python", "client_pyepics.py"),
    source!("src/worker/python", "client_caproto.py"),
    source!("src/worker/python", "client_pyca.py"),
    source!("src/worker/python", "client_psp.py"),
    source!("src/worker/python", "client_aioca.py"),
    source!("src/worker/python", "asyncio_client.py"),
    source!("src/worker/python", "client_p4p.py"),
    source!("src/worker/python", "client_p4p_asyncio.py"),
    source!("src/worker/python", "over_pvxs.py"),
    source!("src/ioc/python", "server_main.py"),
    source!("src/ioc/python", "gauge_server.py"),
    source!("src/ioc/python", "server_messages.py"),
    source!("src/ioc/python", "asyncio_scans.py"),
    source!("src/ioc/python", "softioc_parts.py"),
    source!("src/ioc/python", "server_python_softioc.py"),
    source!("src/ioc/python", "server_python_softioc_calc.py"),
    source!("src/ioc/python", "server_p4p_server.py"),
    source!("src/ioc/python", "server_caproto_ioc.py"),
];

/// The path of the unpacked file `name`.
///
/// The folder's name is the hash of everything in it, so different builds do
/// not disturb each other.
///
/// # Errors
/// When the cache folder cannot be written.
///
/// # Panics
/// When `name` is none of the files in this crate.
pub fn tool(name: &str) -> Result<PathBuf, UnpackError> {
    assert!(FILES.iter().any(|file| file.name == name), "{name} does not travel inside");
    Ok(folder()?.join(name))
}

/// Where downloads and unpacked files are kept between runs:
/// `EPICS_GAUGE_CACHE`, else the user's cache folder.
pub fn cache_folder() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = set("EPICS_GAUGE_CACHE") {
        return PathBuf::from(folder);
    }
    set("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("epics-gauge")
}

/// The SHA-256 of `bytes` as lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn folder() -> Result<&'static Path, UnpackError> {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    if let Some(folder) = FOLDER.get() {
        return Ok(folder);
    }
    let folder = cache_folder().join(format!("tools-{}", &content_hash()[..16]));
    if !is_complete(&folder) {
        unpack(&folder).map_err(|source| UnpackError { path: folder.clone(), source })?;
    }
    Ok(FOLDER.get_or_init(|| folder))
}

fn content_hash() -> String {
    let mut all = Sha256::new();
    for file in FILES {
        all.update(file.name.as_bytes());
        all.update(file.bytes.len().to_le_bytes());
        all.update(file.bytes);
    }
    all.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_complete(folder: &Path) -> bool {
    FILES.iter().all(|file| {
        fs::metadata(folder.join(file.name))
            .is_ok_and(|found| found.len() == file.bytes.len() as u64)
    })
}

/// Unpacks beside the place and renames, so that nobody sees half a folder.
fn unpack(folder: &Path) -> io::Result<()> {
    let parent = folder.parent().unwrap_or(folder);
    fs::create_dir_all(parent)?;
    let beside = tempfile::Builder::new().prefix("unpacking-").tempdir_in(parent)?;
    for file in FILES {
        let path = beside.path().join(file.name);
        fs::write(&path, file.bytes)?;
        let mode = if file.executable { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    fs::set_permissions(beside.path(), fs::Permissions::from_mode(0o755))?;
    match fs::rename(beside.path(), folder) {
        Ok(()) => Ok(()),
        // Another process was faster.
        Err(_) if is_complete(folder) => Ok(()),
        // A damaged folder stands in the way: mend it file by file.
        Err(_) if folder.is_dir() => {
            for file in FILES {
                fs::rename(beside.path().join(file.name), folder.join(file.name))?;
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}
