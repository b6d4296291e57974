package import Checkpoint
internal import Cluster
internal import Foundation

/// Tokens per second of decoding and prefill beside what the memory allows, measured in one run.
package struct DecodeReport: Sendable, Encodable {
    /// One deployment and one batch size.
    package struct Line: Sendable, Encodable {
        /// Worker processes on this machine; 0: experts in this process.
        package let local: Int
        package let batch: Int
        package let promptTokens: Int
        /// Tokens per second over all sequences, one sample for each run; none where the cache was invented.
        package let prefillTokensPerSecond: Samples.Summary?
        /// Tokens per second over all sequences, one sample for each step.
        package let decodeTokensPerSecond: Samples.Summary
        package let stepSeconds: Samples.Summary
        package let bytesPerStep: Double
        /// Bytes per second, one sample for each turn.
        package let readBandwidth: Samples.Summary
        /// (bytes / read bandwidth) / seconds: the median of those of the turns.
        package let limitShare: Double
        /// How many times as fast as with the experts in this process, by turns; nil where that is this line, or was
        /// not measured.
        package let prefillRatio: Double?
        package let decodeRatio: Double?

        /// - Parameter baseline: what the experts in this process did, where that is another line.
        package init(local: Int, run: DecodeRun, outcome: DecodeOutcome, baseline: DecodeOutcome?) {
            let steps = outcome.steps
            self.local = local
            batch = run.batch
            promptTokens = run.promptLength
            prefillTokensPerSecond =
                run.isInvented
                ? nil
                : Samples(outcome.prefillSeconds).mapped { Double(run.batch * run.promptLength) / $0 }.summary
            decodeTokensPerSecond = steps.mapped { Double(run.batch) / $0 }.summary
            stepSeconds = steps.summary
            bytesPerStep = Samples(outcome.turns.flatMap(\.stepBytes)).median
            readBandwidth = Samples(outcome.turns.map(\.readBandwidth)).summary
            limitShare = Samples(outcome.turns.map(\.limitShare)).median
            prefillRatio = run.isInvented ? nil : baseline.map { outcome.prefillRatio(to: $0) }
            decodeRatio = baseline.map { outcome.decodeRatio(to: $0) }
        }
    }

    package let model: String
    package let threads: Int
    package let kernelSet: String
    package let compute: String
    /// How hidden vectors travel to the experts.
    package let wire: String
    /// What routed experts and the other matrices are held as, "stored" or as on the command line.
    package let experts: String
    package let dense: String
    package let lines: [Line]

    package init(
        model: String, threads: Int, kernelSet: String, compute: String, wire: String, held: HeldDTypes, lines: [Line]
    ) {
        self.model = model
        self.threads = threads
        self.kernelSet = kernelSet
        self.compute = compute
        self.wire = wire
        experts = held.expert?.rawValue ?? "stored"
        dense = held.dense?.rawValue ?? "stored"
        self.lines = lines
    }

    package var text: String {
        var table = TextTable(header: [
            "experts in", "batch", "positions", "prefill tok/s", "decode tok/s", "p10..p90", "step", "bytes/step",
            "reads GB/s",
            "of limit", "beside this process",
        ])
        for line in lines {
            let decode = line.decodeTokensPerSecond
            table.add([
                line.local == 0 ? "this process" : "\(line.local) worker\(line.local == 1 ? "" : "s")",
                "\(line.batch)", "\(line.promptTokens)",
                line.prefillTokensPerSecond.map { String(format: "%.0f", $0.median) } ?? "-",
                String(format: "%.1f", decode.median), String(format: "%.1f..%.1f", decode.p10, decode.p90),
                Amount.seconds(line.stepSeconds.median), Amount.bytes(line.bytesPerStep),
                String(format: "%.1f", line.readBandwidth.median / 1e9),
                String(format: "%.0f %%", line.limitShare * 100), Self.beside(line),
            ])
        }
        let head =
            "\(model), \(threads) threads, \(kernelSet), \(compute), wire \(wire), experts \(experts), dense \(dense)"
        return ([head] + table.lines()).joined(separator: "\n")
    }

    private static func beside(_ line: Line) -> String {
        guard let decode = line.decodeRatio else { return "-" }
        let prefill = line.prefillRatio.map { String(format: "prefill %.2fx, ", $0) } ?? ""
        return prefill + String(format: "decode %.2fx", decode)
    }
}
