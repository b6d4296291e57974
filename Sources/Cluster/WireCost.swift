/// What the pieces of a dispatch and of its answer weigh on the wire: facts that stand with the frames, passed in.
package struct WireCost: Hashable, Sendable {
    /// Of one value of a row, out and back: 2 for bf16.
    package let valueByteSize: Int
    /// Of one (row, expert, rank) that a dispatch asks for.
    package let pairByteSize: Int
    /// Of the header of a frame; each worker that is asked gets one frame and sends one.
    package let headerByteSize: Int

    package init(valueByteSize: Int, pairByteSize: Int, headerByteSize: Int) {
        self.valueByteSize = valueByteSize
        self.pairByteSize = pairByteSize
        self.headerByteSize = headerByteSize
    }
}
