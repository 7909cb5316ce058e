//! What a running node says.

use std::future::Future;

use comfy_table::{ContentArrangement, Table, presets};
use ipos_abi::rx::Outcome;
use ipos_control::Client;
use ipos_control::message::Place;
use ipos_node::NodeStats;
use serde_json::{Map, Value, json};

/// Waits for an answer.
pub fn ask<T>(question: impl Future<Output = Result<T, ipos_control::Error>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(question)?)
}

fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head.iter().copied()).add_rows(rows);
    table
}

/// Prints the counters of the node, and of its card by port.
pub fn stats(node: &Client, json: bool) -> anyhow::Result<()> {
    let stats = ask(node.stats())?;
    if json {
        let all: Map<String, Value> = stats.into_iter().map(|(name, value)| (name, value.into())).collect();
        println!("{}", Value::Object(all));
        return Ok(());
    }
    let value = |of: String| stats.iter().find(|(name, _)| *name == of).map(|(_, value)| value.to_string());
    let rows = stats.iter().filter(|(name, _)| !name.contains('.')).map(|(name, value)| {
        let meaning = NodeStats::MEANINGS.iter().find(|(n, _)| n == name).map_or("", |(_, meaning)| meaning);
        vec![name.clone(), value.to_string(), meaning.to_owned()]
    });
    println!("{}\n", table(&["counter", "value", "meaning"], rows));
    let outcomes = Outcome::ALL.iter().map(|o| (format!("{o:?}"), o.text()));
    let names = [("received".to_owned(), "frames"), ("sent".to_owned(), "frames")].into_iter().chain(outcomes);
    let rows = names.filter_map(|(name, meaning)| {
        let port = |port: &str| value(format!("{port}.{name}"));
        Some(vec![name.clone(), port("front")?, port("back")?, meaning.to_owned()])
    });
    println!("{}", table(&["counter of the card", "front", "back", "meaning"], rows));
    Ok(())
}

/// Prints the connections.
pub fn connections(node: &Client, json: bool) -> anyhow::Result<()> {
    let all = ask(node.connections())?;
    let place = |place: Place| match place {
        Place::Here => "here".to_owned(),
        Place::At(peer) => format!("at {peer}"),
        Place::Moving => "moving".to_owned(),
        other => format!("{other:?}"),
    };
    if json {
        let all = all.into_iter().map(|c| json!({"client": c.client, "service": c.service, "place": place(c.place)}));
        println!("{}", all.collect::<Value>());
    } else {
        let rows = all.into_iter().map(|c| vec![c.client.to_string(), c.service.to_string(), place(c.place)]);
        println!("{}", table(&["client", "service", "lives"], rows));
    }
    Ok(())
}
