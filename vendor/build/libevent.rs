//! The two configuration headers of the libevent that pvxs brings, which its
//! own build asks a compiler for, function by function. What every system that
//! we build for has is written down here instead: no probe, no surprise.

use std::path::Path;

use crate::libraries::targets_macos;
use crate::stop::{Outcome, Stop, read, write};

/// The folder of libevent in the archive of pvxs.
pub(crate) const FOLDER: &str = "bundle/libevent";

/// C files of every system: its core and its locks. No DNS, no HTTP, no TLS.
const SOURCES: [&str; 20] = [
    "buffer.c",
    "bufferevent.c",
    "bufferevent_filter.c",
    "bufferevent_pair.c",
    "bufferevent_ratelim.c",
    "bufferevent_sock.c",
    "event.c",
    "evmap.c",
    "evthread.c",
    "evthread_pthread.c",
    "evutil.c",
    "evutil_rand.c",
    "evutil_time.c",
    "listener.c",
    "log.c",
    "poll.c",
    "select.c",
    "signal.c",
    "strlcpy.c",
    "watch.c",
];

/// Names of `event-config.h`, without `EVENT__HAVE_`. Whatever is not here
/// libevent does without.
const EVERYWHERE: &str = "\
    ARPA_INET_H CLOCK_GETTIME DLFCN_H ERRNO_H FCNTL FCNTL_H FD_MASK GETADDRINFO GETEGID GETEUID \
    GETIFADDRS GETNAMEINFO GETPROTOBYNUMBER GETSERVBYNAME GETTIMEOFDAY IFADDRS_H INET_NTOP \
    INET_PTON INTTYPES_H MEMORY_H MMAP NANOSLEEP NETDB_H NETINET_IN_H NETINET_TCP_H PIPE POLL \
    POLL_H PTHREADS PTHREAD_MUTEXATTR_SETPROTOCOL PUTENV SA_FAMILY_T SELECT SENDFILE SETENV \
    SETFD SETRLIMIT SIGACTION SIGNAL STDARG_H STDDEF_H STDINT_H STDLIB_H STRING_H STRSEP \
    STRSIGNAL STRTOK_R STRTOLL STRUCT_ADDRINFO STRUCT_IN6_ADDR STRUCT_IN6_ADDR_S6_ADDR16 \
    STRUCT_IN6_ADDR_S6_ADDR32 STRUCT_LINGER STRUCT_SOCKADDR_IN6 STRUCT_SOCKADDR_STORAGE \
    STRUCT_SOCKADDR_STORAGE_SS_FAMILY STRUCT_SOCKADDR_UN SYS_IOCTL_H SYS_MMAN_H SYS_PARAM_H \
    SYS_QUEUE_H SYS_RESOURCE_H SYS_SELECT_H SYS_SOCKET_H SYS_STAT_H SYS_TIME_H SYS_TYPES_H \
    SYS_UIO_H SYS_UN_H SYS_WAIT_H TAILQFOREACH TIMERADD TIMERCLEAR TIMERCMP TIMERISSET UINT16_T \
    UINT32_T UINT64_T UINT8_T UINTPTR_T UMASK UNISTD_H UNSETENV USLEEP __FUNCTION__ __func__";

/// Of Linux only what a glibc of 2012 has too, as in the wheels of pvxs that
/// Python users have: newer calls would make another floor.
const ON_LINUX: &str = "\
    ACCEPT4 EPOLL EPOLL_CREATE1 EPOLL_CTL EVENTFD GETHOSTBYNAME_R GETHOSTBYNAME_R_6_ARG MMAP64 \
    PIPE2 SYS_EPOLL_H SYS_EVENTFD_H SYS_SENDFILE_H SYS_SIGNALFD_H SYS_TIMERFD_H TIMERFD_CREATE";

const ON_MACOS: &str = "\
    ARC4RANDOM ARC4RANDOM_BUF ISSETUGID KQUEUE MACH_ABSOLUTE_TIME MACH_MACH_H MACH_MACH_TIME_H \
    STRLCPY STRUCT_SOCKADDR_IN6_SIN6_LEN STRUCT_SOCKADDR_IN_SIN_LEN SYSCTL SYS_EVENT_H \
    SYS_SYSCTL_H WORKING_KQUEUE";

