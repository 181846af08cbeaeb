//! Owns the drawing of a plan as Mermaid text, which many editors and sites draw.

use core::fmt::Write as _;

use super::label;
use crate::plan::Plan;

/// The plan as a Mermaid flowchart: a box for each flow, an arrow for each way.
#[must_use]
pub fn mermaid(plan: &Plan) -> String {
    let mut text = String::from("flowchart TD\n");
    let mut ways = String::new();
    for (id, flow) in plan.flows.iter().enumerate() {
        let _ = writeln!(text, "  subgraph f{id} [\"{}\"]", escaped(&flow.name));
        for (place, step) in flow.steps.iter().enumerate() {
            let said = escaped(&label(plan, step));
            let _ = writeln!(text, "    f{id}s{place}[\"{said}\"]");
            for (way, to) in step.ways() {
                let to = to.0;
                let _ = match way.as_str() {
                    "" => writeln!(ways, "  f{id}s{place} --> f{to}s0"),
                    way => writeln!(ways, "  f{id}s{place} -- \"{}\" --> f{to}s0", escaped(way)),
                };
            }
        }
        for place in 1..flow.steps.len() {
            let _ = writeln!(text, "    f{id}s{} --> f{id}s{place}", place - 1);
        }
        text.push_str("  end\n");
    }
    text + &ways
}

/// Text within quotes of Mermaid.
fn escaped(text: &str) -> String {
    text.replace('&', "#amp;").replace('"', "#quot;")
}
