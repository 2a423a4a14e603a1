//! The command that starts the agent of a host.

use super::file::{Host, Hosts, HostsError, Launcher, Role};
use crate::process::Command;
use crate::process::stacks::{Stack, again_in_stacks, on_stack};

/// Variables of this process that its agents get too, where the launcher passes them on: they
/// use the same files.
const INHERITED: [&str; 2] = ["EPICS_GAUGE_CACHE", "EPICS_GAUGE_PYTHON"];

impl Host {
    /// The command that starts its agent; none for the host of this process.
    ///
    /// # Errors
    /// A sentence, when this program cannot be found.
    pub fn agent_command(&self) -> Result<Option<Command>, String> {
        let there = self.program.clone().unwrap_or_else(|| "epics-gauge".to_owned());
        Ok(Some(match &self.launcher {
            Launcher::Here => return Ok(None),
            Launcher::Ssh => Command::new("ssh")
                .arguments(["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"])
                .arguments(["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"])
                .arguments(&self.options)
                .argument("--")
                .argument(self.node())
                .argument(format!("exec {} agent", quoted(&there))),
            Launcher::Slurm => Command::new("srun")
                .arguments(["--nodes=1", "--ntasks=1", "--export=ALL"])
                .arguments(std::env::var_os("SLURM_JOB_ID").map(|_| "--overlap"))
                .argument(format!("--nodelist={}", self.node()))
                .arguments(&self.options)
                .argument(there)
                .argument("agent")
                .environment(inherited()),
            Launcher::Command(words) => {
                let mut words = words.iter().map(|word| word.replace("{host}", &self.node()));
                Command::new(words.next().unwrap_or_default())
                    .arguments(words)
                    .arguments(&self.options)
                    .environment(inherited())
            }
            Launcher::Netns => {
                let own = std::env::current_exe().map_err(|error| error.to_string())?;
                let program = self.program.as_ref().map_or(own, Into::into);
                let agent = Command::new(program).argument("agent").environment(inherited());
                // Outside of namespaces it is only shown, never started.
                on_stack(&self.name, agent.clone()).unwrap_or(agent)
            }
        }))
    }
}

fn inherited() -> Vec<(String, String)> {
    let value = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
    INHERITED.into_iter().filter_map(value).collect()
}

/// One word for the shell at the other end of ssh.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Executes this command once more in namespaces, if a host of the file is to be one. This
/// process is where the clients are. To be called when everything from the network is there.
///
/// # Errors
/// When this process has no place among them, and when it cannot be executed.
pub fn enter_namespaces_for(hosts: &Hosts) -> Result<(), HostsError> {
    if hosts.host.iter().all(|host| host.launcher != Launcher::Netns) {
        return Ok(());
    }
    let stack = |host: &Host| Stack {
        name: host.name.clone(),
        address: host.address,
        is_own: host.role == Role::Client,
    };
    if let Some(other) = hosts.host.iter().find(|host| host.launcher != Launcher::Netns) {
        return Err(HostsError::new(format!(
            "host `{}` is no namespace, and namespaces have no way to it; give all hosts the \
             launcher `netns`, or none",
            other.name
        )));
    }
    hosts.only(Role::Client, "client")?;
    let stacks: Vec<Stack> = hosts.host.iter().map(stack).collect();
    again_in_stacks(&stacks).map_err(|error| HostsError::new(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::file::tests::{one, parsed};

    fn words(address: &str, launcher: &str) -> String {
        parsed(&one(address, launcher)).agent_command().unwrap().unwrap().described()
    }

    #[test]
    fn a_command_gets_the_node_and_ssh_never_asks() {
        let own = words("10.0.0.1", "{ command = [\"sh\", \"on {host}\"] }");
        assert_eq!(own, "sh on 10.0.0.1");
        let ssh = words("10.0.0.1", "\"ssh\"");
        assert!(ssh.contains("BatchMode=yes"), "{ssh}");
        assert!(ssh.ends_with("-- 10.0.0.1 exec 'epics-gauge' agent"), "{ssh}");
        let slurm = words("10.0.0.1", "\"slurm\"\nnode = \"n1\"");
        assert!(slurm.contains("--nodelist=n1"), "{slurm}");
        assert!(parsed(&one("10.0.0.1", "\"here\"")).agent_command().unwrap().is_none());
    }

    #[test]
    fn a_program_with_a_quote_is_still_one_word() {
        let ssh = words("10.0.0.1", "\"ssh\"\nprogram = \"/it's/gauge\"");
        assert!(ssh.ends_with(r"exec '/it'\''s/gauge' agent"), "{ssh}");
    }
}
