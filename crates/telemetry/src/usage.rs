//! What this process and its children take of their host, as the kernel counts it (proc(5)).

use std::collections::BTreeSet;

/// Processor time and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    /// Seconds of processors, of children that have ended too.
    pub(crate) cpu_seconds: f64,
    /// Resident memory.
    pub(crate) memory_bytes: u64,
}

/// What is used now; `None` where the kernel does not tell.
pub(crate) fn usage() -> Option<Usage> {
    let own = std::process::id();
    let mut sum = of(own)?;
    let (mut seen, mut parents) = (BTreeSet::from([own]), vec![own]);
    while let Some(parent) = parents.pop() {
        for child in children(parent) {
            if seen.insert(child)
                && let Some(usage) = of(child)
            {
                sum.cpu_seconds += usage.cpu_seconds;
                sum.memory_bytes += usage.memory_bytes;
                parents.push(child);
            }
        }
    }
    Some(sum)
}

/// What a process uses, and the processor time of its children that have ended.
fn of(process: u32) -> Option<Usage> {
    let stat = fs_err::read(format!("/proc/{process}/stat")).ok()?;
    parse(
        &String::from_utf8_lossy(&stat),
        rustix::param::clock_ticks_per_second(),
        rustix::param::page_size() as u64,
    )
}

fn parse(stat: &str, ticks_per_second: u64, page_bytes: u64) -> Option<Usage> {
    // The name of the program may hold anything; the third field follows its last bracket.
    let (_, fields) = stat.rsplit_once(')')?;
    let field = |number: usize| fields.split_ascii_whitespace().nth(number - 3)?.parse::<u64>().ok();
    let ticks = (14..=17).map(field).sum::<Option<u64>>()?;
    let pages = field(24)?;
    Some(Usage {
        cpu_seconds: ticks as f64 / ticks_per_second.max(1) as f64,
        memory_bytes: pages.saturating_mul(page_bytes),
    })
}

/// The children that a process has now. Each of its threads may have some.
fn children(process: u32) -> Vec<u32> {
    let Ok(threads) = fs_err::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let lists = threads
        .filter_map(Result::ok)
        .filter_map(|thread| fs_err::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_ascii_whitespace().filter_map(|child| child.parse().ok()).collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_fields_are_found_whatever_the_program_is_called() {
        let after = "S 1 2 3 4 5 6 7 8 9 10 100 50 30 20 20 0 1 0 999 4096000 25 0 0";
        let found = parse(&format!("42 (a) b (c) {after}"), 100, 4096).unwrap();
        assert_eq!(found, Usage { cpu_seconds: 2.0, memory_bytes: 25 * 4096 });
        assert_eq!(parse("42 (short) S 1", 100, 4096), None);
        assert_eq!(parse("", 100, 4096), None);
    }

    #[test]
    fn children_count_while_they_run_and_after() {
        let before = usage().unwrap();
        assert!(before.memory_bytes > 1 << 20, "{before:?}");
        let mut child = Command::new("sh")
            .args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; read line"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
            .unwrap();
        assert!(children(std::process::id()).contains(&child.id()));
        let (of_child, during) = (of(child.id()).unwrap(), usage().unwrap());
        assert!(of_child.cpu_seconds > 0.0 && of_child.memory_bytes > 0, "{of_child:?}");
        assert!(
            during.cpu_seconds >= before.cpu_seconds + of_child.cpu_seconds,
            "{before:?} {of_child:?} {during:?}"
        );
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(usage().unwrap().cpu_seconds >= during.cpu_seconds);
    }
}
