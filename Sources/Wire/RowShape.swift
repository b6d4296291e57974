/// What both sides agreed on about the rows of tensor frames, by the assignment.
package struct RowShape: Sendable, Equatable {
    /// Values of one row.
    package let hiddenSize: Int
    package let dtype: WireDType

    package init(hiddenSize: Int, dtype: WireDType) {
        precondition(hiddenSize > 0)
        self.hiddenSize = hiddenSize
        self.dtype = dtype
    }

    /// Bytes of one row.
    package var byteCount: Int { hiddenSize * dtype.byteSize }
}
