internal import Checkpoint
internal import Cluster
internal import Kernels
internal import Wire

extension [Assignment.SlotGroup] {
    /// One by one, once each is known to be a slot of the model.
    func slots(of model: ModelShape, tensorParallelSize: Int) throws(WorkerError) -> [Slot] {
        var slots: [Slot] = []
        for group in self {
            guard model.layers ~= group.layer, 0..<tensorParallelSize ~= group.rank else {
                throw .badAssignment("slice \(group.rank) of layer \(group.layer)")
            }
            for expert in group.experts {
                guard 0..<model.expertCount ~= expert else {
                    throw .badAssignment("expert \(expert) of \(model.expertCount)")
                }
                slots.append(Slot(layer: group.layer, expert: expert, rank: group.rank))
            }
        }
        return slots
    }
}

extension Assignment {
    /// nil: as stored.
    func heldDType() throws(WorkerError) -> HeldDType? {
        guard !expertDType.isEmpty else { return nil }
        guard let held = HeldDType(rawValue: expertDType) else {
            throw .badAssignment("experts as \"\(expertDType)\"")
        }
        return held
    }
}

extension ModelShape {
    /// The columns of an expert's intermediate dimension that slice `rank` of `count` has.
    func columns(rank: Int, of count: Int) -> Range<Int> {
        guard let parallelism = try? Parallelism(tensor: count, pipeline: 1, workers: count) else {
            preconditionFailure("an expert is cut into one slice or more")
        }
        return parallelism.columns(rank: rank, of: expertWidth)
    }

    /// Whether this is the shape that a checkpoint's config has.
    func isShape(of config: ModelConfig) -> Bool {
        expertCount == config.expertCount && expertsPerToken == config.expertsPerToken
            && expertWidth == config.expertIntermediateSize
            && layers == config.denseLayerCount..<config.layerCount + config.mtpLayerCount
            && block?.rows == config.quantization?.rows && block?.columns == config.quantization?.columns
    }
}
