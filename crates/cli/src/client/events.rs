//! Server-sent events, as they come over the wire (WHATWG HTML, 9.2.6).

use reelfarm_api::WatchEvent;
use reqwest::Response;

/// The longest line that is waited for: the snapshot of a title with all its tasks, many times over.
const LONGEST: usize = 64 << 20;

/// Puts lines and events together from pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    data: Vec<u8>,
}

impl Parser {
    /// Takes a piece in, and gives what is complete with it.
    pub(super) fn push(&mut self, piece: &[u8]) -> Vec<WatchEvent> {
        let mut events = Vec::new();
        for byte in piece {
            match byte {
                b'\n' => events.extend(self.end_of_line()),
                // The farm ends lines with one of these; a proxy may not.
                b'\r' => {}
                byte => self.line.push(*byte),
            }
        }
        events
    }

    /// Whether the other side sends what no farm does.
    pub(super) fn is_overlong(&self) -> bool {
        self.line.len() + self.data.len() > LONGEST
    }

    fn end_of_line(&mut self) -> Option<WatchEvent> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            // What a newer farm may say beside what is known here is passed over.
            return serde_json::from_slice(&data).ok();
        }
        if let Some(data) = line.strip_prefix(b"data:") {
            if !self.data.is_empty() {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
        }
        None
    }
}

/// The events of an answer.
pub(super) struct Stream {
    answer: Response,
    parser: Parser,
    ready: std::collections::VecDeque<WatchEvent>,
}

impl Stream {
    pub(super) fn new(answer: Response) -> Self {
        Self { answer, parser: Parser::default(), ready: Default::default() }
    }

    /// The next event; `None` once the stream has ended. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<WatchEvent>, reqwest::Error> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            match self.answer.chunk().await? {
                Some(piece) if !self.parser.is_overlong() => self.ready.extend(self.parser.push(&piece)),
                _ => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_put_together_however_they_are_cut() {
        let text = ": comment\n\nevent: live\ndata: {\"event\":\"live\"}\n\nevent: news\ndata: {\"event\":\"news\"}\n\r\ndata: {\ndata:\"event\":\"live\"}\r\n\r\ndata: {\"event\":";
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let events: Vec<_> = text.as_bytes().chunks(size).flat_map(|piece| parser.push(piece)).collect();
            assert_eq!(events, [WatchEvent::Live {}, WatchEvent::Live {}], "pieces of {size}");
        }
    }
}
