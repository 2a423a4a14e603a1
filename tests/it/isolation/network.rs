//! A network of the test's own: a fresh network namespace in which every packet
//! that leaves loopback arrives at this process and is counted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Set for the copy of the test binary that runs inside.
const INSIDE: &str = "EPICS_GAUGE_TEST_INSIDE_NAMESPACE";

/// Nobody's address (RFC 5737). Only ever used inside such a namespace.
pub(crate) const FOREIGN: &str = "192.0.2.1";

/// Runs `body` inside a fresh network namespace: starts this test binary again,
/// with the test called `name` only, in there.
///
/// Says so and returns false where namespaces are not allowed.
pub(crate) fn in_a_fresh_network(name: &str, body: impl FnOnce()) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        loopback_up().expect("loopback comes up in the namespace");
        body();
        return true;
    }
    if let Err(error) = inside(Command::new("true")).status() {
        eprintln!("skipped: {name}: no network namespace is allowed here: {error}");
        return false;
    }
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args([name, "--exact", "--nocapture"]).env(INSIDE, "1");
    // Nothing can be downloaded in there, and nothing should try.
    test.env("PIP_NO_INDEX", "1");
    let output = inside(test).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "in the namespace:\n{stdout}\n{stderr}");
    assert!(stdout.contains("1 passed"), "no test is called {name}: {stdout}");
    for line in stderr.lines().filter(|line| line.starts_with("skipped: ")) {
        eprintln!("{line}");
    }
    true
}

/// Lets a command start in a network namespace of its own, as a user without
/// rights also in a user namespace.
fn inside(mut command: Command) -> Command {
    // SAFETY: both calls only return numbers.
    let (user, group) = unsafe { (libc::getuid(), libc::getgid()) };
    let users = format!("0 {user} 1\n");
    let groups = format!("0 {group} 1\n");
    // SAFETY: between fork and exec there are only system calls on memory that
    // was allocated before.
    unsafe {
        command.pre_exec(move || {
            if libc::unshare(libc::CLONE_NEWNET) == 0 {
                return Ok(());
            }
            if libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET) != 0 {
                return Err(io::Error::last_os_error());
            }
            write_raw(c"/proc/self/setgroups", b"deny")?;
            write_raw(c"/proc/self/uid_map", users.as_bytes())?;
            write_raw(c"/proc/self/gid_map", groups.as_bytes())
        });
    }
    command
}

