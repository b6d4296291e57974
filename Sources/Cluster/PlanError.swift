/// Why there is no plan.
package enum PlanError: Error, Hashable, Sendable {
    /// What a machine lacks.
    package struct Shortfall: Hashable, Sendable {
        package let name: String
        package let neededBytes: Int
        package let memoryBytes: Int
        package var shortBytes: Int { neededBytes - memoryBytes }
    }

    case optionOutOfRange(name: String, value: Int, maximum: Int)
    case placement(PlacementError)
    case expertSizeContradicts(expert: Int, Parallelism)
    case slicesTooThin(tensor: Int, width: Int)
    case contextTooLong(context: Int, maximum: Int)
    /// Weights and KV cache of the coordinator; `affordable`: the sequences of this length that would fit.
    case coordinatorTooSmall(Shortfall, weightBytes: Int, affordable: Int)
    /// `expertSize`: the expert-parallel-size at which workers like the smallest would do, where one would.
    case workersTooSmall([Shortfall], totalBytes: Int, totalMemoryBytes: Int, expertSize: Int?)
}

extension PlanError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .optionOutOfRange(let name, let value, let maximum):
            "--\(name) is \(value): give 1 to \(maximum)"
        case .placement(let error):
            error.description
        case .expertSizeContradicts(let expert, let parallelism):
            Self.contradiction(expert: expert, parallelism)
        case .slicesTooThin(let tensor, let width):
            """
            tensor-parallel-size \(tensor) leaves slices of no column, for an expert's inner width is \(width): \
            give \(width) or less
            """
        case .contextTooLong(let context, let maximum):
            "--context is \(context), but the model takes \(maximum) positions: give \(maximum) or less"
        case .coordinatorTooSmall(let shortfall, let weightBytes, let affordable):
            """
            the plan does not fit: \(Self.text(shortfall)); \
            \(Self.mend(shortfall, weightBytes: weightBytes, affordable: affordable))
            """
        case .workersTooSmall(let shortfalls, let totalBytes, let totalMemoryBytes, let expertSize):
            """
            the plan does not fit: \(Self.text(shortfalls)); \
            \(Self.mend(totalBytes: totalBytes, totalMemoryBytes: totalMemoryBytes, expertSize: expertSize))
            """
        }
    }

    /// How many machines a message names.
    private static let namedMachines = 2

    private static func text(_ shortfall: Shortfall) -> String {
        """
        \(shortfall.name) needs \(Amount.grouped(shortfall.neededBytes)) B and has \
        \(Amount.grouped(shortfall.memoryBytes)) B, \(Amount.grouped(shortfall.shortBytes)) B short
        """
    }

    private static func text(_ shortfalls: [Shortfall]) -> String {
        let named = shortfalls.prefix(namedMachines).map(text).joined(separator: ", ")
        let others = shortfalls.count - namedMachines
        return others > 0 ? "\(named), and \(others) more" : named
    }

    private static func contradiction(expert: Int, _ parallelism: Parallelism) -> String {
        let (tensor, pipeline, workers) = (parallelism.tensor, parallelism.pipeline, parallelism.workers)
        let wanted = tensor.multipliedReportingOverflow(by: pipeline).partialValue
            .multipliedReportingOverflow(by: expert)
        let sizes = "TP \(tensor) x PP \(pipeline) x EP \(expert)"
        guard !wanted.overflow, wanted.partialValue <= ClusterConfig.Worker.maximumCount else {
            return "\(sizes) is more than \(ClusterConfig.Worker.maximumCount) workers: give smaller sizes"
        }
        return """
            \(sizes) is \(wanted.partialValue) workers, but the cluster file lists \(workers): \
            leave --expert-parallel-size out, or list as many
            """
    }

    private static func mend(_ shortfall: Shortfall, weightBytes: Int, affordable: Int) -> String {
        if affordable > 0 { return "give it more memory, or --concurrency \(affordable), or a shorter --context" }
        let more = "give it more memory"
        return weightBytes > shortfall.memoryBytes
            ? "\(more): its weights alone take \(Amount.grouped(weightBytes)) B" : "\(more), or a shorter --context"
    }

    private static func mend(totalBytes: Int, totalMemoryBytes: Int, expertSize: Int?) -> String {
        let sum = """
            all experts take \(Amount.grouped(totalBytes)) B and the workers have \
            \(Amount.grouped(totalMemoryBytes)) B in all
            """
        let more = "give them more memory, or add workers"
        return expertSize.map { "\(sum): \(more) (--expert-parallel-size \($0) would do)" } ?? "\(sum): \(more)"
    }
}
