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
        processor.team.forEach(rows) { row in
            take(values + row * stride, count: columns, at: row * columns, processor)
        }
        return loaded(values, rows: rows, columns: columns, processor)
    }

    /// Takes in some values, for `loaded` to give out: `offset` elements from the first, rows without gaps.
    func take(_ values: UnsafePointer<Float>, count: Int, at offset: Int, _ processor: Processor) {
        guard processor.compute == .fast else { return }
        precondition(offset + count <= narrow.count, "the operand has no room for these rows")
        processor.kernels.narrow(values, count: count, into: narrow.pointer + offset)
    }

    /// Rows of which every part has been taken in.
    /// - Parameter values: [rows, columns] f32.
    func loaded(_ values: UnsafePointer<Float>, rows: Int, columns: Int, _ processor: Processor) -> Activations {
        switch processor.compute {
        case .f32: Activations(.f32(values), rows: rows, columns: columns)
        case .fast: Activations(.bf16(narrow.pointer), rows: rows, columns: columns)
        }
    }
}
