/// A plan's report for people.
package struct PlanText: CustomStringConvertible {
    private let report: PlanReport

    package init(_ report: PlanReport) { self.report = report }

    package var description: String {
        let parts = [summary(), stages(), shares(), ceilings(), assumptions()]
        return parts.map { $0.joined(separator: "\n") }.joined(separator: "\n\n")
    }

    private func summary() -> [String] {
        let (model, split, totals) = (report.model, report.split, report.totals)
        let grid =
            split.expertParallelSize.map {
                "TP \(split.tensorParallelSize) x PP \(split.pipelineParallelSize) x EP \($0) = "
            }
            ?? "TP \(split.tensorParallelSize) x PP \(split.pipelineParallelSize) over "
        let memory = totals.memoryBytes.map { " of \(Amount.bytes($0)) memory" } ?? ""
        return [
            """
            model: \(model.modelType), \(model.layers) layers, \(model.moeLayers) of them with \(model.experts) routed \
            experts, \(model.expertsPerToken) per token
            """,
            """
            weights: \(Amount.bytes(model.weightBytes)), routed experts \(Amount.bytes(model.routedBytes)), one expert \
            \(Amount.bytes(model.expertBytes)) per layer and \
            \(Amount.bytes(model.expertBytes * model.moeLayers)) over all
            """,
            "split: \(grid)\(Amount.count(split.workers, "worker"))",
            """
            load: \(Amount.count(report.concurrency, "sequence")) of \(Amount.grouped(report.context)) positions, \
            \(Amount.grouped(model.kvBytesPerToken)) B of KV cache per position
            """,
            "needed: \(Amount.bytes(totals.allBytes))\(memory)",
            """
            network: \(Amount.bytes(totals.networkBytesPerToken)) per token in \(totals.roundTripsPerToken) round trips
            """,
        ]
    }

    private func stages() -> [String] {
        var table = TextTable(header: ["stage", "layers", "workers", "columns of an expert", "distinct workers/token"])
        for stage in report.split.stages {
            table.add([
                "\(stage.stage)", "\(Amount.span(stage.firstLayer, stage.lastLayer)) (\(stage.layers))",
                "\(stage.workers)",
                """
                \(Amount.span(stage.sliceColumnsMin, stage.sliceColumnsMax)) of \
                \(Amount.grouped(report.model.expertIntermediateSize))
                """,
                Amount.decimal(stage.distinctWorkersPerToken),
            ])
        }
        return table.lines()
    }

    private func shares() -> [String] {
        var table = TextTable(header: [
            "machine", "stage", "layers", "experts/layer", "weights", "KV cache", "memory", "free", "out/token",
            "back/token",
        ])
        let own = report.coordinator
        table.add([
            "coordinator", "", "\(own.layers)", "", Amount.bytes(own.weightBytes), Amount.bytes(own.kvBytes),
            Self.memory(own.memoryBytes), Self.free(own.memoryBytes, own.totalBytes),
            Amount.bytes(own.networkBytesOutPerToken), Amount.bytes(own.networkBytesBackPerToken),
        ])
        for run in Self.runs(report.workers) {
            let worker = run.first
            table.add([
                run.count == 1 ? worker.name : "\(worker.name) to \(run.lastName) (\(run.count), each)",
                "\(worker.stage)", "\(worker.layers)",
                Amount.span(worker.expertsPerLayerMin, worker.expertsPerLayerMax), Amount.bytes(worker.weightBytes), "",
                Self.memory(worker.memoryBytes), Self.free(worker.memoryBytes, worker.weightBytes),
                Amount.bytes(worker.networkBytesOutPerToken), Amount.bytes(worker.networkBytesBackPerToken),
            ])
        }
        return table.lines()
    }

    private func ceilings() -> [String] {
        var table = TextTable(header: [
            report.isMeasured ? "expected" : "at most", "tokens/s", "bound by", "one step", "coordinator", "workers",
            "network", "coordinator reads",
            "workers read",
        ])
        for ceiling in report.ceilings {
            let batches = ceiling.batches > 1 ? " in \(ceiling.batches) batches" : ""
            table.add([
                Amount.count(ceiling.concurrency, "sequence") + batches,
                Amount.decimal(ceiling.tokensPerSecond), Self.name(ceiling.bound), Amount.seconds(ceiling.stepSeconds),
                Amount.seconds(ceiling.coordinatorSeconds), Amount.seconds(ceiling.workerSeconds),
                Amount.seconds(ceiling.networkSeconds), Amount.bytes(ceiling.coordinatorBytes),
                Amount.bytes(ceiling.workerBytes),
            ])
        }
        return table.lines()
    }

    private func assumptions() -> [String] { report.assumptions.map { "assumed: \($0)" } }

    private static func name(_ bound: PlanReport.Bound) -> String {
        switch bound {
        case .coordinatorMemory: "coordinator's memory"
        case .workerMemory: "workers' memory"
        case .network: "network"
        }
    }

    private static func memory(_ bytes: Int?) -> String { bytes.map { Amount.bytes($0) } ?? "?" }

    private static func free(_ memory: Int?, _ needed: Int) -> String {
        memory.map { Amount.bytes($0 - needed) } ?? "?"
    }

    private struct Run {
        let first: PlanReport.WorkerShare
        var lastName: String
        var count: Int
    }

    /// Neighbours that differ in name and host alone stand in one row.
    private static func runs(_ workers: [PlanReport.WorkerShare]) -> [Run] {
        workers.reduce(into: []) { runs, worker in
            if let last = runs.last, last.first.isLike(worker) {
                runs[runs.count - 1] = Run(first: last.first, lastName: worker.name, count: last.count + 1)
            } else {
                runs.append(Run(first: worker, lastName: worker.name, count: 1))
            }
        }
    }
}

extension PlanReport.WorkerShare {
    fileprivate func isLike(_ other: Self) -> Bool {
        stage == other.stage && layers == other.layers && weightBytes == other.weightBytes
            && expertsPerLayerMin == other.expertsPerLayerMin && expertsPerLayerMax == other.expertsPerLayerMax
            && memoryBytes == other.memoryBytes && networkBytesOutPerToken == other.networkBytesOutPerToken
            && networkBytesBackPerToken == other.networkBytesBackPerToken
    }
}
