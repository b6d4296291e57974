internal import Checkpoint
internal import Cluster
internal import Wire

extension [Assignment.SlotGroup] {
    /// One by one, once each is known to be a slot of the model.
    func slots(of config: ModelConfig, tensorParallelSize: Int) throws(WorkerError) -> [Slot] {
        let layers = config.denseLayerCount..<config.layerCount + config.mtpLayerCount
        var slots: [Slot] = []
        for group in self {
            guard layers ~= group.layer, 0..<tensorParallelSize ~= group.rank else {
                throw .badAssignment("slice \(group.rank) of layer \(group.layer)")
            }
            for expert in group.experts {
                guard 0..<config.expertCount ~= expert else {
                    throw .badAssignment("expert \(expert) of \(config.expertCount)")
                }
                slots.append(Slot(layer: group.layer, expert: expert, rank: group.rank))
            }
        }
        return slots
    }
}
