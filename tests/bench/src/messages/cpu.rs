//! CPU time of processes, as the kernel counts it.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// The unit of times in `/proc/PID/stat`: `USER_HZ`, 100 a second on every Linux architecture.
const TICK: Duration = Duration::from_millis(10);

/// User and system time of `root` and all below it, of those that have ended too once their parent has waited.
pub(crate) fn of_tree(root: Option<u32>) -> Duration {
    let Some(root) = root else { return Duration::ZERO };
    let processes = processes();
    let (mut total, mut left) = (Duration::ZERO, vec![root]);
    while let Some(pid) = left.pop() {
        total += processes.get(&pid).map_or(Duration::ZERO, |process| process.cpu);
        left.extend(processes.iter().filter(|(_, process)| process.parent == pid).map(|(pid, _)| pid));
    }
    total
}

#[derive(Debug)]
struct Process {
    parent: u32,
    cpu: Duration,
}

fn processes() -> HashMap<u32, Process> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // One that ends in between is no loss: its parent has its time.
    pids.filter_map(|pid: u32| Some((pid, parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?))).collect()
}

/// The second field is the program's name in parentheses and may hold anything.
fn parse(stat: &str) -> Option<Process> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let parent = fields.get(1)?.parse().ok()?;
    let ticks: u32 = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u32>().ok()).sum();
    Some(Process { parent, cpu: TICK * ticks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_process_and_of_its_dead_children_are_added() {
        let stat = "7 (a ) b) S 3 7 7 0 -1 4194560 1 2 3 4 11 22 33 44 20 0 1 0";

        let process = parse(stat).unwrap();

        assert_eq!((process.parent, process.cpu), (3, TICK * 110));
    }

    #[test]
    fn this_process_has_used_some() {
        let mut spent = 0_u64;
        while of_tree(Some(std::process::id())).is_zero() {
            spent = std::hint::black_box(spent + 1);
        }
    }
}
