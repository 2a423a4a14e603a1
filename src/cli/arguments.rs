//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use epics_gauge::conform::ConformFormat;
use epics_gauge::judge::BUDGET_S;
use epics_gauge::link::LinkConditions;
use epics_gauge::lookup::Lookup;
use epics_gauge::process::link::LinkProcess;
use epics_gauge::record::{Disturbance, Pixels};
use epics_gauge::report::{Described, Export, Format};
use epics_gauge::worker_protocol::Mode;

use super::databases::Databases;
use super::examples;
use super::formats::{Written, exports, formats, formats_and_csv, formats_of_history};

/// Measures EPICS clients and IOCs and checks every value that comes back.
///
/// Without a subcommand it runs the quick profile: every approach against real,
/// isolated IOCs on this machine.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) run: RunArguments,
    #[command(subcommand)]
    pub(super) subcommand: Option<Subcommand>,
}

/// 64 MiB in a frame: the floor takes no message over 128 MiB.
const MOST_PIXELS: usize = 32 << 20;

/// Ten times what the published tables have.
const MOST_MONITORS: usize = 10_000;

const EXAMPLES: &str = "\
Examples:
  epics-gauge                                     everything, quick profile
  epics-gauge --approach pyca,pyepics --pvs 1000  two libraries at one size
  epics-gauge run waveform --rate 10,120          CPU, memory and loss of a camera
  epics-gauge run capacity --approach aioca       the most updates without loss
  epics-gauge run scale --table calc-p4p          a published table, every update counted
  epics-gauge ioc --pvs 100                       an isolated IOC to play with
  epics-gauge waveform --help                     what applies to a scenario
  epics-gauge doctor                              what is missing, and how to get it

Exit codes:
  0 every verdict as expected    1 a limit broken    2 `compare`, `history`: worse
  3 undecided    4 could not measure    64 bad arguments or input    130 interrupted

Documents: README.md and docs/ of the repository; docs/METHODOLOGY.md says how figures are made.";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Subcommand {
    /// Measure approaches and judge them (the default)
    Run(Box<RunArguments>),
    /// Run an isolated IOC with its shell on the terminal
    Ioc(Box<IocArguments>),
    /// List approaches, servers, scenarios, faults, published tables or limits
    List(ListArguments),
    /// Compare two approaches, two versions of one, or two softIocs, pair by pair
    Compare(Box<CompareArguments>),
    /// Check that clients return the right values: types, limits, alarms, monitors, puts
    Conform(ConformArguments),
    /// Measure how often the judge is wrong on this machine, and what it catches
    Calibrate(CalibrateArguments),
    /// Judge a record file; prints the verdicts as JSON
    Judge(JudgeArguments),
    /// Write a report from a record file
    Report(ReportArguments),
    /// Show each figure over several runs, and where its level changed
    History(HistoryArguments),
    /// Write the figures of a run in the format of another program
    Export(ExportArguments),
    /// Find the commit that made something worse, by `git bisect run` and `compare`
    Bisect(BisectArguments),
    /// Show that the floors are floors: what they send, how busy the server is, and a replay
    Floor(FloorArguments),
    /// Tell what is installed, what is missing, and the command that installs it
    Doctor(DoctorArguments),
    /// Write a shell's completions to stdout
    Completions(CompletionsArguments),
    /// Write the manual pages
    Man(ManArguments),
    /// The inside of a worker
    #[command(hide = true)]
    Worker(WorkerArguments),
    /// The inside of a bisection
    #[command(hide = true)]
    BisectStep(BisectStepArguments),
    /// Check the link of --link: delay, loss, rate, and what it adds when it does nothing
    LinkCheck(LinkCheckArguments),
    /// Check the hosts of a file: version, cores, clock and round trip
    Hosts(HostsArguments),
    /// Carry out orders of another host, on stdin, until it ends
    #[command(hide = true)]
    Agent(AgentArguments),
    /// The inside of a link
    #[command(hide = true)]
    LinkProcess(LinkProcessArguments),
    /// The inside of a server
    #[cfg(feature = "pure-rust")]
    #[command(hide = true)]
    Server(ServerArguments),
}

