//! The process itself, read from `/proc` at each scrape (nothing elsewhere than on Linux).

use std::fmt;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

/// The unit of times in `/proc/self/stat`: `USER_HZ`, 100 a second on every Linux architecture.
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) fn register(registry: &mut Registry) {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    registry.register_collector(Box::new(Process { started }));
}

#[derive(Debug)]
struct Process {
    /// Seconds since 1970.
    started: f64,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        ConstGauge::new(self.started).encode(encoder.encode_descriptor(
            "process_start_time",
            "Start of the process since 1970",
            Some(&Unit::Seconds),
            MetricType::Gauge,
        )?)?;
        if let Some(seconds) = cpu_seconds() {
            ConstCounter::new(seconds).encode(encoder.encode_descriptor(
                "process_cpu",
                "Time spent in user and system mode",
                Some(&Unit::Seconds),
                MetricType::Counter,
            )?)?;
        }
        if let Some(bytes) = resident_bytes() {
            ConstGauge::new(bytes).encode(encoder.encode_descriptor(
                "process_resident_memory",
                "Resident memory",
                Some(&Unit::Bytes),
                MetricType::Gauge,
            )?)?;
        }
        if let Some(descriptors) = open_descriptors() {
            ConstGauge::new(descriptors).encode(encoder.encode_descriptor(
                "process_open_fds",
                "Open file descriptors",
                None,
                MetricType::Gauge,
            )?)?;
        }
        Ok(())
    }
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in parentheses and may hold anything; utime and stime are the 14th and 15th.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut times = after_name.split_ascii_whitespace().skip(11).map(str::parse::<f64>);
    Some((times.next()?.ok()? + times.next()?.ok()?) / TICKS_PER_SECOND)
}

fn resident_bytes() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// One less than is counted: the listing itself needs one.
fn open_descriptors() -> Option<i64> {
    let listed = fs::read_dir("/proc/self/fd").ok()?.count();
    i64::try_from(listed).ok().map(|listed| listed - 1)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn sample(name: &str) -> f64 {
        let mut registry = Registry::default();
        register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("a string takes all");
        let prefix = format!("{name} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a number")
    }

    #[test]
    fn memory_and_start_time_are_plausible() {
        let megabytes = sample("process_resident_memory_bytes") / 1e6;
        assert!((1.0..10_000.0).contains(&megabytes), "{megabytes} MB");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((now - sample("process_start_time_seconds")).abs() < 60.0);
    }

    #[test]
    fn work_takes_cpu_time() {
        let before = sample("process_cpu_seconds_total");
        let mut after = before;
        // Bounded: a hundred ticks of the clock have passed long before.
        for round in 0..10_000_u64 {
            std::hint::black_box((0..100_000_u64).fold(round, |sum, step| sum ^ step.wrapping_mul(sum)));
            after = sample("process_cpu_seconds_total");
            if after > before {
                break;
            }
        }
        assert!(after > before, "{before} to {after}");
    }

    #[test]
    fn an_open_file_is_counted() {
        // Other tests of this process open files as well; a lot of ours stand out.
        let before = sample("process_open_fds");
        let files: Vec<_> = (0..200).map(|_| fs::File::open("/proc/self/stat").unwrap()).collect();
        let after = sample("process_open_fds");
        assert!(after >= before + 100.0, "{before} to {after}");
        drop(files);
    }
}
