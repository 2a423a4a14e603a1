//! What travels inside this crate: programs, templates and Python workers, and
//! the cache folder that they are unpacked into.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

#[cfg(feature = "cli")]
use crate::manifest::{ApproachManifest, Manifest, Placed, ServerManifest};

/// The programs that travel inside this one could not be unpacked.
#[derive(Debug, thiserror::Error)]
#[error("cannot unpack {path}: {source}; set EPICS_GAUGE_CACHE to a folder that can be written")]
pub struct UnpackError {
    /// The folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

#[derive(Clone, Copy)]
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

/// The manifests and the Python of approaches and servers, as the build found them in
/// their folders.
#[cfg(feature = "cli")]
mod found {
    include!(concat!(env!("OUT_DIR"), "/manifests.rs"));
}

/// All that is unpacked.
fn files() -> impl Iterator<Item = File> {
    #[cfg(feature = "cli")]
    let python = found::PYTHON.iter();
    #[cfg(not(feature = "cli"))]
    let python = std::iter::empty::<&(&str, &[u8])>();
    let python = python.map(|(name, bytes)| File { name, bytes, executable: false });
    FILES.iter().copied().chain(python)
}

/// What is not Python.
const FILES: &[File] = &[
    program!("supervisor"),
    program!("softIoc"),
    #[cfg(feature = "pvaccess")]
    program!("softIocPvx"),
    #[cfg(feature = "cli")]
    program!("caRepeater"),
    #[cfg(feature = "cli")]
    program!("catime"),
    File { name: "softIoc.dbd", bytes: built!("softIoc.dbd"), executable: false },
    #[cfg(feature = "pvaccess")]
    File { name: "softIocPvx.dbd", bytes: built!("softIocPvx.dbd"), executable: false },
    source!("db", "gauge.db"),
    source!("db", "calc.template"),
    source!("db", "frame.template"),
    #[cfg(feature = "cli")]
    source!("vendor", "python.lock"),
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
    assert!(files().any(|file| file.name == name), "{name} does not travel inside");
    Ok(folder()?.join(name))
}

/// The folder to put into `PYTHONPATH` for a program that imports `epics_gauge`.
///
/// # Errors
/// When the cache folder cannot be written.
#[cfg(feature = "cli")]
pub fn python_folder() -> Result<PathBuf, UnpackError> {
    Ok(folder()?.join("python"))
}

/// The manifests of this crate's approaches.
#[cfg(feature = "cli")]
pub fn approaches() -> Vec<Placed<ApproachManifest>> {
    placed(found::APPROACHES)
}

/// The manifests of this crate's servers.
#[cfg(feature = "cli")]
pub fn servers() -> Vec<Placed<ServerManifest>> {
    placed(found::SERVERS)
}

#[cfg(feature = "cli")]
fn placed<M: Manifest>(found: &[(&str, &str)]) -> Vec<Placed<M>> {
    let read = |(path, text): &(&str, &str)| {
        Placed::read(path, text).unwrap_or_else(|why| panic!("{path} passed the build: {why}"))
    };
    found.iter().map(read).collect()
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

/// The SHA-256 of all that travels inside this program.
pub fn content_hash() -> String {
    let mut all = Sha256::new();
    for file in files() {
        all.update(file.name.as_bytes());
        all.update(file.bytes.len().to_le_bytes());
        all.update(file.bytes);
    }
    all.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_complete(folder: &Path) -> bool {
    files().all(|file| {
        fs::metadata(folder.join(file.name))
            .is_ok_and(|found| found.len() == file.bytes.len() as u64)
    })
}

/// Unpacks beside the place and renames, so that nobody sees half a folder.
fn unpack(folder: &Path) -> io::Result<()> {
    let parent = folder.parent().unwrap_or(folder);
    fs::create_dir_all(parent)?;
    let beside = tempfile::Builder::new().prefix("unpacking-").tempdir_in(parent)?;
    for file in files() {
        let path = beside.path().join(file.name);
        make_folder_of(&path)?;
        fs::write(&path, file.bytes)?;
        let mode = if file.executable { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    fs::set_permissions(beside.path(), fs::Permissions::from_mode(0o755))?;
    match fs::rename(beside.path(), folder) {
        Ok(()) => Ok(()),
        // Another process was faster.
        Err(_) if is_complete(folder) => Ok(()),
        // A damaged folder stands in the way: replace it file by file.
        Err(_) if folder.is_dir() => {
            for file in files() {
                let path = folder.join(file.name);
                make_folder_of(&path)?;
                fs::rename(beside.path().join(file.name), path)?;
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn make_folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_and_every_python_file_of_the_folders_travels_inside() {
        for folder in ["src/worker/native", "src/worker/python", "src/ioc/native", "src/ioc/python"]
        {
            let manifests: Vec<&str> =
                found::APPROACHES.iter().chain(found::SERVERS).map(|(path, _)| *path).collect();
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            for entry in fs::read_dir(root.join(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let path = format!("{folder}/{name}");
                match name.rsplit('.').next() {
                    Some("toml") => assert!(manifests.contains(&path.as_str()), "{path}"),
                    Some("py") => assert!(tool(&name).unwrap().is_file(), "{path}"),
                    _ => {}
                }
            }
        }
        assert!(!approaches().is_empty() && !servers().is_empty());
    }

    #[test]
    fn the_python_package_travels_inside_as_a_package() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
        for name in ["__init__.py", "worker/loop.py", "server/loop.py", "soft_ioc.py"] {
            let name = format!("epics_gauge/{name}");
            let unpacked = fs::read(python_folder().unwrap().join(&name)).unwrap();
            assert_eq!(unpacked, fs::read(root.join(&name)).unwrap(), "{name}");
        }
    }
}