#[derive(Debug, Args)]
#[command(after_help = examples::CONFORM)]
pub(super) struct ConformArguments {
    /// Approaches to check, separated by commas; all when not given
    #[arg(long = "approach", value_name = "A", value_delimiter = ',')]
    pub(super) approaches: Vec<String>,
    /// A TOML file with approaches of your own
    #[arg(long = "approaches", value_name = "FILE")]
    pub(super) approaches_file: Option<PathBuf>,
    /// Servers, separated by commas [default: softioc and softioc-pva, each with its protocol]
    #[arg(long = "server", value_name = "S", value_delimiter = ',')]
    pub(super) servers: Vec<String>,
    /// A TOML file with servers of your own (docs/conformance.md)
    #[arg(long = "servers", value_name = "FILE")]
    pub(super) servers_file: Option<PathBuf>,
    /// Checks to run, separated by commas; all when not given
    #[arg(long = "check", value_name = "ID", value_delimiter = ',')]
    pub(super) checks: Vec<String>,
    /// Groups to run, separated by commas; all when not given
    #[arg(long = "group", value_name = "G", value_delimiter = ',')]
    pub(super) groups: Vec<String>,
    /// A TOML file with checks of your own (docs/conformance.md)
    #[arg(long = "checks", value_name = "FILE")]
    pub(super) checks_file: Option<PathBuf>,
    /// List the checks
    #[arg(long)]
    pub(super) list: bool,
    /// What to print on stdout: text, markdown, html, json, junit
    #[arg(long, value_name = "FORMAT", default_value_t)]
    pub(super) format: ConformFormat,
    /// Folder for conformance.md, .html, .json and .xml (JUnit)
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = examples::RUN)]
pub(super) struct RunArguments {
    /// Scenarios to run [default: connect and waveform; all with --profile full]
    #[arg(value_name = "SCENARIO")]
    pub(super) scenarios: Vec<String>,
    /// Approaches to run, separated by commas; all when not given
    #[arg(long = "approach", value_name = "A", value_delimiter = ',')]
    pub(super) approaches: Vec<String>,
    /// A TOML file with approaches of your own
    #[arg(long = "approaches", value_name = "FILE")]
    pub(super) approaches_file: Option<PathBuf>,
    /// Servers to run against, separated by commas [default: softioc and softioc-pva; in the
    /// scale scenario those of the published tables]
    #[arg(long = "server", value_name = "S", value_delimiter = ',')]
    pub(super) servers: Vec<String>,
    /// A TOML file with servers of your own
    #[arg(long = "servers", value_name = "FILE")]
    pub(super) servers_file: Option<PathBuf>,
    /// Counts of PVs, separated by commas
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = parse_pvs, allow_negative_numbers = true)]
    pub(super) pvs: Vec<usize>,
    /// Faults of the faults scenario, separated by commas: see `list faults` [default: all but
    /// those that take minutes]
    #[arg(long = "fault", value_name = "NAME", value_delimiter = ',')]
    pub(super) faults: Vec<String>,
    /// IOCs that have the PVs of the many-iocs scenario together [default: one for 10 000 PVs]
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u32).range(1..=1000), allow_negative_numbers = true)]
    pub(super) iocs: Option<u32>,
    /// Clients of the many-iocs scenario get the PVs in the order of the IOCs, not shuffled
    #[arg(long)]
    pub(super) in_order: bool,
    /// How PVs are connected, separated by commas; both when not given
    #[arg(long = "mode", value_name = "MODE", value_delimiter = ',', value_enum)]
    pub(super) modes: Vec<ModeArgument>,
    /// How PVs are found, separated by commas: udp, name-server [default: udp; connect with
    /// 10 000 PVs in bulk, and many-iocs, by both]
    #[arg(long = "lookup", value_name = "LOOKUP", value_delimiter = ',')]
    pub(super) lookups: Vec<Lookup>,
    /// A network between server and clients: what it does to packets one way, such as
    /// delay=10ms,loss=1%,rate=100mbit; clean to count searches only (docs/link.md)
    #[arg(long, value_name = "LINK")]
    pub(super) link: Option<LinkConditions>,
    /// A TOML file with the hosts of servers and clients; without it all are on loopback
    /// (docs/hosts.md)
    #[arg(long = "hosts", value_name = "FILE", conflicts_with = "link")]
    pub(super) hosts_file: Option<PathBuf>,
    /// Updates per second of each PV, separated by commas: rates of the IOC's scan menu
    /// [default: waveform 120 (full profile 10 and 120), scalars and capacity 10, 100 and 1000,
    /// recovery 10]
    #[arg(long = "rate", value_name = "HZ", value_delimiter = ',', value_parser = parse_rate, allow_negative_numbers = true)]
    pub(super) rates: Vec<f64>,
    /// Monitors on each PV in the scale scenario, separated by commas
    #[arg(long, value_name = "M", value_delimiter = ',', value_parser = parse_monitors, allow_negative_numbers = true)]
    pub(super) monitors: Vec<usize>,
    /// Published tables to measure row by row in the scale scenario, separated by commas:
    /// see `list tables` [default: nine rows of all; all rows with --profile full]
    #[arg(long = "table", value_name = "NAME", value_delimiter = ',')]
    pub(super) tables: Vec<String>,
    /// Size of frames: of the waveform scenario [default: 680x480], and of the recovery one,
    /// which else has scalars
    #[arg(long, value_name = "WxH", value_parser = parse_pixels)]
    pub(super) pixels: Option<Pixels>,
    /// Seconds of a monitor run, or have to come back after a restart
    /// [default: waveform 10, scalars 5, capacity 3, scale 20, recovery 25]
    #[arg(long, value_name = "S", value_parser = parse_watch, allow_negative_numbers = true)]
    pub(super) seconds: Option<f64>,
    /// EPICS_CA_MAX_ARRAY_BYTES of server and clients, without the automatic size of newer
    /// libraries [default: what the frames need]
    #[arg(long, value_name = "BYTES", value_parser = parse_array_bytes)]
    pub(super) array_bytes: Option<u64>,
    /// A client that holds more memory during a monitor run is stopped, in MiB
    /// [default: a quarter of the machine's]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) most_memory: Option<u32>,
    /// Blocks of each configuration; a verdict on times needs 5 [default: connect 5 (full profile 15),
    /// monitors 1 (full profile 5)]
    #[arg(long, value_name = "B", value_parser = parse_blocks, allow_negative_numbers = true)]
    pub(super) blocks: Option<u32>,
    /// The most fresh blocks that confirm what looks broken in five blocks or more; with
    /// 0 that is left undecided
    #[arg(long, value_name = "B", default_value_t = 24, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(super) fresh_blocks: u32,
    /// How thoroughly to measure
    #[arg(long, value_enum, default_value_t = Profile::Quick)]
    pub(super) profile: Profile,
    /// Folder for records, verdicts, report and logs [default: epics-gauge-out/<UTC time>]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Continue a run that was interrupted, with its arguments, in its folder
    #[arg(long, value_name = "DIR", exclusive = true)]
    pub(super) resume: Option<PathBuf>,
    /// What to print on stdout
    #[arg(long, value_parser = formats(), default_value = Format::Table.name())]
    pub(super) format: Format,
    /// Print every table, not only the answer
    #[arg(long = "tables", conflicts_with = "format")]
    pub(super) all_tables: bool,
    /// The delay that you do not accept while connecting: the report shows from how many PVs
    /// on an approach takes that much longer than the fastest
    #[arg(long = "budget", value_name = "SECONDS", default_value_t = BUDGET_S, value_parser = parse_seconds, allow_negative_numbers = true)]
    pub(super) budget_s: f64,
    /// The commit that is measured [default: that of the CI service, else of git in this folder]
    #[arg(long, value_name = "COMMIT", value_parser = parse_commit)]
    pub(super) commit: Option<String>,
    /// Its branch [default: likewise]
    #[arg(long, value_name = "NAME", value_parser = parse_commit)]
    pub(super) branch: Option<String>,
    /// Do not count missing approaches as a failure
    #[arg(long)]
    pub(super) allow_missing: bool,
    /// A TOML file with limits of your own, instead of those of this build
    #[arg(long = "limits", value_name = "FILE")]
    pub(super) limits_file: Option<PathBuf>,
    /// End with exit code 4 if another measurement runs on this machine, instead of waiting
    /// for it
    #[arg(long)]
    pub(super) no_wait: bool,
    /// Seed of every random choice [default: a random one]
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Seconds that one stage may take, and that loading a library may take
    /// [default: 20 and 5 ms more per PV, one by one 100 ms; 60 to load]
    #[arg(long, value_name = "S", value_parser = parse_seconds, allow_negative_numbers = true)]
    pub(super) timeout: Option<f64>,
}

