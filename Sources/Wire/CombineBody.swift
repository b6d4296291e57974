/// A validated view of a combine's payload: the answers [pairCount, hiddenSize], in the order of the dispatch's pairs.
/// Points into the payload; valid as long as that is.
package struct CombineBody {
    package let shape: RowShape
    package let answers: UnsafeRawBufferPointer
    package var pairCount: Int { answers.count / shape.answerByteCount }

    /// `expectedPairs`: how many pairs the dispatch of this flight asked for.
    package init(
        header: FrameHeader, payload: UnsafeRawBufferPointer, shape: RowShape, expectedPairs: Int
    ) throws(BodyError) {
        guard header.kind == .combine else { throw .wrongKind(header.kind) }
        guard header.dtype == shape.dtype.answer else {
            throw .wrongDType(header.dtype, expected: shape.dtype.answer)
        }
        let pairCount = Int(header.pairCount)
        guard pairCount == expectedPairs else { throw .wrongPairCount(pairCount, expected: expectedPairs) }
        let expected = Self.byteCount(pairs: pairCount, shape: shape)
        guard payload.count == expected else { throw .wrongLength(byteCount: payload.count, expected: expected) }
        self.shape = shape
        self.answers = payload
    }

    /// The answer of one pair: hiddenSize values of the dtype of answers.
    package func answer(_ pair: Int) -> UnsafeRawPointer {
        UnsafeRawPointer(answers.baseAddress!) + pair * shape.answerByteCount
    }

    /// Bytes of a combine's payload.
    package static func byteCount(pairs: Int, shape: RowShape) -> Int { pairs * shape.answerByteCount }

    /// The header of the combine that answers `dispatch` with all its pairs.
    package static func header(
        answering dispatch: FrameHeader, shape: RowShape, elapsedMicroseconds: UInt32
    ) -> FrameHeader {
        FrameHeader(
            kind: .combine, dtype: shape.dtype.answer, epoch: dispatch.epoch, layer: dispatch.layer,
            flight: dispatch.flight,
            pairCount: dispatch.pairCount, elapsedMicroseconds: elapsedMicroseconds,
            payloadLength: byteCount(pairs: Int(dispatch.pairCount), shape: shape))
    }
}
