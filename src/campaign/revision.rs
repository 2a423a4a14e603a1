//! The measured commit: from the user's options, else from the CI service, else from git.

use std::env;
use std::time::Duration;

use crate::process::Command;
use crate::record::Revision;

/// Git answers in milliseconds, but from a large work tree on a network drive.
const GIT_DEADLINE: Duration = Duration::from_secs(20);

/// The user's options `--commit` and `--branch`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AskedRevision {
    /// The commit.
    pub commit: Option<String>,
    /// The branch.
    pub branch: Option<String>,
}

/// The measured commit; none when it is unknown. Runs git and waits for it.
pub fn revision(asked: &AskedRevision) -> Option<Revision> {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    chosen(asked, of_ci(variable), of_work_folder())
}

/// Of a pull request, GitHub gives the branch that it comes from in a variable of its own.
const CI_VARIABLES: [(&str, &[&str]); 2] = [
    ("GITHUB_SHA", &["GITHUB_HEAD_REF", "GITHUB_REF_NAME"]),
    ("CI_COMMIT_SHA", &["CI_COMMIT_REF_NAME"]),
];

fn of_ci(variable: impl Fn(&str) -> Option<String>) -> Option<Revision> {
    CI_VARIABLES.into_iter().find_map(|(commit, branches)| {
        let branch = || branches.iter().find_map(|name| variable(name));
        variable(commit).map(|commit| Revision { commit, branch: branch(), dirty: None })
    })
}

/// The commit of the working directory.
fn of_work_folder() -> Option<Revision> {
    let status = Command::new("git").arguments([
        "--no-optional-locks",
        "status",
        "--porcelain=v2",
        "--branch",
        "--untracked-files=no",
    ]);
    // Without git, or outside of a repository, there is no commit: that is no error.
    of_status(&status.run(GIT_DEADLINE, |_| ()).ok()?)
}

fn of_status(status: &str) -> Option<Revision> {
    let header = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let commit = header("# branch.oid ").filter(|commit| *commit != "(initial)")?;
    let branch = header("# branch.head ").filter(|branch| *branch != "(detached)");
    let dirty = status.lines().any(|line| !line.starts_with('#'));
    Some(Revision {
        commit: commit.to_owned(),
        branch: branch.map(str::to_owned),
        dirty: Some(dirty),
    })
}

/// The commit of the first source that has one; the other sources complete it if they agree.
fn chosen(asked: &AskedRevision, ci: Option<Revision>, git: Option<Revision>) -> Option<Revision> {
    let given = asked.commit.clone().map(|commit| Revision { commit, branch: None, dirty: None });
    let mut known = [given, ci, git].into_iter().flatten();
    let mut chosen = known.next()?;
    for other in known.filter(|other| other.commit.starts_with(&chosen.commit)) {
        chosen.branch = chosen.branch.or(other.branch);
        chosen.dirty = chosen.dirty.or(other.dirty);
    }
    chosen.branch = asked.branch.clone().or(chosen.branch);
    Some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(commit: &str, branch: Option<&str>, dirty: Option<bool>) -> Revision {
        Revision { commit: commit.to_owned(), branch: branch.map(str::to_owned), dirty }
    }

    #[test]
    fn the_user_goes_before_the_ci_service_and_that_before_git() {
        let ci = Some(of("c1", Some("feature"), None));
        let git = Some(of("c1", None, Some(true)));
        let nothing = AskedRevision::default();
        let expected = Some(of("c1", Some("feature"), Some(true)));
        assert_eq!(chosen(&nothing, ci.clone(), git.clone()), expected);
        let asked = AskedRevision { commit: Some("other".to_owned()), branch: None };
        assert_eq!(chosen(&asked, ci.clone(), git.clone()), Some(of("other", None, None)));
        let asked = AskedRevision { commit: None, branch: Some("main".to_owned()) };
        assert_eq!(chosen(&asked, None, git), Some(of("c1", Some("main"), Some(true))));
        assert_eq!(chosen(&asked, None, None), None);
    }

    #[test]
    fn both_services_name_commit_and_branch() {
        let in_ci = |pairs: &[(&str, &str)]| {
            let given = |name: &str| {
                pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
            };
            of_ci(given)
        };
        let github =
            [("GITHUB_SHA", "a"), ("GITHUB_REF_NAME", "7/merge"), ("GITHUB_HEAD_REF", "f")];
        assert_eq!(in_ci(&github), Some(of("a", Some("f"), None)));
        assert_eq!(in_ci(&github[..2]), Some(of("a", Some("7/merge"), None)));
        let gitlab = [("CI_COMMIT_SHA", "b"), ("CI_COMMIT_REF_NAME", "main")];
        assert_eq!(in_ci(&gitlab), Some(of("b", Some("main"), None)));
        assert_eq!(in_ci(&[]), None);
    }

    #[test]
    fn git_reports_branch_and_changes() {
        let clean = "# branch.oid 0123\n# branch.head main\n# branch.ab +0 -0\n";
        assert_eq!(of_status(clean), Some(of("0123", Some("main"), Some(false))));
        let detached = "# branch.oid 0123\n# branch.head (detached)\n1 .M N... file\n";
        assert_eq!(of_status(detached), Some(of("0123", None, Some(true))));
        assert_eq!(of_status("# branch.oid (initial)\n# branch.head main\n"), None);
    }
}
