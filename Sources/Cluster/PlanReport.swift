internal import Foundation

/// What `cohort plan` says, as values; the names of the fields in snake case are the keys of its JSON, and stay.
package struct PlanReport: Codable, Hashable, Sendable {
    package struct Model: Codable, Hashable, Sendable {
        package let modelType: String
        package let layers: Int
        package let moeLayers: Int
        package let experts: Int
        package let expertsPerToken: Int
        package let expertIntermediateSize: Int
        /// All weights with their scales, without MTP layers.
        package let weightBytes: Int
        package let routedBytes: Int
        /// One routed expert in one layer.
        package let expertBytes: Int
        package let kvBytesPerToken: Int
    }

    package struct Split: Codable, Hashable, Sendable {
        package let tensorParallelSize: Int
        package let pipelineParallelSize: Int
        /// Absent where tensor x pipeline does not divide the workers.
        package let expertParallelSize: Int?
        package let workers: Int
        package let stages: [StageShare]
    }

    package struct StageShare: Codable, Hashable, Sendable {
        /// Counted from 1.
        package let stage: Int
        package let firstLayer: Int
        package let lastLayer: Int
        package let layers: Int
        package let firstWorker: String
        package let lastWorker: String
        package let workers: Int
        /// Columns of an expert's intermediate dimension in a slice.
        package let sliceColumnsMin: Int
        package let sliceColumnsMax: Int
        /// Workers that one token's experts of a layer stand with, on average.
        package let distinctWorkersPerToken: Double
    }

    package struct CoordinatorShare: Codable, Hashable, Sendable {
        package let host: String?
        package let layers: Int
        package let weightBytes: Int
        package let kvBytes: Int
        package let totalBytes: Int
        package let memoryBytes: Int?
        package let memoryBandwidth: Double
        package let linkBandwidth: Double
        /// Through its link, for one token decoded alone.
        package let networkBytesOutPerToken: Double
        package let networkBytesBackPerToken: Double
    }

    package struct WorkerShare: Codable, Hashable, Sendable {
        package let name: String
        package let host: String?
        package let stage: Int
        package let layers: Int
        package let expertsPerLayerMin: Int
        package let expertsPerLayerMax: Int
        package let weightBytes: Int
        package let memoryBytes: Int?
        package let memoryBandwidth: Double
        package let linkBandwidth: Double
        /// To it and back from it, for one token decoded alone.
        package let networkBytesOutPerToken: Double
        package let networkBytesBackPerToken: Double
    }

    package enum Bound: String, Codable, Hashable, Sendable {
        case coordinatorMemory = "coordinator_memory"
        case workerMemory = "worker_memory"
        case network
    }

    /// What memories and links allow at most, for sequences decoded together.
    package struct Ceiling: Codable, Hashable, Sendable {
        package let concurrency: Int
        /// Batches that the sequences are dealt to, one per stage at most; the figures below are of one batch's step.
        package let batches: Int
        package let tokensPerSecond: Double
        package let bound: Bound
        package let stepSeconds: Double
        package let coordinatorSeconds: Double
        package let workerSeconds: Double
        package let networkSeconds: Double
        package let coordinatorBytes: Double
        package let workerBytes: Double
    }

    package struct Totals: Codable, Hashable, Sendable {
        package let workerWeightBytes: Int
        package let coordinatorBytes: Int
        package let allBytes: Int
        /// Absent where the memory of a machine is not known.
        package let memoryBytes: Int?
        package let networkBytesPerToken: Double
        package let roundTripsPerToken: Int
    }

    package let model: Model
    package let split: Split
    package let concurrency: Int
    package let context: Int
    /// Whether the figures of time come from measured rates; else from what memories and links allow at most.
    package let isMeasured: Bool
    package let assumptions: [String]
    package let coordinator: CoordinatorShare
    package let workers: [WorkerShare]
    /// For one sequence, then for the stated concurrency where that is more.
    package let ceilings: [Ceiling]
    package let totals: Totals

    /// One JSON object, keys in snake case and sorted.
    package func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try String(decoding: encoder.encode(self), as: UTF8.self)
    }
}
