//! The link between two network namespaces: a TUN device in each, and this process between
//! them, which carries every packet.

mod packet;
mod route;

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::addresses::{FAR, NEAR};
use super::delay_line::exact_sleep;
use super::gate::Way;
use super::state::LinkState;

/// The device that makes TUN devices.
pub(super) const DEVICE: &str = "/dev/net/tun";

/// The name of the device in each namespace.
const NAME: &str = "link0";

/// No packet is longer.
const LONGEST_PACKET: usize = 0x1_0000;

/// Packets that are read before those that are due are sent.
const AT_ONCE: usize = 64;

/// How long to wait when nothing is under way: the process ends without these threads.
const IDLE: Duration = Duration::from_secs(3600);

/// Brings the loopback device of this namespace up.
pub(in crate::process) fn raise_loopback() -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    raise(&socket, "lo")
}

/// Makes a TUN device in this namespace: this side is at 127.0.0.1, the other at 127.0.0.2.
pub(super) fn open_end() -> io::Result<OwnedFd> {
    let device =
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(DEVICE)?;
    let mut request = request(NAME);
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    ask(device.as_raw_fd(), libc::TUNSETIFF, &mut request)?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // Packets of loopback addresses pass this device.
    std::fs::write(format!("/proc/sys/net/ipv4/conf/{NAME}/route_localnet"), "1")?;
    raise(&socket, NAME)?;
    let mut request = self::request(NAME);
    ask(socket.as_raw_fd(), libc::SIOCGIFINDEX, &mut request)?;
    // SAFETY: the kernel has just written this part of the union.
    let index = unsafe { request.ifr_ifru.ifru_ifindex };
    route::add(FAR, index.cast_unsigned(), NEAR)?;
    Ok(device.into())
}

fn raise(socket: &UdpSocket, name: &str) -> io::Result<()> {
    let mut request = request(name);
    ask(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &mut request)?;
    // SAFETY: the kernel has just written this part of the union.
    unsafe { request.ifr_ifru.ifru_flags |= (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short };
    ask(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &mut request)
}

fn request(name: &str) -> libc::ifreq {
    // SAFETY: all zeroes is a request without a name.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = byte as libc::c_char;
    }
    request
}

fn ask(descriptor: RawFd, what: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: these requests take a pointer to an ifreq, which is valid.
    match unsafe { libc::ioctl(descriptor, what, &raw mut *request) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Carries packets between the two ends, from threads of this process, for as long as it
/// lives. The descriptors are this process's.
pub(super) fn carry(server: RawFd, client: RawFd, state: &Arc<LinkState>) -> io::Result<()> {
    let [server, client] = [end(server)?, end(client)?].map(Arc::new);
    let ways = [(Way::ToServer, &client, &server), (Way::ToClient, &server, &client)];
    for (way, from, to) in ways {
        let mut one_way = OneWay {
            way,
            from: Arc::clone(from),
            to: Arc::clone(to),
            state: Arc::clone(state),
            under_way: VecDeque::new(),
        };
        thread::Builder::new().name(format!("link-{way:?}")).spawn(move || {
            exact_sleep();
            if let Err(error) = one_way.run() {
                eprintln!("epics-gauge: the link ends: {error}");
                std::process::exit(1);
            }
        })?;
    }
    Ok(())
}

/// Takes over a descriptor that this process inherited.
fn end(descriptor: RawFd) -> io::Result<File> {
    // SAFETY: asks for the flags of a descriptor by its number.
    if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, was inherited for this, and nothing else of this process has it.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

struct OneWay {
    way: Way,
    from: Arc<File>,
    to: Arc<File>,
    state: Arc<LinkState>,
    /// In the order of time: the delay is the same for all.
    under_way: VecDeque<(Instant, Vec<u8>)>,
}

impl OneWay {
    fn run(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; LONGEST_PACKET];
        loop {
            self.wait();
            self.read_some(&mut buffer)?;
            self.send_due()?;
        }
    }

    /// Until there is a packet to read, or one is due.
    fn wait(&self) {
        let now = Instant::now();
        let due = self.under_way.front().map(|(due, _)| due.saturating_duration_since(now));
        let time = due.unwrap_or(IDLE);
        let time = libc::timespec {
            tv_sec: time.as_secs() as libc::time_t,
            tv_nsec: time.subsec_nanos() as libc::c_long,
        };
        let mut watched =
            libc::pollfd { fd: self.from.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid entry, as counted, a valid time and no signal mask; the descriptor is
        // open as long as the file.
        unsafe { libc::ppoll(&raw mut watched, 1, &raw const time, std::ptr::null()) };
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        for _ in 0..AT_ONCE {
            let length = match (&*self.from).read(buffer) {
                Ok(length) => length,
                Err(error) if is_nothing_there(&error) => return Ok(()),
                Err(error) => return Err(error),
            };
            let packet = &mut buffer[..length];
            // Only IPv4 goes over the link.
            if !packet::cross(packet, self.way, &self.state) {
                continue;
            }
            if let Some(due) = self.state.packet(self.way, length) {
                self.under_way.push_back((due, packet.to_vec()));
            }
        }
        Ok(())
    }

    fn send_due(&mut self) -> io::Result<()> {
        while let Some((due, _)) = self.under_way.front() {
            if *due > Instant::now() {
                return Ok(());
            }
            if let Some((_, packet)) = self.under_way.pop_front() {
                match (&*self.to).write(&packet) {
                    // A full queue of the other side loses the packet.
                    Err(error) if !is_nothing_there(&error) => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

fn is_nothing_there(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
