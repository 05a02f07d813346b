//! Answers usage records from standard input, as `marginlake prices price` does.

use std::io::{self, BufRead, Write};

use marginlake_pricing::{Catalogue, record};

fn main() -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        serde_json::to_writer(&mut out, &record::answer(Catalogue::embedded(), &line?))?;
        out.write_all(b"\n")?;
    }
    out.flush()
}
