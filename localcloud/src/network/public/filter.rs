//! A security group in the kernel: a packet filter on the listening socket. A caller whom no rule lets
//! in gets no answer to its connection request, as on AWS, instead of a connection that is cut.
//!
//! The program is one of classic BPF, see `Documentation/networking/filter.rst` of Linux, which a
//! process may put on its own sockets. A connection keeps the filter that its request passed: as on AWS
//! a rule that goes does not end the connections that it let in.

use std::collections::BTreeSet;
use std::io;

use socket2::{SockFilter, SockRef};

use super::AddressRange;

/// `BPF_LD | BPF_W | BPF_ABS`: loads four bytes of the packet.
const LOAD: u16 = 0x20;
/// `BPF_ALU | BPF_AND | BPF_K`: keeps some bits of what was loaded.
const MASK: u16 = 0x54;
/// `BPF_JMP | BPF_JEQ | BPF_K`: skips as many steps as it says for equal, and for different.
const COMPARE: u16 = 0x15;
/// `BPF_RET | BPF_K`: ends with how many bytes of the packet to keep.
const KEEP: u16 = 0x06;
/// `SKF_NET_OFF`, from where the network header counts, and the source address in it (RFC 791, 3.1).
const SOURCE_ADDRESS: u32 = 0xfff0_0000 + 12;

/// Lets connections of a listener come from these addresses and no others, from now on.
///
/// # Errors
/// The kernel has no packet filters, or takes none so long.
pub(super) fn admit<'a>(
    listener: impl Into<SockRef<'a>>,
    sources: &BTreeSet<AddressRange>,
) -> io::Result<()> {
    listener.into().attach_filter(&program(sources))
}

fn program(sources: &BTreeSet<AddressRange>) -> Vec<SockFilter> {
    let mut program = Vec::new();
    for AddressRange { network, mask } in sources {
        program.extend([
            SockFilter::new(LOAD, 0, 0, SOURCE_ADDRESS),
            SockFilter::new(MASK, 0, 0, *mask),
            SockFilter::new(COMPARE, 0, 1, *network),
            SockFilter::new(KEEP, 0, 0, u32::MAX),
        ]);
    }
    program.push(SockFilter::new(KEEP, 0, 0, 0));
    program
}
