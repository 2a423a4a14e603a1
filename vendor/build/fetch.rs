//! Gets the pinned files of vendor/sources.toml, each from the first place that
//! has it, and lets nothing through that has another SHA-256.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::pins::{self, Source};
use crate::stop::{Outcome, Stop, Trying, make_folder, out_dir, remove, run, variable, write};
use crate::system_packages::{Need, advice_on_pip};

/// The unpacked folder of a `.tar.gz` source.
pub(crate) fn unpacked_archive(source: &Source) -> Outcome<PathBuf> {
    let folder = out_dir().join("sources");
    let tree = folder.join(format!("{}-{}", source.name, source.version));
    once_per_pin(source, &tree, || {
        let path = verified_file(source)?;
        let unpacking = || format!("unpack {}", path.display());
        let compressed = fs::File::open(&path).trying(unpacking)?;
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(compressed));
        archive.unpack(&folder).trying(unpacking)
    })?;
    Ok(tree)
}

/// The unpacked folder of a wheel.
#[cfg(feature = "cli")]
pub(crate) fn unpacked_wheel(source: &Source) -> Outcome<PathBuf> {
    let tree = out_dir().join("sources").join(format!("{}-{}", source.name, source.version));
    once_per_pin(source, &tree, || {
        let path = verified_file(source)?;
        let unpacking = || format!("unpack {}", path.display());
        let file = fs::File::open(&path).trying(unpacking)?;
        zip::ZipArchive::new(file).trying(unpacking)?.extract(&tree).trying(unpacking)
    })?;
    Ok(tree)
}

/// Unpacks unless the folder was unpacked whole from the same file before.
fn once_per_pin(source: &Source, tree: &Path, unpack: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
    let stamp = tree.with_file_name(format!("{}-{}.sha256", source.name, source.version));
    if tree.is_dir() && fs::read_to_string(&stamp).is_ok_and(|known| known == source.sha256) {
        return Ok(());
    }
    remove(tree)?;
    remove(&stamp)?;
    make_folder(tree.parent().unwrap_or(tree))?;
    unpack()?;
    write(&stamp, &source.sha256)
}

fn verified_file(source: &Source) -> Outcome<PathBuf> {
    let path = match at_hand(source)? {
        Some(path) => path,
        None => download(source)?,
    };
    verify(source, &path)?;
    Ok(path)
}

/// The file in `vendor/cache`, or where `EPICS_GAUGE_SOURCES` points. The
/// folder is not watched: what it holds is pinned, so it can change nothing.
fn at_hand(source: &Source) -> Outcome<Option<PathBuf>> {
    let cached = Path::new("vendor/cache").join(&source.file);
    if cached.is_file() {
        return Ok(Some(cached));
    }
    let Some(given) = variable("EPICS_GAUGE_SOURCES").map(PathBuf::from) else {
        return Ok(None);
    };
    if given.is_dir() {
        return Ok(Some(given.join(&source.file)).filter(|path| path.is_file()));
    }
    let name = given.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !given.is_file() || !pins::names_of_all_files()?.contains(&name) {
        return Err(Stop {
            tried: format!("use the archive at EPICS_GAUGE_SOURCES={}", given.display()),
            why: "it is neither a folder nor a file that vendor/sources.toml names".to_string(),
            mend: format!(
                "point EPICS_GAUGE_SOURCES at {} or at a folder that has it, or \
                 `unset EPICS_GAUGE_SOURCES` to have it downloaded",
                source.file
            ),
        });
    }
    // The archive of another source says nothing about this one.
    Ok(Some(given).filter(|_| name == source.file))
}

/// Downloads with pip, which knows this machine's mirrors, proxies and
/// certificates, and checks the hash as well.
fn download(source: &Source) -> Outcome<PathBuf> {
    let folder = out_dir().join("download");
    let path = folder.join(&source.file);
    if path.is_file() && verify(source, &path).is_ok() {
        return Ok(path);
    }
    remove(&path)?;
    let requirements = folder.join(format!("{}.requirements.txt", source.name));
    write(
        &requirements,
        &format!("{}=={} --hash=sha256:{}\n", source.name, source.version, source.sha256),
    )?;
    // Not `:all:`, which would also build pip's own build tools from source.
    let format = if source.file.ends_with(".whl") { "--only-binary" } else { "--no-binary" };
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--progress-bar=off", "--no-deps", "--require-hashes"])
        .args([format, &source.name, "--requirement"])
        .arg(&requirements)
        .arg("--dest")
        .arg(&folder);
    run(&mut pip, |printed| how_to_mend_pip(source, printed))?;
    Ok(path)
}

fn how_to_mend_pip(source: &Source, printed: &str) -> String {
    let by_hand = format!(
        "or put {} (sha256 {}) into vendor/cache, or point EPICS_GAUGE_SOURCES at it, \
         and build again",
        source.file, source.sha256
    );
    let first = match printed.contains("did not start") {
        true => Need::Python.advice(),
        false => advice_on_pip(printed).unwrap_or_else(|| {
            "see what pip says above, and `python3 -m pip config list`".to_string()
        }),
    };
    format!("{first}\n{by_hand}")
}

fn verify(source: &Source, path: &Path) -> Outcome<()> {
    let checking = || format!("check the SHA-256 of {}", path.display());
    let found = sha256_hex(&fs::read(path).trying(checking)?);
    if found == source.sha256 {
        return Ok(());
    }
    Err(Stop {
        tried: checking(),
        why: format!("found  {found}\npinned {} in vendor/sources.toml", source.sha256),
        mend: format!(
            "remove that file and build again; if {} {} was upgraded on purpose, see \
             \"Upgrading a pin\" in vendor/README.md",
            source.name, source.version
        ),
    })
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
