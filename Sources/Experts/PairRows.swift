internal import Kernels

/// A layer's input as its experts' products read it: rows that lie apart are brought together for one product at a
/// time.
final class PairRows {
    private let processor: Processor
    private let hiddenSize: Int
    /// Elements from one row that was brought together to the next: at a power of two few rows would fit a cache.
    private let stride: Int
    /// Of every row of the input, for INT8 experts.
    private let codes: AlignedBuffer<UInt8>
    /// [rows, hidden size]: bf16 in `fast`, else f32.
    private var input: UnsafeRawPointer

    /// - Parameter maximumRows: the most rows of an input.
    init(processor: Processor, hiddenSize: Int, maximumRows: Int) {
        self.processor = processor
        self.hiddenSize = hiddenSize
        stride = hiddenSize + Self.gap
        codes = AlignedBuffer(
            count: processor.compute == .fast ? maximumRows * CodeRows.byteCount(columns: hiddenSize) : 0)
        input = UnsafeRawPointer(codes.pointer)
    }

    /// Bytes of scratch that `rows` wants.
    var scratchByteCount: Int { Self.most * (rowByteCount + codeByteCount) }

    /// - Parameters:
    ///   - input: [count, hidden size], bf16 in `fast`, else f32; stays in use until the next call.
    ///   - forms: what the experts may read it as.
    func load(_ input: UnsafeRawPointer, count: Int, for forms: RowForms) {
        self.input = input
        guard processor.compute == .fast, forms.contains(.int8) else { return }
        let (hiddenSize, size) = (hiddenSize, codeByteCount)
        let rows = input.assumingMemoryBound(to: UInt16.self)
        processor.forEachBlock(of: count, columns: hiddenSize) { block in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: hiddenSize) { values in
                guard let values = values.baseAddress else { return }
                for row in block {
                    processor.kernels.widen(rows + row * hiddenSize, count: hiddenSize, into: values)
                    processor.kernels.narrow(values, count: hiddenSize, blocks: codes.pointer + row * size)
                }
            }
        }
    }

    /// Some of the rows, no more than `most`, for one product; a single one where it stands.
    /// - Parameter scratch: `scratchByteCount` bytes at a 64-byte boundary, in use as long as the result.
    func rows(_ rows: ArraySlice<Int32>, for forms: RowForms, scratch: UnsafeMutableRawPointer) -> Activations {
        let codeScratch = scratch + Self.most * rowByteCount
        if rows.count == 1, let row = rows.first.map(Int.init) {
            return activations(
                forms, input + row * hiddenSize * elementByteCount, codes.pointer + row * codeByteCount,
                rows: 1)
        }
        for (place, row) in rows.enumerated() {
            if processor.compute == .f32 || forms.contains(.bf16) {
                (scratch + place * rowByteCount).copyMemory(
                    from: input + Int(row) * hiddenSize * elementByteCount, byteCount: hiddenSize * elementByteCount)
            }
            if processor.compute == .fast, forms.contains(.int8) {
                (codeScratch + place * codeByteCount).copyMemory(
                    from: codes.pointer + Int(row) * codeByteCount, byteCount: codeByteCount)
            }
        }
        return activations(forms, scratch, codeScratch, rows: rows.count)
    }

    private func activations(
        _ forms: RowForms, _ values: UnsafeRawPointer, _ codes: UnsafeRawPointer, rows: Int
    ) -> Activations {
        switch processor.compute {
        case .f32:
            Activations(
                .f32(values.assumingMemoryBound(to: Float.self)), rows: rows, columns: hiddenSize, stride: stride)
        case .fast:
            Activations(
                forms, bf16: values.assumingMemoryBound(to: UInt16.self),
                codes: CodeRows(codes, stride: codeByteCount), rows: rows, columns: hiddenSize, stride: stride)
        }
    }

    private var elementByteCount: Int { processor.compute == .fast ? 2 : 4 }
    private var rowByteCount: Int { stride * elementByteCount }
    private var codeByteCount: Int { CodeRows.byteCount(columns: hiddenSize) }

    /// Rows of one product: enough for the weights that it widens for them, few enough for a core's own caches.
    static let most = 128
    private static let gap = 32
}
