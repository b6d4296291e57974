internal import Bench
internal import Checkpoint

extension DecodeRun {
    /// Whether the model takes as many positions: to be asked before its weights are loaded.
    func check(_ config: ModelConfig) throws(UsageError) {
        guard positionsPerSequence <= config.maximumPositions else {
            throw UsageError(
                "\(promptLength) positions and the steps after them come to \(positionsPerSequence), but the model's "
                    + "max_position_embeddings allows \(config.maximumPositions): give fewer")
        }
    }
}