#[derive(Debug, Args)]
#[command(after_help = COMPARE_EXAMPLES)]
pub(super) struct CompareArguments {
    /// Approach A and approach B, each perhaps in a version (pyepics@3.5.7) or from a source
    /// (pyepics@./checkout, pyepics@git+https://…), then connect (the default), scalars,
    /// waveform, scale or recovery
    #[arg(value_name = "A B [SCENARIO]", num_args = 0..=3)]
    pub(super) words: Vec<String>,
    /// A TOML file with approaches of your own
    #[arg(long = "approaches", value_name = "FILE")]
    pub(super) approaches_file: Option<PathBuf>,
    /// The server [default: the softIoc that both can speak to]; a second one after it is
    /// compared with it: --server python-softioc@4.6.0 python-softioc@4.7.2
    #[arg(long, value_name = "S", conflicts_with = "ioc_a")]
    pub(super) server: Option<String>,
    /// A TOML file with servers of your own
    #[arg(long = "servers", value_name = "FILE")]
    pub(super) servers_file: Option<PathBuf>,
    /// Side A is this softIoc
    #[arg(long, value_name = "PATH", requires = "ioc_b")]
    pub(super) ioc_a: Option<PathBuf>,
    /// Side B is this softIoc
    #[arg(long, value_name = "PATH", requires = "ioc_a")]
    pub(super) ioc_b: Option<PathBuf>,
    /// The approach that measures two softIocs or servers [default: libca]
    #[arg(long, value_name = "A")]
    pub(super) approach: Option<String>,
    /// What is installed with packages in versions, such as 'numpy<2'; may be repeated
    #[arg(long, value_name = "REQUIREMENT", value_parser = parse_requirement)]
    pub(super) beside: Vec<String>,
    /// The Python that runs both sides [default: EPICS_GAUGE_PYTHON, else python3]
    #[arg(long, value_name = "PATH")]
    pub(super) python: Option<PathBuf>,
    /// How PVs are found: udp or name-server
    #[arg(long, value_name = "LOOKUP", default_value = Lookup::Udp.option())]
    pub(super) lookup: Lookup,
    /// A network between server and clients, such as delay=10ms,loss=1%,rate=100mbit
    #[arg(long, value_name = "LINK")]
    pub(super) link: Option<LinkConditions>,
    /// A TOML file with the hosts of servers and clients (docs/hosts.md)
    #[arg(long = "hosts", value_name = "FILE", conflicts_with_all = ["link", "ioc_a"])]
    pub(super) hosts_file: Option<PathBuf>,
    /// How many PVs [default: connect 1000, others 100]
    #[arg(long, value_name = "N", value_parser = parse_pvs, allow_negative_numbers = true)]
    pub(super) pvs: Option<usize>,
    /// Updates per second of each PV [default: scalars 100, waveform 120, others 10]
    #[arg(long, value_name = "HZ", value_parser = parse_rate, allow_negative_numbers = true)]
    pub(super) rate: Option<f64>,
    /// Size of frames in waveform [default: 680x480]
    #[arg(long, value_name = "WxH", value_parser = parse_pixels)]
    pub(super) pixels: Option<Pixels>,
    /// What happens in recovery: stall, restart or missing-pv [default: restart]
    #[arg(long, value_name = "FAULT")]
    pub(super) disturbance: Option<Disturbance>,
    /// Seconds of a monitor run [default: 3, scale 5, recovery 25]
    #[arg(long, value_name = "S", value_parser = parse_watch, allow_negative_numbers = true)]
    pub(super) seconds: Option<f64>,
    /// What is compared, separated by commas, such as `connect bulk` or `get bulk cpu`
    /// [default: connect bulk; with monitors client cpu, client memory and updates lost]
    #[arg(long = "metric", value_name = "M", value_delimiter = ',')]
    pub(super) metrics: Vec<String>,
    /// The difference in % that does not matter to you
    #[arg(long, value_name = "PERCENT", default_value_t = 3.0, value_parser = parse_tolerance, allow_negative_numbers = true)]
    pub(super) tolerance: f64,
    /// The most fresh pairs to measure before it is left undecided
    #[arg(long, value_name = "N", default_value_t = 192, value_parser = clap::value_parser!(u32).range(8..=100_000))]
    pub(super) most_pairs: u32,
    /// How many comparisons you make, this one among them: that any of them is a false
    /// alarm stays at 1 %
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) comparisons: u32,
    /// A calibration that was measured elsewhere, for the report: the calibration.json of
    /// `calibrate`; may be repeated
    #[arg(long = "calibration", value_name = "FILE")]
    pub(super) calibrations: Vec<PathBuf>,
    /// Print workflow commands that GitHub Actions shows beside the change
    #[arg(long)]
    pub(super) annotations: bool,
    /// Folder for records, report and logs [default: epics-gauge-out/<UTC time>]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// What to print on stdout
    #[arg(long, value_parser = formats(), default_value = Format::Table.name())]
    pub(super) format: Format,
    /// Seconds that one stage may take [default: as with run]
    #[arg(long, value_name = "S", value_parser = parse_seconds, allow_negative_numbers = true)]
    pub(super) timeout: Option<f64>,
    /// End with exit code 4 if another measurement runs on this machine, instead of waiting
    /// for it
    #[arg(long)]
    pub(super) no_wait: bool,
    /// Seed of every random choice [default: a random one]
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
}

