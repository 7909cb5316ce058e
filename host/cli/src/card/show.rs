//! What a card's registers say, as a table or as JSON.

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use ipos_abi::regs::{Access, BLOCKS, MAGIC, card, entries};
use ipos_abi::rx::Outcome;
use ipos_abi::table::BANKS;
use ipos_abi::{ABI_VERSION, Port};
use ipos_device::Registers;
use ipos_device::vfio::{Found, Machine};
use ipos_nic::Counters;
use serde_json::{Value, json};

/// Prints the cards of a machine and whether VFIO could open them.
pub fn list(cards: &[Found], sim: bool, json: bool) {
    let machine = Machine::default();
    let mut rows: Vec<[String; 4]> = cards
        .iter()
        .map(|c| {
            let state = machine.ready(&c.address).map_or_else(|e| e.to_string(), |_| "ready".to_owned());
            let group = c.group.map_or_else(|| "-".to_owned(), |g| g.to_string());
            [c.address.clone(), c.driver.clone().unwrap_or_else(|| "-".to_owned()), group, state]
        })
        .collect();
    if sim {
        rows.push(["simulated", "-", "-", "ready"].map(str::to_owned));
    }
    if json {
        let object = |[address, driver, group, state]: &[String; 4]| {
            let known = |text: &String| (text != "-").then(|| text.clone());
            json!({ "address": address, "driver": known(driver), "iommu_group": known(group), "state": state })
        };
        println!("{}", Value::Array(rows.iter().map(object).collect()));
    } else if rows.is_empty() {
        println!("no ipOS card in this machine");
    } else {
        print(["address", "driver", "IOMMU group", "state"], rows.iter().map(|r| r.to_vec()));
    }
}

/// Checks that a card answers and speaks this version.
pub fn identify(card: &mut dyn Registers) -> anyhow::Result<()> {
    let found = card.read32(card::MAGIC)?;
    if found == u32::MAX {
        anyhow::bail!(
            "the card answers nothing (all ones): it is gone, in power state D3, or its memory decoding is off"
        );
    }
    if found != MAGIC {
        anyhow::bail!("no ipOS card: its identity register reads {found:#010x} instead of {MAGIC:#010x}");
    }
    let version = card.read32(card::ABI)?;
    if version != ABI_VERSION {
        anyhow::bail!(
            "the card speaks ABI version {version}, this software {ABI_VERSION}: update the older of the two"
        );
    }
    Ok(())
}

/// Prints what the card is.
pub fn info(card: &mut dyn Registers, json: bool) -> anyhow::Result<()> {
    identify(card)?;
    let slots = |bits: u32| (BANKS as u64) << bits.min(32);
    let facts = [
        ("abi", u64::from(ABI_VERSION)),
        ("build", card.read32(card::BUILD)?.into()),
        ("width", card.read32(card::WIDTH)?.into()),
        ("ports", card.read32(card::PORTS)?.into()),
        ("forward_slots", slots(card.read32(card::FORWARD_SLOTS)?)),
        ("endpoint_slots", slots(card.read32(card::ENDPOINT_SLOTS)?)),
        ("clock_khz", card.read32(card::CLOCK_KHZ)?.into()),
    ];
    if json {
        println!("{}", Value::Object(facts.iter().map(|&(name, value)| (name.to_owned(), value.into())).collect()));
        return Ok(());
    }
    print(
        ["what", "value"],
        facts.iter().map(|&(name, value)| {
            let text = match name {
                "build" => format!("{value:08x}"),
                "clock_khz" if value == 0 => "simulated".to_owned(),
                _ => value.to_string(),
            };
            vec![name.replace('_', " "), text]
        }),
    );
    Ok(())
}

/// Prints all counters of both ports.
pub fn stats(card: &mut dyn Registers, json: bool) -> anyhow::Result<()> {
    identify(card)?;
    let counters = Counters::read(card)?;
    if json {
        let port = |port: Port| {
            let c = &counters.ports[port as usize];
            let outcomes = Outcome::ALL.iter().map(|&o| (format!("{o:?}"), counters.get(port, o).into())).collect();
            json!({ "received": c.received, "sent": c.sent, "outcomes": Value::Object(outcomes) })
        };
        println!("{}", json!({ "front": port(Port::Front), "back": port(Port::Back) }));
        return Ok(());
    }
    let row = |name: &str, value: &dyn Fn(Port) -> u64, text: &str| {
        vec![name.to_owned(), value(Port::Front).to_string(), value(Port::Back).to_string(), text.to_owned()]
    };
    let mut rows = vec![
        row("received", &|p| counters.ports[p as usize].received, "frames"),
        row("sent", &|p| counters.ports[p as usize].sent, "frames"),
    ];
    rows.extend(Outcome::ALL.iter().map(|&o| row(&format!("{o:?}"), &|p| counters.get(p, o), o.text())));
    print(["counter", "front", "back", "meaning"], rows.into_iter());
    Ok(())
}

