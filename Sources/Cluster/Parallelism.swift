/// How many workers share one expert (tensor), how many stages the MoE layers are cut into (pipeline), and how many
/// workers there are in all. Expert parallelism is the rest: the workers of a stage share out its experts.
package struct Parallelism: Hashable, Sendable {
    /// Slices of each expert's feed-forward along its intermediate dimension.
    package let tensor: Int
    /// Contiguous runs of MoE layers, each owned by its own workers.
    package let pipeline: Int
    package let workers: Int

    /// Any number of workers from tensor x pipeline up will do; nothing needs to divide.
    package init(tensor: Int, pipeline: Int, workers: Int) throws(PlacementError) {
        guard tensor >= 1 else { throw .sizeBelowOne(name: "tensor-parallel-size", value: tensor) }
        guard pipeline >= 1 else { throw .sizeBelowOne(name: "pipeline-parallel-size", value: pipeline) }
        let needed = tensor.multipliedReportingOverflow(by: pipeline)
        guard !needed.overflow, workers >= needed.partialValue else {
            throw .tooFewWorkers(workers: workers, tensor: tensor, pipeline: pipeline)
        }
        self.tensor = tensor
        self.pipeline = pipeline
        self.workers = workers
    }

    /// The rest: TP x PP x EP = workers. nil where that does not divide.
    package var expert: Int? {
        workers.isMultiple(of: tensor * pipeline) ? workers / (tensor * pipeline) : nil
    }

    /// The columns of an expert's intermediate dimension that slice `rank` computes: contiguous, sizes within one.
    package func columns(rank: Int, of width: Int) -> Range<Int> {
        precondition((0..<tensor).contains(rank), "rank outside the expert's slices")
        return Self.run(rank, of: tensor, over: width)
    }

    /// The workers of stage `index`: contiguous, sizes differ by at most one, the larger ones first.
    package func workers(stage index: Int) -> Range<Int> {
        precondition((0..<pipeline).contains(index), "stage outside the pipeline")
        return Self.run(index, of: pipeline, over: workers)
    }

    /// Run `index` of `count` contiguous runs over 0..<total, sizes differing by at most one, the larger ones first.
    private static func run(_ index: Int, of count: Int, over total: Int) -> Range<Int> {
        let (size, larger) = total.quotientAndRemainder(dividingBy: count)
        let start = index * size + min(index, larger)
        return start..<start + size + (index < larger ? 1 : 0)
    }
}

extension Parallelism: CustomStringConvertible {
    package var description: String {
        let grid = "TP \(tensor) x PP \(pipeline)"
        return expert.map { "\(grid) x EP \($0)" } ?? "\(grid) over \(workers) workers"
    }
}
