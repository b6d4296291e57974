internal import Kernels

/// Hidden vectors that have travelled, as the products read them: bf16 in `fast`, else f32.
struct RowDecoder {
    private let processor: Processor
    private let hiddenSize: Int
    private let exchange: ExchangeDType
    private let wide: AlignedBuffer<Float>
    private let narrow: AlignedBuffer<UInt16>

    init(processor: Processor, hiddenSize: Int, maximumRows: Int, exchange: ExchangeDType) {
        self.processor = processor
        self.hiddenSize = hiddenSize
        self.exchange = exchange
        let count = maximumRows * hiddenSize
        switch (exchange, processor.compute) {
        case (.f32, .f32), (.bf16, .fast): (wide, narrow) = (AlignedBuffer(count: 0), AlignedBuffer(count: 0))
        case (.f32, .fast): (wide, narrow) = (AlignedBuffer(count: 0), AlignedBuffer(count: count))
        case (.bf16, .f32), (.fp8, .f32): (wide, narrow) = (AlignedBuffer(count: count), AlignedBuffer(count: 0))
        case (.fp8, .fast): (wide, narrow) = (AlignedBuffer(count: count), AlignedBuffer(count: count))
        }
    }

    /// - Parameter rows: [count] rows of the exchange dtype.
    /// - Returns: [count, hidden size] numbers; valid until the next call, and as long as `rows`.
    func decode(_ rows: UnsafeRawPointer, count: Int) -> UnsafeRawPointer {
        let values = count * hiddenSize
        switch (exchange, processor.compute) {
        case (.f32, .f32), (.bf16, .fast):
            return rows
        case (.f32, .fast):
            processor.narrow(rows.assumingMemoryBound(to: Float.self), count: values, into: narrow.pointer)
        case (.bf16, .f32):
            let rows = rows.assumingMemoryBound(to: UInt16.self)
            processor.forEachBlock(of: count, columns: hiddenSize) { block in
                let first = block.lowerBound * hiddenSize
                processor.kernels.widen(rows + first, count: block.count * hiddenSize, into: wide.pointer + first)
            }
        case (.fp8, _):
            processor.forEachBlock(of: count, columns: hiddenSize) { block in
                for row in block { decode(rows + row * exchange.rowByteCount(hiddenSize), row: row) }
            }
        }
        return processor.compute == .fast ? UnsafeRawPointer(narrow.pointer) : UnsafeRawPointer(wide.pointer)
    }

    private func decode(_ row: UnsafeRawPointer, row index: Int) {
        let scales = row.assumingMemoryBound(to: Float.self)
        let codes = (row + 4 * ExchangeDType.scaleCount(hiddenSize)).assumingMemoryBound(to: UInt8.self)
        let output = wide.pointer + index * hiddenSize
        processor.kernels.widen(codes: codes, scales: scales, count: hiddenSize, into: output)
        if processor.compute == .fast {
            processor.kernels.narrow(output, count: hiddenSize, into: narrow.pointer + index * hiddenSize)
        }
    }
}
