/// Why no placement can be made of these numbers.
package enum PlacementError: Error, Hashable, Sendable {
    case sizeBelowOne(name: String, value: Int)
    case tooFewWorkers(workers: Int, tensor: Int, pipeline: Int)
    case moreStagesThanLayers(pipeline: Int, layers: Int)
    case layersNotAscending([Int])
    case noExperts
    case weightCount(weights: Int, workers: Int)
    case weightNotPositive(worker: Int, weight: Double)
    case noWorker(Slot)
    case unknownWorker(Slot, worker: Int, workers: Int)
    case workerHoldsTwice(Slot, worker: Int)
}

extension PlacementError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .sizeBelowOne(let name, let value):
            "\(name) is \(value): give 1 or more"
        case .tooFewWorkers(let workers, let tensor, let pipeline):
            """
            \(workers) workers are too few for tensor-parallel-size \(tensor) x pipeline-parallel-size \(pipeline): \
            \(Self.mend(workers: workers, tensor: tensor, pipeline: pipeline))
            """
        case .moreStagesThanLayers(let pipeline, let layers):
            "pipeline-parallel-size \(pipeline) is more than the \(layers) MoE layers: give \(max(layers, 1)) or less"
        case .layersNotAscending(let layers):
            "the MoE layers \(layers) are not ascending indices: list each layer once, in order"
        case .noExperts:
            "the model has no routed experts, so there is nothing to place: run it with --local 0"
        case .weightCount(let weights, let workers):
            "\(weights) worker weights for \(workers) workers: give one for each"
        case .weightNotPositive(let worker, let weight):
            "the weight of worker \(worker) is \(weight): give each worker a positive capacity"
        case .noWorker(let slot):
            "no worker holds \(slot): give every slice of every expert a worker"
        case .unknownWorker(let slot, let worker, let workers):
            "\(slot) is placed on worker \(worker): workers are numbered 0 to \(workers - 1)"
        case .workerHoldsTwice(let slot, let worker):
            "worker \(worker) holds \(slot) twice: replicas need workers of their own"
        }
    }

    private static func mend(workers: Int, tensor: Int, pipeline: Int) -> String {
        let needed = tensor.multipliedReportingOverflow(by: pipeline)
        let more = needed.overflow ? "" : "start \(needed.partialValue) workers or more, or "
        guard workers >= 1 else { return more.isEmpty ? "start some workers" : "\(more)lower the two sizes" }
        if workers >= pipeline {
            return "\(more)give --tensor-parallel-size \(workers / pipeline) or less"
        }
        let both =
            workers >= tensor ? "--pipeline-parallel-size \(workers / tensor)" : "sizes whose product is \(workers)"
        return "\(more)give \(both) or less"
    }
}

extension Slot: CustomStringConvertible {
    package var description: String { "slice \(rank) of expert \(expert) of layer \(layer)" }
}
