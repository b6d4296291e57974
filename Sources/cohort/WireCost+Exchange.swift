internal import Cluster
internal import Experts
internal import Wire

extension WireCost {
    /// What the frames weigh in which rows of this dtype travel.
    init(_ exchange: ExchangeDType, hiddenSize: Int) {
        self.init(
            rowByteSize: exchange.rowByteCount(hiddenSize), answerByteSize: exchange.answerByteCount(hiddenSize),
            pairByteSize: ExpertPair.byteCount, headerByteSize: FrameHeader.byteCount)
    }
}