/// Prints the tables' sizes and the entries that have counted something.
pub fn tables(card: &mut dyn Registers, json: bool) -> anyhow::Result<()> {
    identify(card)?;
    let bits =
        |found: u32| if found <= 12 { Ok(found) } else { Err(anyhow::anyhow!("a table of 2^{found} slots a bank")) };
    let forward = bits(card.read32(card::FORWARD_SLOTS)?)?;
    let endpoint = bits(card.read32(card::ENDPOINT_SLOTS)?)?;
    let mut active = Vec::new();
    for bank in 0..BANKS as u32 {
        for slot in 0..1 << forward {
            card.write32(entries::SELECT, bank << 16 | slot)?;
            let packets = card.read32(entries::PACKETS)?;
            if packets > 0 {
                let high = u64::from(card.read32(entries::BYTES_HI)? & 0xff);
                let bytes = high << 32 | u64::from(card.read32(entries::BYTES_LO)?);
                active.push((bank, slot, packets, bytes, card.read32(entries::SEEN)? & 1 == 1));
            }
        }
    }
    let slots = [("forward", forward), ("endpoint", endpoint)].map(|(name, bits)| (name, (BANKS as u32) << bits));
    if json {
        let entry = |&(bank, slot, packets, bytes, seen): &(u32, u32, u32, u64, bool)| json!({ "bank": bank, "slot": slot, "packets": packets, "bytes": bytes, "seen": seen });
        println!(
            "{}",
            json!({ "forward_slots": slots[0].1, "endpoint_slots": slots[1].1,
                    "active": active.iter().map(entry).collect::<Vec<_>>() })
        );
        return Ok(());
    }
    print(["table", "slots"], slots.iter().map(|(name, n)| vec![(*name).to_owned(), n.to_string()]));
    if active.is_empty() {
        println!("no forward entry has counted a packet");
    } else {
        let row = |(bank, slot, packets, bytes, seen): (u32, u32, u32, u64, bool)| {
            vec![bank.to_string(), slot.to_string(), packets.to_string(), bytes.to_string(), seen.to_string()]
        };
        print(["bank", "slot", "packets", "bytes", "seen"], active.into_iter().map(row));
    }
    Ok(())
}

/// Prints every register that can be read.
pub fn regs(card: &mut dyn Registers, json: bool, dump: bool) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for block in BLOCKS {
        let readable = block.regs.iter().filter(|r| !matches!(r.access, Access::Wo));
        let named = [("HEADER", block.offset, ""), ("NEXT", block.offset + 4, "")];
        for (name, offset, doc) in named.into_iter().chain(readable.map(|r| (r.name, r.offset, r.doc))) {
            rows.push((format!("{}.{name}", block.name), offset, card.read32(offset)?, doc));
        }
    }
    if json {
        let object =
            rows.into_iter().map(|(name, offset, value, _)| (name, json!({ "offset": offset, "value": value })));
        println!("{}", Value::Object(object.collect()));
    } else if dump {
        rows.iter().for_each(|(_, offset, value, _)| println!("{offset:#06x} {value:#010x}"));
    } else {
        let row = |(name, offset, value, doc): (String, u32, u32, &str)| {
            vec![name, format!("{offset:#06x}"), format!("{value:#010x}"), first_sentence(doc).to_owned()]
        };
        print(["register", "offset", "value", "meaning"], rows.into_iter().map(row));
    }
    Ok(())
}

/// A full stop or a semicolon ends it where a space follows; colons stand in ranges of bits.
fn first_sentence(doc: &str) -> &str {
    let end = [". ", "; "].iter().filter_map(|mark| doc.find(mark)).min();
    end.map_or(doc.trim_end_matches('.'), |end| &doc[..end])
}

fn print<const N: usize>(header: [&str; N], rows: impl Iterator<Item = Vec<String>>) {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header(header);
    for row in rows {
        table.add_row(row);
    }
    println!("{table}");
}