/// glibc has had functions of these names since 2.36. libevent's own are static, so a
/// header of such a glibc contradicts them; calling glibc's would make that glibc the
/// oldest that the programs run with.
const NEW_IN_GLIBC: &str = "
#ifdef __linux__
#include <stdlib.h>
#define arc4random libevent_arc4random
#define arc4random_buf libevent_arc4random_buf
#endif
";

/// Types of the 64 bit systems that we build for, and the version, which
/// libevent's own build asks git for.
const VALUES: [(&str, &str); 25] = [
    ("EVENT_NUMERIC_VERSION", "0x02020001"),
    ("EVENT_PACKAGE_VERSION", "2.2.0"),
    ("EVENT_VERSION_MAJOR", "2"),
    ("EVENT_VERSION_MINOR", "2"),
    ("EVENT_VERSION_PATCH", "0"),
    ("EVENT_VERSION", "2.2.0-alpha-dev"),
    ("EVENT__HAVE_DECL_CTL_KERN", "0"),
    ("EVENT__HAVE_DECL_KERN_ARND", "0"),
    ("EVENT__SIZEOF_PTHREAD_T", "8"),
    ("EVENT__SIZEOF_INT", "4"),
    ("EVENT__SIZEOF_LONG", "8"),
    ("EVENT__SIZEOF_LONG_LONG", "8"),
    ("EVENT__SIZEOF_OFF_T", "8"),
    ("EVENT__SIZEOF_SSIZE_T", "8"),
    ("EVENT__SIZEOF_SHORT", "2"),
    ("EVENT__SIZEOF_SIZE_T", "8"),
    ("EVENT__SIZEOF_SOCKLEN_T", "4"),
    ("EVENT__SIZEOF_VOID_P", "8"),
    ("EVENT__SIZEOF_TIME_T", "8"),
    ("EVENT__inline", "inline"),
    ("EVENT__size_t", "size_t"),
    ("EVENT__socklen_t", "socklen_t"),
    ("EVENT__ssize_t", "ssize_t"),
    ("_GNU_SOURCE", "1"),
    ("EVENT__DNS_USE_CPU_CLOCK_FOR_ID", "1"),
];

/// The C files of libevent that pvxs needs on this system.
pub(crate) fn sources() -> Vec<String> {
    let of_this_system: &[&str] =
        if targets_macos() { &["kqueue.c"] } else { &["epoll.c", "signalfd.c"] };
    SOURCES.iter().chain(of_this_system).map(|file| format!("{FOLDER}/{file}")).collect()
}

/// Writes both headers into `include`.
pub(crate) fn write_configuration(tree: &Path, include: &Path) -> Outcome<()> {
    for (template, header, more) in [
        ("evconfig-private.h.cmake", "evconfig-private.h", ""),
        ("event-config.h.cmake", "event2/event-config.h", NEW_IN_GLIBC),
    ] {
        let text = read(&tree.join(FOLDER).join(template))?;
        write(&include.join(header), &(configured(&text)? + more))?;
    }
    Ok(())
}

/// `#cmakedefine NAME VALUE` becomes a definition where the name is known, and
/// `@NAME@` its value.
fn configured(template: &str) -> Outcome<String> {
    let mut header = String::new();
    for line in template.lines() {
        let line = match line.trim_start().strip_prefix("#cmakedefine ") {
            Some(rest) if is_defined(rest.split_whitespace().next().unwrap_or_default()) => {
                format!("#define {rest}")
            }
            Some(_) => continue,
            None => VALUES.iter().fold(line.to_string(), |line, (name, value)| {
                line.replace(&format!("@{name}@"), value)
            }),
        };
        if let Some(name) = line.split('@').nth(1).filter(|_| line.starts_with("#define")) {
            return Err(Stop {
                tried: format!("fill in {name} of libevent's configuration"),
                why: "it has no value".to_string(),
                mend: "vendor/build/libevent.rs has to follow this version of pvxs".to_string(),
            });
        }
        header += &line;
        header.push('\n');
    }
    Ok(header)
}

fn is_defined(name: &str) -> bool {
    let of_this_system = if targets_macos() { ON_MACOS } else { ON_LINUX };
    let is_there = |short: &str| {
        [EVERYWHERE, of_this_system]
            .iter()
            .any(|list| list.split_whitespace().any(|it| it == short))
    };
    VALUES.iter().any(|(known, _)| *known == name)
        || name.strip_prefix("EVENT__HAVE_").is_some_and(is_there)
}
