//! Owns a report as one HTML page: no script, nothing from elsewhere, and no text of others unescaped.

use super::render::{heading, shown};
use super::{Cell, Report, Table};

/// How it looks, on screens and on paper.
const STYLE: &str = "body{font:14px/1.45 system-ui,sans-serif;margin:2em;color:#1b1b1b}\
h1{font-size:1.3em}h2{font-size:1.05em;margin-top:1.8em}\
table{border-collapse:collapse}th,td{padding:.25em .6em;border-bottom:1px solid #d8d8d8;text-align:right}\
th{background:#f2f2f2}td.t,th.t{text-align:left}.note{color:#555}\
@media print{body{margin:0}tr{break-inside:avoid}}";

/// The report as a page.
#[must_use]
pub fn html(report: &Report) -> String {
    let title = escape(heading(report).trim());
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    for note in &report.notes {
        page.push_str(&format!("<p class=\"note\">{}</p>\n", escape(note)));
    }
    for table in &report.tables {
        page.push_str(&of(report, table));
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn of(report: &Report, table: &Table) -> String {
    let mut text = format!("<h2>{}</h2>\n", escape(table.name));
    if table.rows.is_empty() {
        text.push_str("<p class=\"note\">none</p>\n");
        return text;
    }
    text.push_str("<table>\n<thead><tr>");
    for column in &table.columns {
        text.push_str(&format!("<th>{}</th>", escape(&column.replace('_', " "))));
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        text.push_str("<tr>");
        for cell in row {
            let class = match cell {
                Cell::Text(_) | Cell::Moment(_) => " class=\"t\"",
                Cell::None
                | Cell::Count(_)
                | Cell::Millis(_)
                | Cell::Ratio(_)
                | Cell::Number(_) => "",
            };
            text.push_str(&format!("<td{class}>{}</td>", escape(&shown(report, cell))));
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody>\n</table>\n");
    text
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
