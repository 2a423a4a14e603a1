//! What epics-gauge needs from the system, and the command that gets it: the one
//! source of such advice. The build script has this file as well, because what it
//! needs may be missing before there is a program that could report it.

use std::fs;

/// The variable that names another Python than the `python3` in PATH.
pub const PYTHON_VARIABLE: &str = "EPICS_GAUGE_PYTHON";

/// The versions of CPython that `vendor/python.lock` pins packages for: 3.10 to 3.13.
pub const PYTHON_MINORS: std::ops::RangeInclusive<u32> = 10..=13;

/// Families of systems that name their packages alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Debian, Ubuntu and what is made of them.
    Debian,
    /// Fedora, and the Red Hat Enterprise Linux family.
    Fedora,
    /// macOS with Homebrew.
    MacOs,
}

/// What may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A C and C++ compiler.
    Compiler,
    /// `ar`.
    Binutils,
    /// libclang, with which the build reads C headers.
    Libclang,
    /// Python 3.
    Python,
    /// pip, which installs Python packages.
    Pip,
    /// The C headers of Python, where pip has to compile.
    PythonHeaders,
}

impl System {
    /// All of them.
    pub const ALL: [System; 3] = [System::Debian, System::Fedora, System::MacOs];

    /// This machine's, if it is one that is known here.
    pub fn here() -> Option<System> {
        if cfg!(target_os = "macos") {
            return Some(System::MacOs);
        }
        let files = ["/etc/os-release", "/usr/lib/os-release"];
        files
            .iter()
            .find_map(|file| fs::read_to_string(file).ok())
            .and_then(|t| System::named_in(&t))
    }

    /// The family that an `os-release` file tells by `ID`, else by `ID_LIKE`.
    pub fn named_in(os_release: &str) -> Option<System> {
        let value = |key: &str| {
            let mut lines = os_release.lines().filter_map(|line| line.split_once('='));
            let (_, value) = lines.find(|(name, _)| name.trim() == key)?;
            Some(value.trim().trim_matches(['"', '\'']).to_lowercase())
        };
        let names = [value("ID"), value("ID_LIKE")].map(Option::unwrap_or_default).join(" ");
        names.split_whitespace().find_map(|name| match name {
            "debian" | "ubuntu" => Some(System::Debian),
            "fedora" | "rhel" | "centos" => Some(System::Fedora),
            _ => None,
        })
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            System::Debian => "Debian and Ubuntu",
            System::Fedora => "Fedora and RHEL",
            System::MacOs => "macOS",
        }
    }

    /// The command that installs `need`, to be run as root on Linux.
    pub fn command(self, need: Need) -> &'static str {
        match (self, need) {
            (System::Debian, Need::Compiler) => "apt-get install g++",
            (System::Debian, Need::Binutils) => "apt-get install binutils",
            (System::Debian, Need::Libclang) => "apt-get install libclang-dev",
            (System::Debian, Need::Python | Need::Pip) => "apt-get install python3 python3-pip",
            (System::Debian, Need::PythonHeaders) => "apt-get install g++ python3-dev",
            (System::Fedora, Need::Compiler) => "dnf install gcc-c++",
            (System::Fedora, Need::Binutils) => "dnf install binutils",
            (System::Fedora, Need::Libclang) => "dnf install clang-devel",
            (System::Fedora, Need::Python | Need::Pip) => "dnf install python3 python3-pip",
            (System::Fedora, Need::PythonHeaders) => "dnf install gcc-c++ python3-devel",
            (System::MacOs, Need::Python | Need::Pip) => "brew install python",
            (
                System::MacOs,
                Need::Compiler | Need::Binutils | Need::Libclang | Need::PythonHeaders,
            ) => "xcode-select --install",
        }
    }
}

