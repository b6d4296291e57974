/// What the pieces of a dispatch and of its answer weigh on the wire: facts that stand with the frames, passed in.
package struct WireCost: Hashable, Sendable {
    /// Of a hidden vector on its way out.
    package let rowByteSize: Int
    /// Of an answer on its way back.
    package let answerByteSize: Int
    /// Of one (row, expert, rank) that a dispatch asks for.
    package let pairByteSize: Int
    /// Of the header of a frame; each worker that is asked gets one frame and sends one.
    package let headerByteSize: Int

    package init(rowByteSize: Int, answerByteSize: Int, pairByteSize: Int, headerByteSize: Int) {
        self.rowByteSize = rowByteSize
        self.answerByteSize = answerByteSize
        self.pairByteSize = pairByteSize
        self.headerByteSize = headerByteSize
    }
}