const COMPARE_EXAMPLES: &str = "\
Examples:
  epics-gauge compare pyepics aioca                      who connects faster
  epics-gauge compare pyepics@3.5.7 pyepics@3.5.10       did the new version get slower
  epics-gauge compare p4p@4.3.0 p4p@./checkout           a release with a checkout
  epics-gauge compare before after --approaches my.toml  two builds of your own
  epics-gauge compare --ioc-a old/softIoc --ioc-b new/softIoc scalars

Exit codes: 0 no difference, or better    2 worse    3 undecided    4 could not measure";

#[derive(Debug, Args)]
#[command(after_help = examples::CALIBRATE)]
pub(super) struct CalibrateArguments {
    /// What is measured: connect, scalars or waveform
    #[arg(value_name = "SCENARIO", default_value = "connect")]
    pub(super) scenario: String,
    /// The approach that is compared with itself
    #[arg(long, value_name = "A", default_value = "libca")]
    pub(super) approach: String,
    /// A TOML file with approaches of your own
    #[arg(long = "approaches", value_name = "FILE")]
    pub(super) approaches_file: Option<PathBuf>,
    /// How many PVs each worker connects [default: 1000, scalars 100]
    #[arg(long, value_name = "N", value_parser = parse_pvs, allow_negative_numbers = true)]
    pub(super) pvs: Option<usize>,
    /// Seconds of a monitor run [default: 3]
    #[arg(long, value_name = "S", value_parser = parse_watch, allow_negative_numbers = true)]
    pub(super) seconds: Option<f64>,
    /// Pairs of each slowdown to measure
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(20..=100_000))]
    pub(super) rounds: u32,
    /// Comparisons to draw from them
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub(super) experiments: u32,
    /// Whole comparisons to run as a check: alike, 5 % and 10 % slower, so many of each
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub(super) whole_runs: u32,
    /// The difference in % that does not matter
    #[arg(long, value_name = "PERCENT", default_value_t = 3.0, value_parser = parse_tolerance, allow_negative_numbers = true)]
    pub(super) tolerance: f64,
    /// Folder for records and report [default: epics-gauge-out/<UTC time>]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// What to print on stdout
    #[arg(long, value_parser = formats(), default_value = Format::Table.name())]
    pub(super) format: Format,
    /// End with exit code 4 if another measurement runs on this machine, instead of waiting
    /// for it
    #[arg(long)]
    pub(super) no_wait: bool,
    /// Seed of every random choice [default: a random one]
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
}

