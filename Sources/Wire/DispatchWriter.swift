/// Gathers one worker's dispatch of one layer without copying rows. Kept from layer to layer, so that a step allocates
/// nothing once it has grown.
package struct DispatchWriter {
    package let shape: RowShape
    package private(set) var pairs: [ExpertPair] = []
    /// The rows to send, as indices into the sender's hidden rows, in sending order.
    package private(set) var sourceRows: [Int] = []
    private var segments: [UnsafeRawBufferPointer] = []

    package init(shape: RowShape) {
        self.shape = shape
    }

    /// Forgets what was gathered and keeps the memory.
    package mutating func removeAll() {
        pairs.removeAll(keepingCapacity: true)
        sourceRows.removeAll(keepingCapacity: true)
    }

    /// Asks for one answer. All pairs of one source row are added one after another: a row is sent once.
    package mutating func add(sourceRow: Int, expert: Int, rank: Int) {
        if sourceRows.last != sourceRow { sourceRows.append(sourceRow) }
        pairs.append(ExpertPair(row: sourceRows.count - 1, expert: expert, rank: rank))
    }

    /// Calls `send` with the header and the segments of the payload: the pairs, then runs of adjacent rows of `hidden`
    /// [_, hiddenSize] in the shape's dtype. The segments are valid inside `send` only.
    package mutating func write<Failure: Error>(
        hidden: UnsafeRawPointer, epoch: UInt32, layer: Int, flight: UInt64,
        _ send: (FrameHeader, [UnsafeRawBufferPointer]) throws(Failure) -> Void
    ) throws(Failure) {
        let header = FrameHeader(
            kind: .dispatch, dtype: shape.dtype, epoch: epoch, layer: UInt32(layer), flight: flight,
            rowCount: UInt32(sourceRows.count), pairCount: UInt32(pairs.count),
            payloadLength: DispatchBody.byteCount(rows: sourceRows.count, pairs: pairs.count, shape: shape))
        var segments: [UnsafeRawBufferPointer] = []
        swap(&segments, &self.segments)
        defer { swap(&segments, &self.segments) }
        segments.removeAll(keepingCapacity: true)
        try pairs.withUnsafeBufferPointer { (pairs) throws(Failure) in
            segments.append(UnsafeRawBufferPointer(pairs))
            appendRuns(of: hidden, to: &segments)
            try send(header, segments)
        }
    }

    private func appendRuns(of hidden: UnsafeRawPointer, to segments: inout [UnsafeRawBufferPointer]) {
        var index = 0
        while index < sourceRows.count {
            var end = index + 1
            while end < sourceRows.count, sourceRows[end] == sourceRows[end - 1] + 1 { end += 1 }
            let start = hidden + sourceRows[index] * shape.byteCount
            segments.append(UnsafeRawBufferPointer(start: start, count: (end - index) * shape.byteCount))
            index = end
        }
    }
}
