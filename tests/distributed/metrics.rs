//! What processes count.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::farm::Farm;

impl Farm {
    /// Has processes that are started from now on serve their metrics.
    pub(crate) fn with_metrics(&mut self) {
        self.variables.insert("REELFARM_METRICS_ADDR", "127.0.0.1:0".into());
    }

    /// Where a process serves them, once it says so in its log.
    pub(crate) fn metrics_address(&self, process: &str) -> Option<String> {
        let log = self.process(process).log();
        log.split_whitespace().find_map(|word| {
            let (address, _) = word.strip_prefix("http://")?.split_once("/metrics")?;
            Some(address.to_owned())
        })
    }

    /// The sum of the series whose names begin so; zero where the process cannot be asked.
    pub(crate) async fn metric(&self, process: &str, series: &str) -> f64 {
        let Some(address) = self.metrics_address(process) else { return 0.0 };
        let text = get(&address).await.unwrap_or_default();
        text.lines()
            .filter(|line| line.starts_with(series))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}

async fn get(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: farm\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
