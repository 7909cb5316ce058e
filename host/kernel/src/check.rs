//! What the interfaces must be before programs are attached; each refusal names the command that cures it.

use ipos_abi::wire::ipos;

use crate::config::Config;
use crate::error::KernelError;
use crate::sys::Interface;

/// Bytes of IPv4 and UDP headers in front of ipOS.
const UDP_OUTER: u32 = 28;

/// Front and back, if the datapath can run on them.
pub(crate) fn interfaces(config: &Config) -> Result<[Interface; 2], KernelError> {
    let find = |name: &str| Interface::find(name).map_err(|_| KernelError::NoInterface(name.to_owned()));
    let [front, back] = [find(&config.front)?, find(&config.back)?];
    if front.index != back.index && front.mac == back.mac {
        return Err(KernelError::SameMac { front: config.front.clone(), back: config.back.clone() });
    }
    for (interface, name) in [(&front, &config.front), (&back, &config.back)] {
        let offload = match config.generic {
            // frames are merged before generic XDP sees them
            true if interface.gro => Some(("generic receive offload", "gro")),
            _ if interface.lro => Some(("large receive offload", "lro")),
            _ => None,
        };
        if let Some((offload, switch)) = offload {
            return Err(KernelError::Offload { interface: name.clone(), offload, switch });
        }
    }
    // one interface for both: clients' packets must be short enough, which their path MTU sees to
    let needed = front.mtu + ipos::LEN as u32 + if config.udp.is_some() { UDP_OUTER } else { 0 };
    if front.index != back.index && back.mtu < needed {
        return Err(KernelError::Mtu { back: config.back.clone(), found: back.mtu, needed });
    }
    Ok([front, back])
}