#[derive(Debug, Args)]
#[command(after_help = examples::IOC)]
pub(super) struct IocArguments {
    /// Calc records gauge:0, gauge:1, … to hold
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) pvs: usize,
    /// Rate at which they are scanned, in Hz; without it, `dbpf epics-gauge:tick.PROC 1` processes them
    #[arg(long, value_name = "HZ", allow_negative_numbers = true)]
    pub(super) rate: Option<f64>,
    /// Which server
    #[arg(long, value_name = "S", default_value = "softioc")]
    pub(super) server: String,
    /// A TOML file with servers of your own
    #[arg(long = "servers", value_name = "FILE")]
    pub(super) servers_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) databases: Databases,
    /// An access security file
    #[arg(long, value_name = "FILE")]
    pub(super) acf: Option<PathBuf>,
    /// Macros for it
    #[arg(
        long,
        value_name = "MACROS",
        default_value = "",
        hide_default_value = true,
        requires = "acf"
    )]
    pub(super) acf_macros: String,
    /// A shell command to run before iocInit; may be repeated
    #[arg(long, value_name = "COMMAND")]
    pub(super) before_init: Vec<String>,
    /// A shell command to run as soon as the IOC serves; may be repeated
    #[arg(long, value_name = "COMMAND")]
    pub(super) after_init: Vec<String>,
    /// A start-up script to run as it is, in its own folder, instead of all that
    #[arg(long, value_name = "ST.CMD", conflicts_with_all = ["db", "acf", "before_init", "pvs", "rate"])]
    pub(super) cmd: Option<PathBuf>,
    /// The softIoc or IOC to run [default: that of the script's first line, else our softIoc]
    #[arg(long, value_name = "PROGRAM")]
    pub(super) program: Option<PathBuf>,
    /// A database definition to load instead of the program's own
    #[arg(long, value_name = "FILE")]
    pub(super) dbd: Option<PathBuf>,
    /// How clients find its PVs: udp or name-server
    #[arg(long, value_name = "LOOKUP", default_value = Lookup::Udp.option())]
    pub(super) lookup: Lookup,
    /// End after this time, such as 60s or 5m; it may outlive its parent then
    #[arg(long = "for", value_name = "TIME", value_parser = parse_time)]
    pub(super) for_time: Option<Duration>,
    /// End when this process does, instead of the one that started it
    #[arg(long = "with", value_name = "PID", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "for_time")]
    pub(super) with: Option<u32>,
    /// Write what the IOC prints to a file
    #[arg(long, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,
    /// Speak JSON, one object a line (docs/ioc.md)
    #[arg(long, conflicts_with_all = ["log", "command"])]
    pub(super) json: bool,
    /// A command to run with the IOC's environment; its exit code is passed on
    #[arg(last = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

impl IocArguments {
    /// An option that only a softIoc knows, if one was given.
    pub(super) fn option_of_a_soft_ioc(&self) -> Option<&'static str> {
        let given = [
            ("--db", !self.databases.files.is_empty()),
            ("--acf", self.acf.is_some()),
            ("--before-init", !self.before_init.is_empty()),
            ("--after-init", !self.after_init.is_empty()),
            ("--cmd", self.cmd.is_some()),
            ("--program", self.program.is_some()),
            ("--dbd", self.dbd.is_some()),
            ("--log", self.log.is_some()),
        ];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(option, _)| option)
    }
}

