/// What both sides agreed on about the rows of tensor frames, by the assignment.
package struct RowShape: Sendable, Equatable {
    /// Values of one row.
    package let hiddenSize: Int
    /// Of the rows that are dispatched.
    package let dtype: WireDType

    package init(hiddenSize: Int, dtype: WireDType) {
        precondition(hiddenSize > 0)
        self.hiddenSize = hiddenSize
        self.dtype = dtype
    }

    /// Bytes of a row that is dispatched.
    package var byteCount: Int { dtype.byteCount(values: hiddenSize) }

    /// Bytes of an answer.
    package var answerByteCount: Int { dtype.answer.byteCount(values: hiddenSize) }
}
