//! What a service tells at `/metrics`: Prometheus text format 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

/// The value of a series, named with its labels as it is written: `pool_nodes_serving`,
/// `photo_reads_total{came_of="hit"}`.
pub(super) fn value(text: &str, series: &str) -> Option<f64> {
    let of_series = |line: &str| {
        let rest = line.strip_prefix(series)?.strip_prefix(' ')?;
        // A time may follow.
        rest.split_whitespace().next()?.parse().ok()
    };
    text.lines().find_map(of_series)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_found_by_its_name_and_labels_and_nothing_else_is() {
        let text = "# HELP pool_nodes Nodes\npool_nodes_wanted 4\npool_nodes 3 1395066363000\n\
                    reads{came_of=\"hit\"} 12\nbroken\nnone x\n";
        assert_eq!(value(text, "pool_nodes"), Some(3.0));
        assert_eq!(value(text, "pool_nodes_wanted"), Some(4.0));
        assert_eq!(value(text, "reads{came_of=\"hit\"}"), Some(12.0));
        for missing in ["reads", "pool", "broken", "none", ""] {
            assert_eq!(value(text, missing), None, "{missing}");
        }
    }
}
