//! The memory of this process, read when somebody asks.

use std::fmt::Error;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;

/// Tells the resident memory; tells nothing where the system has no `/proc`.
#[derive(Debug)]
pub(super) struct Memory;

impl Collector for Memory {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let Some(bytes) = std::fs::read_to_string("/proc/self/status").ok().as_deref().and_then(resident) else {
            return Ok(());
        };
        let gauge = ConstGauge::new(bytes);
        let metric = encoder.encode_descriptor("process_resident_memory_bytes", "Resident memory", None, gauge.metric_type())?;
        gauge.encode(metric)
    }
}

/// Reads the resident memory in bytes out of `/proc/self/status`.
fn resident(status: &str) -> Option<i64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    value.trim().strip_suffix("kB")?.trim_end().parse::<i64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::resident;

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(resident("Name:\ttagboat\nVmRSS:\t    5120 kB\nThreads:\t3\n"), Some(5_242_880));
        assert_eq!(resident("Name:\ttagboat\n"), None);
    }
}
