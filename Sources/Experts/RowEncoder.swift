package import Kernels

/// Hidden vectors as they travel to the experts.
package struct RowEncoder {
    private let processor: Processor
    private let hiddenSize: Int
    private let exchange: ExchangeDType
    private let rows: AlignedBuffer<UInt8>

    package init(processor: Processor, hiddenSize: Int, maximumRows: Int, exchange: ExchangeDType) {
        self.processor = processor
        self.hiddenSize = hiddenSize
        self.exchange = exchange
        rows = AlignedBuffer(count: exchange == .f32 ? 0 : maximumRows * exchange.rowByteCount(hiddenSize))
    }

    /// - Parameter hidden: [count, hidden size] f32.
    /// - Returns: [count] rows of the exchange dtype; valid until the next call, and as long as `hidden`.
    package func encode(_ hidden: UnsafePointer<Float>, count: Int) -> UnsafeRawPointer {
        switch exchange {
        case .f32:
            return UnsafeRawPointer(hidden)
        case .bf16:
            let output = UnsafeMutableRawPointer(rows.pointer).assumingMemoryBound(to: UInt16.self)
            processor.narrow(hidden, count: count * hiddenSize, into: output)
        case .fp8:
            processor.forEachBlock(of: count, columns: hiddenSize) { block in
                for row in block { encode(hidden + row * hiddenSize, row: row) }
            }
        }
        return UnsafeRawPointer(rows.pointer)
    }

    private func encode(_ values: UnsafePointer<Float>, row: Int) {
        let start = UnsafeMutableRawPointer(rows.pointer) + row * exchange.rowByteCount(hiddenSize)
        let scales = start.assumingMemoryBound(to: Float.self)
        let codes = (start + 4 * ExchangeDType.scaleCount(hiddenSize)).assumingMemoryBound(to: UInt8.self)
        processor.kernels.narrow(values, count: hiddenSize, codes: codes, scales: scales)
    }
}
