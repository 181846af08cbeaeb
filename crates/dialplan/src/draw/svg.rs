//! Owns the drawing of a plan as an SVG: each flow a card of steps, cards in columns by how many
//! ways lead there from the beginning, ways as curves; those that lead back are dashed.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use super::label;
use crate::plan::Plan;
use crate::step::FlowId;

const CARD_WIDTH: usize = 300;
const ROW: usize = 24;
const HEAD: usize = 30;
const GAP_X: usize = 120;
const GAP_Y: usize = 28;
const MARGIN: usize = 20;
/// Room for the headline.
const TOP: usize = 52;
/// Characters of a label that fit into a card.
const LABEL_CHARS: usize = 42;

const STYLE: &str = "text{font:13px sans-serif;fill:#1b2733}.name{font-weight:bold}\
.card{fill:#f6f8fa;stroke:#8794a1}.head{fill:#dfe7ef;stroke:#8794a1}.step{fill:none}\
.way{fill:none;stroke:#3b6ea5;stroke-width:1.4;marker-end:url(#tip)}.back{stroke-dasharray:5 4}\
.key{font-size:11px;fill:#3b6ea5}";

/// Where a card is.
#[derive(Clone, Copy)]
struct Card {
    column: usize,
    x: usize,
    y: usize,
}

/// The plan as an SVG picture.
#[must_use]
pub fn svg(plan: &Plan) -> String {
    let cards = layout(plan);
    let height_of = |flow: usize| {
        let steps = plan.flows.get(flow).map_or(0, |flow| flow.steps.len());
        HEAD + ROW * steps + 6
    };
    let width = cards.values().map(|card| card.x).max().unwrap_or(0) + CARD_WIDTH + GAP_X;
    let height = cards
        .iter()
        .map(|(flow, card)| card.y + height_of(*flow))
        .max()
        .unwrap_or(0)
        + MARGIN;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">\n<style>{STYLE}</style>\n<defs><marker id=\"tip\" \
         viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#3b6ea5\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let title = escaped(&format!("{}: {}", plan.name, plan.numbers.join(", ")));
    let _ = writeln!(
        text,
        "<text class=\"name\" x=\"{MARGIN}\" y=\"30\">{title}</text>"
    );
    let mut ways = String::new();
    for (flow, card) in &cards {
        draw_card(plan, *flow, *card, height_of(*flow), &mut text);
        draw_ways(plan, *flow, &cards, &mut ways);
    }
    text + &ways + "</svg>\n"
}

fn draw_card(plan: &Plan, id: usize, card: Card, height: usize, text: &mut String) {
    let Some(flow) = plan.flows.get(id) else {
        return;
    };
    let Card { x, y, .. } = card;
    let left = x + 10;
    let _ = writeln!(
        text,
        "<rect class=\"card\" x=\"{x}\" y=\"{y}\" width=\"{CARD_WIDTH}\" height=\"{height}\" \
         rx=\"6\"/>\n<rect class=\"head\" x=\"{x}\" y=\"{y}\" width=\"{CARD_WIDTH}\" \
         height=\"{HEAD}\" rx=\"6\"/>\n<text class=\"name\" x=\"{left}\" y=\"{}\">{}</text>",
        y + 20,
        escaped(&flow.name)
    );
    for (place, step) in flow.steps.iter().enumerate() {
        let row = y + HEAD + ROW * place;
        let said = escaped(&shortened(&label(plan, step)));
        let _ = writeln!(
            text,
            "<rect class=\"step\" x=\"{x}\" y=\"{row}\" width=\"{CARD_WIDTH}\" height=\"{ROW}\"/>\
             <text x=\"{left}\" y=\"{}\">{said}</text>",
            row + 17
        );
    }
}

fn draw_ways(plan: &Plan, id: usize, cards: &BTreeMap<usize, Card>, text: &mut String) {
    let (Some(flow), Some(from)) = (plan.flows.get(id), cards.get(&id)) else {
        return;
    };
    for (place, step) in flow.steps.iter().enumerate() {
        // Several keys that lead to one flow are one way.
        let mut targets: BTreeMap<FlowId, Vec<String>> = BTreeMap::new();
        for (label, to) in step.ways() {
            targets.entry(to).or_default().push(label);
        }
        for (at, (to, labels)) in targets.into_iter().enumerate() {
            let Some(card) = cards.get(&to.0) else {
                continue;
            };
            let (x, y) = (from.x + CARD_WIDTH, from.y + HEAD + ROW * place + ROW / 2);
            let target_y = card.y + HEAD / 2;
            let forward = card.column > from.column;
            let (target_x, bend, class) = if forward {
                (card.x, card.x.saturating_sub(GAP_X / 2), "way")
            } else {
                (
                    card.x + CARD_WIDTH,
                    card.x + CARD_WIDTH + GAP_X / 2,
                    "way back",
                )
            };
            let out = x + GAP_X / 2;
            let _ = writeln!(
                text,
                "<path class=\"{class}\" d=\"M{x} {y}C{out} {y} {bend} {target_y} {target_x} \
                 {target_y}\"/>"
            );
            let said = labels.join(" ");
            if !said.trim().is_empty() {
                let above = y.saturating_sub(3) + 11 * at;
                let _ = writeln!(
                    text,
                    "<text class=\"key\" x=\"{}\" y=\"{above}\">{}</text>",
                    x + 6,
                    escaped(&said)
                );
            }
        }
    }
}

/// Columns by the shortest way from the beginning; in a column by the order of discovery.
fn layout(plan: &Plan) -> BTreeMap<usize, Card> {
    let mut cards = BTreeMap::new();
    let mut bottoms: Vec<usize> = Vec::new();
    let mut column: Vec<usize> = vec![0];
    column.extend(plan.emergency.map(|emergency| emergency.flow.0));
    let mut at = 0;
    while !column.is_empty() {
        let mut next = Vec::new();
        for id in column {
            let Some(flow) = plan.flows.get(id) else {
                continue;
            };
            if cards.contains_key(&id) {
                continue;
            }
            if bottoms.len() <= at {
                bottoms.push(TOP);
            }
            let y = bottoms.get(at).copied().unwrap_or(TOP);
            let x = MARGIN + at * (CARD_WIDTH + GAP_X);
            cards.insert(id, Card { column: at, x, y });
            if let Some(bottom) = bottoms.get_mut(at) {
                *bottom = y + HEAD + ROW * flow.steps.len() + 6 + GAP_Y;
            }
            let ways = flow.steps.iter().flat_map(crate::step::PlanStep::ways);
            next.extend(ways.map(|(_, to)| to.0));
        }
        column = next;
        at += 1;
    }
    cards
}

fn shortened(label: &str) -> String {
    if label.chars().count() <= LABEL_CHARS {
        return label.to_owned();
    }
    let kept: String = label.chars().take(LABEL_CHARS - 1).collect();
    format!("{kept}…")
}

/// Text within an XML element.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