/// A requirement that is no option of pip's.
fn parse_requirement(text: &str) -> Result<String, String> {
    match text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        true => Ok(text.to_owned()),
        false => Err(format!("`{text}` is no requirement; write such as 'numpy<2'")),
    }
}

/// A time such as `60s`, `5m` or `1h 30m`; a number alone means seconds.
fn parse_time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time; write 60s, 5m or 1h");
    let time: jiff::SignedDuration = match text.parse::<u32>() {
        Ok(seconds) => jiff::SignedDuration::from_secs(i64::from(seconds)),
        Err(_) => text.parse().map_err(|_| wrong())?,
    };
    Duration::try_from(time).ok().filter(|time| !time.is_zero()).ok_or_else(wrong)
}

#[derive(Debug, Args)]
#[command(after_help = examples::LIST)]
pub(super) struct ListArguments {
    /// What to list
    #[arg(value_enum)]
    pub(super) what: Listed,
    /// A TOML file with approaches of your own
    #[arg(long = "approaches", value_name = "FILE")]
    pub(super) approaches_file: Option<PathBuf>,
    /// A TOML file with servers of your own
    #[arg(long = "servers", value_name = "FILE")]
    pub(super) servers_file: Option<PathBuf>,
    /// A TOML file with limits of your own, instead of those of this build
    #[arg(long = "limits", value_name = "FILE")]
    pub(super) limits_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = examples::JUDGE)]
pub(super) struct JudgeArguments {
    /// A records.jsonl
    pub(super) records: PathBuf,
    /// A TOML file with limits of your own, instead of those of this build
    #[arg(long = "limits", value_name = "FILE")]
    pub(super) limits_file: Option<PathBuf>,
    /// Do not count missing approaches as a failure
    #[arg(long)]
    pub(super) allow_missing: bool,
}

#[derive(Debug, Args)]
#[command(after_help = examples::REPORT)]
pub(super) struct ReportArguments {
    /// A run's folder or its records.jsonl; several for their history
    #[arg(value_name = "RUN", required_unless_present = "schema")]
    pub(super) runs: Vec<PathBuf>,
    /// Print the JSON Schema of this, instead of a report
    #[arg(long, value_enum, value_name = "OF", conflicts_with = "runs")]
    pub(super) schema: Option<SchemaArgument>,
    /// A TOML file with limits of your own, instead of those of this build
    #[arg(long = "limits", value_name = "FILE")]
    pub(super) limits_file: Option<PathBuf>,
    /// How to write it
    #[arg(long, value_parser = formats_and_csv(), default_value = Format::Table.name())]
    pub(super) format: Written,
    /// Print every table, not only the answer
    #[arg(long = "tables", conflicts_with = "format")]
    pub(super) all_tables: bool,
    /// The delay that you do not accept while connecting: the report shows from how many PVs
    /// on an approach takes that much longer than the fastest
    #[arg(long = "budget", value_name = "SECONDS", default_value_t = BUDGET_S, value_parser = parse_seconds, allow_negative_numbers = true)]
    pub(super) budget_s: f64,
    /// The address of the whole report, for the comment
    #[arg(long, value_name = "URL", value_parser = parse_link)]
    pub(super) link: Option<String>,
    /// Print this figure of the page as a picture (SVG), instead of a report
    #[arg(long, value_name = "ID", conflicts_with = "format")]
    pub(super) figure: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = examples::HISTORY)]
pub(super) struct HistoryArguments {
    /// Runs, by their folders or record files, and history files
    #[arg(value_name = "RUN", required = true)]
    pub(super) runs: Vec<PathBuf>,
    /// Append the runs to this history file, unless it has them, and show all runs of the file
    #[arg(long, value_name = "FILE")]
    pub(super) append: Option<PathBuf>,
    /// Only the runs of this branch
    #[arg(long, value_name = "NAME")]
    pub(super) branch: Option<String>,
    /// A worsening that one of the last N runs made certain ends with exit code 2; with 0
    /// none does
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(super) recent: u32,
    /// How to write it
    #[arg(long, value_parser = formats_of_history(), default_value = Format::Table.name())]
    pub(super) format: Written,
    /// The address of the page, for the comment
    #[arg(long, value_name = "URL", value_parser = parse_link)]
    pub(super) link: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = examples::EXPORT)]
pub(super) struct ExportArguments {
    /// A run, by its folder or record file; for otava several, or a history file
    #[arg(value_name = "RUN", required = true)]
    pub(super) runs: Vec<PathBuf>,
    /// The format
    #[arg(long = "as", value_name = "FORMAT", value_parser = exports())]
    pub(super) format: Export,
}

