/// The arithmetic of products: `f32` keeps activations in f32; `fast` rounds what enters a product to bf16, or to INT8
/// where the matrix is INT8, and still accumulates in f32.
package enum Compute: String, Sendable, CaseIterable {
    case f32
    case fast
}

/// A view of activation rows [rows, columns] as products read them. Does not own its memory.
package struct Activations {
    package enum Values {
        case f32(UnsafePointer<Float>)
        case bf16(UnsafePointer<UInt16>)
        /// For INT8 matrices alone.
        case int8(CodeRows)
        /// The same numbers for any matrix: codes for those of INT8, bf16 for others.
        case bf16AndInt8(UnsafePointer<UInt16>, CodeRows)
    }

    package let values: Values
    package let rows: Int
    package let columns: Int
    /// Elements from one row to the next; codes have a stride of their own.
    package let stride: Int

    package init(_ values: Values, rows: Int, columns: Int, stride: Int? = nil) {
        self.values = values
        self.rows = rows
        self.columns = columns
        self.stride = stride ?? columns
    }

    /// A view of some rows and columns.
    package func slice(rows rowRange: Range<Int>? = nil, columns columnRange: Range<Int>? = nil) -> Activations {
        let rowRange = rowRange ?? 0..<rows
        let columnRange = columnRange ?? 0..<columns
        precondition(rowRange.lowerBound >= 0 && rowRange.upperBound <= rows, "rows outside the activations")
        precondition(
            columnRange.lowerBound >= 0 && columnRange.upperBound <= columns, "columns outside the activations")
        let offset = rowRange.lowerBound * stride + columnRange.lowerBound
        precondition(!hasCodes || columnRange == 0..<columns, "columns of codes share their blocks")
        return Activations(
            moved(offset) { $0.rows(from: rowRange.lowerBound) }, rows: rowRange.count, columns: columnRange.count,
            stride: stride)
    }

    /// A view of every `step`th row from one on.
    package func rows(from first: Int, by step: Int) -> Activations {
        precondition(first >= 0 && first < step && rows.isMultiple(of: step), "rows outside the activations")
        return Activations(
            moved(first * stride) { $0.rows(from: first, by: step) }, rows: rows / step, columns: columns,
            stride: step * stride)
    }

    private func moved(_ offset: Int, _ move: (CodeRows) -> CodeRows) -> Values {
        switch values {
        case .f32(let pointer): .f32(pointer + offset)
        case .bf16(let pointer): .bf16(pointer + offset)
        case .int8(let codes): .int8(move(codes))
        case .bf16AndInt8(let pointer, let codes): .bf16AndInt8(pointer + offset, move(codes))
        }
    }

    private var hasCodes: Bool {
        switch values {
        case .f32, .bf16: false
        case .int8, .bf16AndInt8: true
        }
    }
}
