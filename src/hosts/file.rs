//! The file of hosts: names, roles, addresses, and how an agent is started on each.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;

use serde::Deserialize;

/// Why a file of hosts cannot be used: what, where, and how to fix it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct HostsError(String);

impl HostsError {
    pub(super) fn new(message: String) -> HostsError {
        HostsError(message)
    }
}

/// What a host is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Servers run here.
    Server,
    /// Clients run here.
    Client,
    /// A gateway runs here.
    Gateway,
}

/// How the agent of a host is started.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Launcher {
    /// It is the host of this process, where no agent is needed.
    Here,
    /// `ssh`, which never asks for a password.
    Ssh,
    /// `srun`, inside an allocation of Slurm or with one of its own.
    Slurm,
    /// A network namespace on this machine, made by this process.
    Netns,
    /// A command that carries stdin and stdout to `epics-gauge agent` there; `{host}` stands
    /// for the node.
    Command(Vec<String>),
}

/// One `[[host]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Its name in messages.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The address by which others reach it.
    pub address: Ipv4Addr,
    /// How its agent is started: `"here"`, `"ssh"`, `"slurm"`, `"netns"`, or
    /// `{ command = […] }`.
    pub launcher: Launcher,
    /// What the launcher calls it: the destination of ssh, the node of Slurm. The address
    /// unless given.
    #[serde(default)]
    pub node: Option<String>,
    /// The epics-gauge program there; the one in PATH unless given.
    #[serde(default)]
    pub program: Option<String>,
    /// More words for the launcher, before the node.
    #[serde(default)]
    pub options: Vec<String>,
}

/// All hosts of a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hosts {
    /// In the order of the file.
    #[serde(default)]
    pub host: Vec<Host>,
}

impl Host {
    /// What the launcher calls it.
    pub fn node(&self) -> String {
        self.node.clone().unwrap_or_else(|| self.address.to_string())
    }
}

impl Hosts {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`HostsError`] with the file and the host at fault.
    pub fn read(file: &Path) -> Result<Hosts, HostsError> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| HostsError(format!("cannot read {}: {error}", file.display())))?;
        parse(&text).map_err(|reason| HostsError(format!("{}: {reason}", file.display())))
    }

    /// The only host of a role.
    ///
    /// # Errors
    /// [`HostsError`] when there is none, or another one.
    pub fn only(&self, role: Role, named: &str) -> Result<&Host, HostsError> {
        let mut of_role = self.host.iter().filter(|host| host.role == role);
        match (of_role.next(), of_role.next()) {
            (Some(host), None) => Ok(host),
            (None, _) => Err(HostsError(format!(
                "no host has the role `{named}`; add `role = \"{named}\"` to one"
            ))),
            (Some(one), Some(other)) => Err(HostsError(format!(
                "`{}` and `{}` both have the role `{named}`; a run takes one host of each role",
                one.name, other.name
            ))),
        }
    }
}

fn parse(text: &str) -> Result<Hosts, String> {
    let hosts = toml::from_str::<Hosts>(text).map_err(|error| error.to_string())?;
    if hosts.host.is_empty() {
        return Err("it has no host; add a table [[host]]".to_owned());
    }
    let (mut names, mut addresses) = (BTreeSet::new(), BTreeSet::new());
    for host in &hosts.host {
        if !names.insert(&host.name) {
            return Err(format!("two hosts are named `{}`; rename one", host.name));
        }
        check(host).map_err(|reason| format!("host `{}`: {reason}", host.name))?;
        if !addresses.insert(host.address) && host.launcher == Launcher::Netns {
            let (name, address) = (&host.name, host.address);
            return Err(format!("host `{name}`: another one has {address}; give it its own"));
        }
    }
    Ok(hosts)
}

fn check(host: &Host) -> Result<(), String> {
    let address = host.address;
    if let Launcher::Command(words) = &host.launcher
        && words.first().is_none_or(String::is_empty)
    {
        return Err("its command is empty; name a program".to_owned());
    }
    if host.node.as_deref().is_some_and(|node| node.is_empty() || node.starts_with('-')) {
        return Err("its node is no name; write the name that its launcher knows".to_owned());
    }
    if address.is_multicast() || address.is_broadcast() || address.is_unspecified() {
        return Err(format!("{address} is not the address of one host; give a unicast address"));
    }
    if address.is_loopback() && host.launcher == Launcher::Netns {
        return Err(format!("{address} is loopback; a namespace needs one such as 10.77.0.1"));
    }
    match address.is_private() || address.is_loopback() || address.is_link_local() {
        true => Ok(()),
        false => Err(format!(
            "{address} is a public address; give one of a private network (10/8, 172.16/12, \
             192.168/16) or of loopback"
        )),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::hosts) fn one(address: &str, launcher: &str) -> String {
        format!(
            "[[host]]\nname = \"a\"\nrole = \"server\"\naddress = \"{address}\"\n\
             launcher = {launcher}\n"
        )
    }

    pub(in crate::hosts) fn parsed(text: &str) -> Host {
        parse(text).unwrap().host.remove(0)
    }

    #[test]
    fn the_node_is_the_address_unless_the_file_names_one() {
        let text = one("10.0.0.1", "\"ssh\"");
        assert_eq!(parsed(&text).node(), "10.0.0.1");
        assert_eq!(parsed(&(text + "node = \"me@ioc\"\n")).node(), "me@ioc");
    }

    #[test]
    fn a_file_that_cannot_be_used_is_refused_with_the_fix() {
        let ssh = "\"ssh\"";
        let twice = one("10.0.0.1", ssh) + &one("10.0.0.2", ssh);
        let netns = one("10.0.0.1", "\"netns\"");
        let same_address = netns.clone() + &netns.replace("\"a\"", "\"b\"");
        for (text, word) in [
            (String::new(), "[[host]]"),
            (twice, "rename"),
            (same_address, "its own"),
            (one("224.0.0.1", ssh), "unicast"),
            (one("255.255.255.255", ssh), "unicast"),
            (one("0.0.0.0", ssh), "unicast"),
            (one("8.8.8.8", ssh), "private"),
            (one("nonsense", ssh), "address"),
            (one("127.0.0.1", "\"netns\""), "loopback"),
            (one("10.0.0.1", "\"telnet\""), "telnet"),
            (one("10.0.0.1", "{ command = [] }"), "name a program"),
            (one("10.0.0.1", ssh) + "node = \"-oProxyCommand=x\"\n", "no name"),
            (one("10.0.0.1", ssh) + "nodes = \"x\"\n", "nodes"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.contains(word), "{word}: {error}");
        }
    }

    #[test]
    fn a_run_takes_one_host_of_each_role() {
        let both =
            one("10.0.0.1", "\"ssh\"") + &one("10.0.0.2", "\"ssh\"").replace("\"a\"", "\"b\"");
        let hosts = parse(&both).unwrap();
        let error = hosts.only(Role::Server, "server").unwrap_err().to_string();
        assert!(error.contains("`a` and `b`"), "{error}");
        let error = hosts.only(Role::Client, "client").unwrap_err().to_string();
        assert!(error.contains("role = \"client\""), "{error}");
    }
}