#[derive(Debug, Args)]
#[command(after_help = examples::BISECT)]
pub(super) struct BisectArguments {
    /// A commit that is good
    pub(super) good: String,
    /// A later commit that is worse
    pub(super) bad: String,
    /// What `compare` takes (two approaches, a scenario, options), then `--` and the command
    /// that builds a checkout, run in its folder. `{good}` and `{checkout}` stand for the two
    /// checkouts
    #[arg(
        value_name = "COMPARE… -- BUILD…",
        num_args = 1..,
        required = true,
        allow_hyphen_values = true,
        trailing_var_arg = true
    )]
    pub(super) words: Vec<String>,
}

impl BisectArguments {
    /// The words of the comparison and those of the build, if `--` stands between.
    pub(super) fn compare_and_build(&self) -> Option<(&[String], &[String])> {
        let between = self.words.iter().position(|word| word == "--")?;
        let (compare, build) = (&self.words[..between], &self.words[between + 1..]);
        (!build.is_empty()).then_some((compare, build))
    }
}

#[derive(Debug, Args)]
#[command(after_help = examples::FLOOR)]
pub(super) struct FloorArguments {
    /// Count of PVs
    #[arg(long, value_name = "N", value_parser = parse_pvs, default_value = "100000", allow_negative_numbers = true)]
    pub(super) pvs: usize,
    /// Blocks; an interval needs 5
    #[arg(long, value_name = "B", value_parser = parse_blocks, default_value = "5", allow_negative_numbers = true)]
    pub(super) blocks: u32,
    /// End with exit code 4 if another measurement runs on this machine, instead of waiting for it
    #[arg(long)]
    pub(super) no_wait: bool,
    /// Tables, or every sample for programs (docs/data.md)
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "tables")]
    pub(super) format: FloorFormat,
}

/// What `floor` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FloorFormat {
    /// A table for each floor
    Tables,
    /// One JSON object
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = examples::DOCTOR)]
pub(super) struct DoctorArguments {
    /// A TOML file with approaches of your own
    #[arg(long = "approaches", value_name = "FILE")]
    pub(super) approaches_file: Option<PathBuf>,
    /// A TOML file with servers of your own
    #[arg(long = "servers", value_name = "FILE")]
    pub(super) servers_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = examples::COMPLETIONS)]
pub(super) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
#[command(after_help = examples::MAN)]
pub(super) struct ManArguments {
    /// Folder for all pages; without it the main page goes to stdout
    #[arg(value_name = "DIR")]
    pub(super) folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct WorkerArguments {
    /// The approach
    pub(super) approach: String,
}

#[derive(Debug, Args)]
pub(super) struct BisectStepArguments {
    /// How commits are tested
    pub(super) file: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = examples::LINK_CHECK)]
pub(super) struct LinkCheckArguments {
    /// Conditions to check, each with a link of its own [default: clean, delay=10ms,
    /// loss=1% and rate=100mbit]
    #[arg(value_name = "LINK")]
    pub(super) links: Vec<LinkConditions>,
    /// Check the relay on loopback, also where there are network namespaces
    #[arg(long)]
    pub(super) relay: bool,
    /// Have the links do this instead of what is checked, to see the check fail
    #[arg(long, value_name = "LINK")]
    pub(super) instead: Option<LinkConditions>,
    /// Seed of the packets that are lost [default: a random one]
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
}

