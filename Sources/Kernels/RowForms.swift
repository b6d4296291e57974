/// What rows of activations become on their way into the products of `fast`: INT8 matrices are multiplied by codes, all
/// others by bf16.
package struct RowForms: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    package static let bf16 = RowForms(rawValue: 1)
    package static let int8 = RowForms(rawValue: 2)
}

extension WeightMatrix {
    /// What it is multiplied by.
    package var inputForms: RowForms { dtype == .int8 ? .int8 : .bf16 }
}

extension UnownedMatrix {
    /// What it is multiplied by.
    package var inputForms: RowForms { isInt8 ? .int8 : .bf16 }
}

extension Activations {
    /// Rows in those of two forms that are there.
    /// - Parameter stride: elements from one row of bf16 to the next; `columns` if nil.
    package init(
        _ forms: RowForms, bf16: UnsafePointer<UInt16>, codes: CodeRows, rows: Int, columns: Int, stride: Int? = nil
    ) {
        let values: Values =
            switch forms {
            case .bf16: .bf16(bf16)
            case .int8: .int8(codes)
            default: .bf16AndInt8(bf16, codes)
            }
        self.init(values, rows: rows, columns: columns, stride: stride)
    }
}