impl Need {
    /// In words that follow "install".
    pub fn name(self) -> &'static str {
        match self {
            Need::Compiler => "a C and C++ compiler",
            Need::Binutils => "binutils",
            Need::Libclang => "libclang",
            Need::Python => "Python 3 with pip",
            Need::Pip => "pip",
            Need::PythonHeaders => "a C++ compiler and Python's headers",
        }
    }

    /// How to get it on this machine: one sentence without a full stop.
    pub fn advice(self) -> String {
        self.advice_on(System::here())
    }

    /// How to get it on `system`; on an unknown one, how on each that is known.
    pub fn advice_on(self, system: Option<System>) -> String {
        let name = self.name();
        if let Some(system) = system {
            return format!("install {name}: `{}`", system.command(self));
        }
        let each = System::ALL.map(|one| format!("`{}` ({})", one.command(self), one.name()));
        format!("install {name}: {}", each.join(", "))
    }
}

/// What mends a pip that failed, by what it `printed`; nothing when that tells no
/// cause.
pub fn advice_on_pip(printed: &str) -> Option<String> {
    let says_one_of = |words: &[&str]| words.iter().any(|word| printed.contains(word));
    if says_one_of(&["No module named pip"]) {
        return Some(Need::Pip.advice());
    }
    if says_one_of(&["DO NOT MATCH THE HASHES"]) {
        return Some(
            "what is offered is not what is pinned: look at the mirror that pip uses \
             (`python3 -m pip config list`) and trust the pin"
                .to_owned(),
        );
    }
    if says_one_of(&["Python.h", "Failed building wheel", "Failed to build", "command 'gcc'"]) {
        return Some(format!(
            "pip has no ready package for this machine and could not compile one: {}",
            Need::PythonHeaders.advice()
        ));
    }
    if says_one_of(&["Connection", "Retrying", "No matching distribution", "timed out"]) {
        return Some(
            "see that pip reaches its index or a mirror (`python3 -m pip config list`), or bring \
             the packages along: docs/offline-and-site-installs.md"
                .to_owned(),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n";
    const UBUNTU: &str = "NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n";
    const MINT: &str = "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n";
    const FEDORA: &str = "NAME=\"Fedora Linux\"\nVERSION_ID=42\nID=fedora\n";
    const ROCKY: &str = "NAME=\"Rocky Linux\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n";
    const ARCH: &str = "NAME=\"Arch Linux\"\nID=arch\n";

    #[test]
    fn an_os_release_file_reports_the_family() {
        for (file, family) in [
            (DEBIAN, Some(System::Debian)),
            (UBUNTU, Some(System::Debian)),
            (MINT, Some(System::Debian)),
            (FEDORA, Some(System::Fedora)),
            (ROCKY, Some(System::Fedora)),
            (ARCH, None),
            ("", None),
        ] {
            assert_eq!(System::named_in(file), family, "{file}");
        }
    }

    #[test]
    fn the_advice_has_the_command_of_the_system() {
        let on = |file| Need::Compiler.advice_on(System::named_in(file));
        assert_eq!(on(DEBIAN), "install a C and C++ compiler: `apt-get install g++`");
        assert_eq!(on(ROCKY), "install a C and C++ compiler: `dnf install gcc-c++`");
    }

    #[test]
    fn an_unknown_system_gets_the_commands_of_all() {
        let advice = Need::Python.advice_on(System::named_in(ARCH));
        for word in ["apt-get install python3", "dnf install python3", "brew install python"] {
            assert!(advice.contains(word), "{advice}");
        }
    }

    #[test]
    fn a_pip_that_failed_is_mended_by_what_it_reported() {
        let no_pip = advice_on_pip("/usr/bin/python3: No module named pip").unwrap();
        assert_eq!(no_pip, Need::Pip.advice());
        let compiled = advice_on_pip("fatal error: Python.h: No such file").unwrap();
        assert!(compiled.ends_with(&Need::PythonHeaders.advice()), "{compiled}");
        let alone = advice_on_pip("ERROR: No matching distribution found for numpy").unwrap();
        assert!(alone.contains("docs/offline-and-site-installs.md"), "{alone}");
        assert_eq!(advice_on_pip("something else"), None);
    }
}