#[derive(Debug, Args)]
#[command(after_help = examples::HOSTS)]
pub(super) struct HostsArguments {
    /// What to do
    #[command(subcommand)]
    pub(super) subcommand: HostsSubcommand,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum HostsSubcommand {
    /// Start the agent of each host and ask it
    Check(HostsCheckArguments),
}

#[derive(Debug, Args)]
pub(super) struct AgentArguments {
    /// Have its clocks be ahead by so many ms, as those of another machine, to see that it shows
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(super) clocks_ahead_ms: u64,
}

#[derive(Debug, Args)]
pub(super) struct HostsCheckArguments {
    /// A TOML file with hosts
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Print one JSON object a line
    #[arg(long)]
    pub(super) json: bool,
    /// Print every address and command, and start nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct LinkProcessArguments {
    /// What it carries
    pub(super) process: LinkProcess,
}

#[cfg(feature = "pure-rust")]
#[derive(Debug, Args)]
pub(super) struct ServerArguments {
    /// The server
    pub(super) server: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Profile {
    /// Up to 10 000 PVs, and a camera at 120 Hz, in a few minutes
    Quick,
    /// All scenarios, more blocks, and up to 1000 PVs one by one
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaArgument {
    /// report.json
    Report,
    /// A line of records.jsonl
    Records,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ModeArgument {
    /// One PV at a time
    Serial,
    /// All PVs at once
    Bulk,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Listed {
    /// Ways to be a client
    Approaches,
    /// Ways to be an IOC
    Servers,
    /// What is asked of them
    Scenarios,
    /// What goes wrong in the faults scenario
    Faults,
    /// Published tables of servers against clients
    Tables,
    /// The most that figures may be
    Limits,
    /// Every figure with its unit, as the page of the documents
    Figures,
}

impl From<SchemaArgument> for Described {
    fn from(schema: SchemaArgument) -> Described {
        match schema {
            SchemaArgument::Report => Described::Report,
            SchemaArgument::Records => Described::Records,
        }
    }
}

impl From<ModeArgument> for Mode {
    fn from(mode: ModeArgument) -> Mode {
        match mode {
            ModeArgument::Serial => Mode::Serial,
            ModeArgument::Bulk => Mode::Bulk,
        }
    }
}

fn parse_pvs(text: &str) -> Result<usize, String> {
    let (most, most_of_many) = (epics_gauge::ioc::MAX_PVS, epics_gauge::ioc::PVS_WITH_INDEX);
    match text.trim().parse() {
        Ok(0) => Err("there is nothing to measure with 0 PVs; ask for at least 1".to_owned()),
        Ok(pvs) if pvs > most_of_many => {
            Err(format!("one IOC holds at most {most} PVs here, many IOCs at most {most_of_many}"))
        }
        Ok(pvs) => Ok(pvs),
        Err(error) => Err(format!("{error}; give a count such as 1000")),
    }
}

/// A name that a table has room for, and that cannot break a line.
fn parse_commit(text: &str) -> Result<String, String> {
    let is_usual = |letter: char| !letter.is_whitespace() && !letter.is_control();
    match text.chars().count() {
        1..=200 if text.chars().all(is_usual) => Ok(text.to_owned()),
        _ => Err("give a name without blanks, of 200 characters at most".to_owned()),
    }
}

/// An address that cannot end the link around it.
fn parse_link(text: &str) -> Result<String, String> {
    let is_usual = |letter: char| !letter.is_whitespace() && !"()<>".contains(letter);
    match ["https://", "http://"].iter().any(|start| text.starts_with(start)) {
        true if text.chars().all(is_usual) => Ok(text.to_owned()),
        _ => {
            Err("give an address that begins with https:// and has no blanks or brackets"
                .to_owned())
        }
    }
}

fn parse_monitors(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(0) => Err("there is nothing to measure with 0 monitors; ask for at least 1".to_owned()),
        Ok(monitors) if monitors > MOST_MONITORS => {
            Err(format!("more than {MOST_MONITORS} monitors on a PV are not measured"))
        }
        Ok(monitors) => Ok(monitors),
        Err(error) => Err(format!("{error}; give a count such as 10")),
    }
}

fn parse_tolerance(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim().parse::<f64>() {
        Ok(percent) if (0.1..=100.0).contains(&percent) => Ok(percent),
        Ok(_) => Err("give a difference from 0.1 to 100 %".to_owned()),
        Err(error) => Err(format!("{error}; give a difference in % such as 3")),
    }
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let rates = epics_gauge::ioc::SCAN_RATES_HZ;
    match text.trim().parse::<f64>() {
        Ok(rate) if rates.contains(&rate) => Ok(rate),
        Ok(_) => Err(format!("the IOC cannot scan at this rate; its rates are {rates:?}")),
        Err(error) => Err(format!("{error}; give a rate in Hz such as 120")),
    }
}

fn parse_pixels(text: &str) -> Result<Pixels, String> {
    let pixels: Pixels = text.parse()?;
    match pixels.count() {
        0 | 1 => Err("a frame needs two pixels at least, for its number".to_owned()),
        count if count > MOST_PIXELS => {
            Err(format!("{count} pixels are too many; give {MOST_PIXELS} at most"))
        }
        _ => Ok(pixels),
    }
}

fn parse_watch(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (1.0..=86_400.0).contains(&seconds) => Ok(seconds),
        Ok(_) => Err("give a time from 1 s up to a day".to_owned()),
        Err(error) => Err(format!("{error}; give seconds such as 10")),
    }
}

fn parse_array_bytes(text: &str) -> Result<u64, String> {
    match text.trim().parse::<u64>() {
        // Base rounds less up to this.
        Ok(bytes) if (16_384..=u64::from(u32::MAX)).contains(&bytes) => Ok(bytes),
        Ok(_) => Err("give 16384 to 4294967295 bytes".to_owned()),
        Err(error) => Err(format!("{error}; give a count of bytes such as 16777216")),
    }
}

fn parse_blocks(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(blocks @ 1..=10_000) => Ok(blocks),
        Ok(_) => Err("ask for 1 to 10000 blocks".to_owned()),
        Err(error) => Err(format!("{error}; ask for 1 to 10000 blocks")),
    }
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 86_400.0 => Ok(seconds),
        Ok(_) => Err("give a time over 0 s and up to a day".to_owned()),
        Err(error) => Err(format!("{error}; give seconds such as 20")),
    }
}
