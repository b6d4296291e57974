internal import Serving

/// Metrics in Prometheus's text format, version 0.0.4.
struct PrometheusText {
    var text = ""

    init(_ requests: RequestMetrics.Values, _ load: EngineRunner.Load) {
        write(
            "cohort_requests_total", .counter, "Requests for completions by how they ended.",
            RequestMetrics.Outcome.allCases.map { ("outcome", $0.rawValue, requests.requests[$0] ?? 0) })
        write("cohort_prompt_tokens_total", .counter, "Prompt tokens of accepted requests.", requests.promptTokens)
        write("cohort_generated_tokens_total", .counter, "Tokens generated.", requests.generatedTokens)
        write("cohort_requests_running", .gauge, "Requests in the batch.", load.running)
        write("cohort_requests_waiting", .gauge, "Requests that wait for room in the batch.", load.waiting)
        write("cohort_cache_positions", .gauge, "Positions of the KV cache.", load.positions)
        write("cohort_cache_positions_free", .gauge, "Positions of the KV cache that are free.", load.freePositions)
        write("cohort_time_to_first_token_seconds", "From a request's arrival to its first token.", requests.firstToken)
        write("cohort_inter_token_latency_seconds", "From one token of a request to the next.", requests.nextToken)
    }

    enum Kind: String {
        case counter, gauge, histogram
    }

    mutating func write(_ name: String, _ kind: Kind, _ help: String, _ value: any Numeric) {
        head(name, kind, help)
        text += "\(name) \(value)\n"
    }

    mutating func write(
        _ name: String, _ kind: Kind, _ help: String,
        _ samples: [(label: String, value: String, number: any Numeric)]
    ) {
        head(name, kind, help)
        for sample in samples {
            text += "\(name){\(sample.label)=\"\(Self.escaped(sample.value))\"} \(sample.number)\n"
        }
    }

    private mutating func write(_ name: String, _ help: String, _ histogram: Histogram) {
        head(name, .histogram, help)
        var total = 0
        for (bound, count) in zip(histogram.bounds.map { "\($0)" } + ["+Inf"], histogram.counts) {
            total += count
            text += "\(name)_bucket{le=\"\(bound)\"} \(total)\n"
        }
        text += "\(name)_sum \(histogram.sum)\n\(name)_count \(total)\n"
    }

    mutating func head(_ name: String, _ kind: Kind, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    static func escaped(_ label: String) -> String {
        label.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
