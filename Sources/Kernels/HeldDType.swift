/// What weights are made of when they are brought into memory, if not what they are stored as. The names are those of
/// the command line.
package enum HeldDType: String, Sendable, CaseIterable {
    case fp8
    case bf16
    case int8
    case int4

    package var dtype: WeightDType {
        switch self {
        case .fp8: .f8e4m3
        case .bf16: .bf16
        case .int8: .int8
        case .int4: .int4
        }
    }

    /// Columns of a row that share one scale: as many as in the blocks of published FP8 models, so that products cost
    /// the same; a scale is 3 % of INT8's bytes and 6 % of INT4's. Every row, and every slice of one, begins a group.
    package static let groupColumns = 128

    /// Scales of a row; 0 if there are none.
    package func scales(columns: Int) -> Int {
        dtype.isScaled ? (columns + Self.groupColumns - 1) / Self.groupColumns : 0
    }

    /// Bytes of a matrix, scales included.
    package func byteCount(rows: Int, columns: Int) -> Int {
        dtype.byteCount(rows: rows, columns: columns)
            + dtype.filled(rows) * scales(columns: columns) * MemoryLayout<Float>.size
    }
}
