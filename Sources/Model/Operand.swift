internal import Kernels

/// Room for rows on their way into a product: rounded to bf16 where the arithmetic is `fast`, as they are where it is
/// f32.
final class Operand {
    private let narrow: AlignedBuffer<UInt16>

    init(count: Int, compute: Compute) {
        narrow = AlignedBuffer(count: compute == .fast ? count : 0)
    }

    /// - Parameter values: [rows, columns] f32, `stride` elements from row to row; stays in use while the result is.
    func load(
        _ values: UnsafePointer<Float>, rows: Int, columns: Int, stride: Int? = nil, _ processor: Processor
    ) -> Activations {
        let stride = stride ?? columns
        guard processor.compute == .fast else {
            return Activations(.f32(values), rows: rows, columns: columns, stride: stride)
        }
        precondition(rows * columns <= narrow.count, "the operand has no room for these rows")
        processor.team.forEach(rows) { row in
            processor.kernels.narrow(values + row * stride, count: columns, into: narrow.pointer + row * columns)
        }
        return Activations(.bf16(narrow.pointer), rows: rows, columns: columns)
    }
}
