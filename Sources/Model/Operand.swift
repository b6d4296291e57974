internal import Kernels

/// Room for rows on their way into a product: in the forms that its matrices read where the arithmetic is `fast`, as
/// they are where it is f32.
final class Operand {
    private let compute: Compute
    private let narrow: AlignedBuffer<UInt16>
    private let blocks: AlignedBuffer<UInt8>

    init(rows: Int, columns: Int, compute: Compute) {
        let rows = compute == .fast ? rows : 0
        self.compute = compute
        narrow = AlignedBuffer(count: rows * columns)
        blocks = AlignedBuffer(count: rows * CodeRows.byteCount(columns: columns))
    }

    /// - Parameters:
    ///   - values: [rows, columns] f32, `stride` elements from row to row; stays in use while the result is.
    ///   - forms: what the matrices are multiplied by.
    func load(
        _ values: UnsafePointer<Float>, rows: Int, columns: Int, stride: Int? = nil, for forms: RowForms,
        _ processor: Processor
    ) -> Activations {
        let stride = stride ?? columns
        if compute == .fast {
            processor.forEachBlock(of: rows, columns: columns) { block in
                for row in block {
                    take(row: row, values + row * stride, columns: columns, for: forms, processor.kernels)
                }
            }
        }
        return loaded(values, rows: rows, columns: columns, stride: stride, for: forms)
    }

    /// Takes in one row, for `loaded` to give out.
    func take(
        row: Int, _ values: UnsafePointer<Float>, columns: Int, for forms: RowForms, _ kernels: KernelSet
    ) {
        take(values, count: columns, at: row * columns, for: forms, kernels)
        guard takesCodes(for: forms) else { return }
        let size = CodeRows.byteCount(columns: columns)
        precondition((row + 1) * size <= blocks.count, "the operand has no room for these rows")
        kernels.narrow(values, count: columns, blocks: blocks.pointer + row * size)
    }

    /// Takes in some values, `offset` elements from the first, rows without gaps. Codes want whole rows.
    func take(
        _ values: UnsafePointer<Float>, count: Int, at offset: Int, for forms: RowForms, _ kernels: KernelSet
    ) {
        guard compute == .fast, forms.contains(.bf16) else { return }
        precondition(offset + count <= narrow.count, "the operand has no room for these rows")
        kernels.narrow(values, count: count, into: narrow.pointer + offset)
    }

    /// Whether rows are to become codes.
    func takesCodes(for forms: RowForms) -> Bool { compute == .fast && forms.contains(.int8) }

    /// Rows that have been taken in.
    /// - Parameters:
    ///   - values: [rows, columns] f32, `stride` elements from row to row.
    ///   - first: as which row the first of them has been taken in.
    func loaded(
        _ values: UnsafePointer<Float>, rows: Int, columns: Int, stride: Int? = nil, from first: Int = 0,
        for forms: RowForms
    ) -> Activations {
        switch compute {
        case .f32: Activations(.f32(values), rows: rows, columns: columns, stride: stride)
        case .fast:
            Activations(
                forms, bf16: narrow.pointer + first * columns,
                codes: CodeRows(blocks.pointer, stride: CodeRows.byteCount(columns: columns)).rows(from: first),
                rows: rows, columns: columns)
        }
    }
}