fn write_raw(path: &std::ffi::CStr, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: the path ends in a zero, the buffer is as long as given.
    unsafe {
        let file = libc::open(path.as_ptr(), libc::O_WRONLY);
        let written = libc::write(file, bytes.as_ptr().cast(), bytes.len());
        libc::close(file);
        if written < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// Every IPv4 packet that was sent out of the namespace, in words.
pub(crate) struct Outside {
    packets: Arc<Mutex<Vec<String>>>,
}

impl Outside {
    /// Makes a TUN device the way to everywhere, and proves that a datagram to
    /// a foreign address comes out of it.
    pub(crate) fn watch() -> io::Result<Outside> {
        // IPv6 announces itself on every new device; EPICS speaks IPv4.
        for scope in ["all", "default"] {
            let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6"), "1");
        }
        let mut device = tun_device()?;
        let outside = Outside { packets: Arc::default() };
        let packets = Arc::clone(&outside.packets);
        thread::spawn(move || {
            let mut packet = [0; 65_536];
            while let Ok(length) = device.read(&mut packet) {
                if let Some(words) = described(&packet[..length]) {
                    packets.lock().unwrap().push(words);
                }
            }
        });
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.send_to(b"seen?", (FOREIGN, 5064))?;
        let proof = format!("UDP to {FOREIGN}:5064");
        crate::processes::proc_files::wait_until("the instrument sees a datagram", || {
            outside.packets.lock().unwrap().contains(&proof)
        });
        outside.taken();
        Ok(outside)
    }

    /// What was sent since the last call.
    pub(crate) fn taken(&self) -> Vec<String> {
        // Whatever is under way has arrived after this.
        thread::sleep(Duration::from_millis(100));
        std::mem::take(&mut *self.packets.lock().unwrap())
    }
}

fn described(packet: &[u8]) -> Option<String> {
    if packet.len() < 20 || packet[0] >> 4 != 4 {
        return None;
    }
    let to = Ipv4Addr::new(packet[16], packet[17], packet[18], packet[19]);
    let header = usize::from(packet[0] & 15) * 4;
    let port =
        packet.get(header + 2..header + 4).map_or(0, |port| u16::from_be_bytes([port[0], port[1]]));
    Some(match i32::from(packet[9]) {
        libc::IPPROTO_UDP => format!("UDP to {to}:{port}"),
        libc::IPPROTO_TCP => format!("TCP to {to}:{port}"),
        other => format!("protocol {other} to {to}"),
    })
}

fn loopback_up() -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    set_up(&socket, "lo")
}

fn tun_device() -> io::Result<File> {
    const NAME: &str = "outside";
    let device = OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
    let mut request = request(NAME);
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    ask(&device, libc::TUNSETIFF as libc::c_ulong, &mut request)?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    for (what, address) in [
        (libc::SIOCSIFADDR, Ipv4Addr::new(10, 99, 0, 1)),
        (libc::SIOCSIFDSTADDR, Ipv4Addr::new(10, 99, 0, 2)),
    ] {
        let mut request = self::request(NAME);
        request.ifr_ifru.ifru_addr = socket_address(address);
        ask(&socket, what as libc::c_ulong, &mut request)?;
    }
    set_up(&socket, NAME)?;
    default_route(&socket, c"outside")?;
    Ok(device)
}

fn set_up(socket: &UdpSocket, name: &str) -> io::Result<()> {
    let mut request = request(name);
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    ask(socket, libc::SIOCSIFFLAGS as libc::c_ulong, &mut request)
}

/// `struct rtentry` of the kernel's `linux/route.h`.
#[repr(C)]
struct Route {
    pad1: libc::c_ulong,
    destination: libc::sockaddr,
    gateway: libc::sockaddr,
    mask: libc::sockaddr,
    flags: libc::c_ushort,
    pad2: libc::c_short,
    pad3: libc::c_ulong,
    pad4: *mut libc::c_void,
    metric: libc::c_short,
    device: *const libc::c_char,
    mtu: libc::c_ulong,
    window: libc::c_ulong,
    round_trip: libc::c_ushort,
}

fn default_route(socket: &UdpSocket, device: &std::ffi::CStr) -> io::Result<()> {
    const RTF_UP: libc::c_ushort = 1;
    let anywhere = socket_address(Ipv4Addr::UNSPECIFIED);
    let mut route = Route {
        pad1: 0,
        destination: anywhere,
        gateway: anywhere,
        mask: anywhere,
        flags: RTF_UP,
        pad2: 0,
        pad3: 0,
        pad4: std::ptr::null_mut(),
        metric: 0,
        device: device.as_ptr(),
        mtu: 0,
        window: 0,
        round_trip: 0,
    };
    ask(socket, libc::SIOCADDRT as libc::c_ulong, &mut route)
}

fn request(name: &str) -> libc::ifreq {
    // SAFETY: all fields are numbers, for which zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request
}

fn socket_address(address: Ipv4Addr) -> libc::sockaddr {
    let mut data = [0; 14];
    for (to, from) in data[2..6].iter_mut().zip(address.octets()) {
        *to = from as libc::c_char;
    }
    libc::sockaddr { sa_family: libc::AF_INET as libc::sa_family_t, sa_data: data }
}

fn ask<T>(on: &impl AsRawFd, what: libc::c_ulong, request: &mut T) -> io::Result<()> {
    // SAFETY: each caller passes the structure that its request is defined for.
    match unsafe { libc::ioctl(on.as_raw_fd(), what as _, std::ptr::from_mut(request)) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
