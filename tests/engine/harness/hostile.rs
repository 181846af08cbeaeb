//! The one table of values made to do harm. Every way out of the journal is tested with all of them.

/// Names as a caller, an operator or a supervisor may give them.
pub(crate) const VALUES: [&str; 22] = [
    "'); DROP TABLE entries; --",
    "1' OR '1'='1",
    "=HYPERLINK(\"http://x\",\"y\")",
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1:A9)",
    "\tx",
    "\r=1",
    " =1+1",
    "a,b;\"c\"\r\nd",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "&lt;b&gt;&amp;",
    "{{7*7}}${7*7}#{7*7}",
    "\u{1b}[2J\u{7}nul\0end",
    "\u{9b}31m C1 \u{85}",
    "＝1+1",
    "Їжак 🦔 \u{202e}evil\u{2066}x",
    "e\u{301}\u{301}\u{301}\u{301}\u{200b}\u{feff}",
    "label\"} 1\nhotline_calls 99",
    "..%2f..%2fetc/passwd",
    "\u{fffd}\u{fffe}",
];

/// The table, and one value that is very long.
pub(crate) fn values() -> Vec<String> {
    let mut values: Vec<String> = VALUES.map(str::to_owned).to_vec();
    values.push("<=\u{202e}".repeat(20_000));
    values
}
