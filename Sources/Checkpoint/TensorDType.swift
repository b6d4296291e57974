package import Kernels

/// The dtype of a stored tensor: one that kernels read, or one that is only listed.
package enum TensorDType: Hashable, Sendable, CustomStringConvertible {
    case weight(WeightDType)
    /// As the file calls it.
    case other(String)

    init(name: String) {
        self =
            switch name {
            case "F32": .weight(.f32)
            case "F16": .weight(.f16)
            case "BF16": .weight(.bf16)
            case "F8_E4M3": .weight(.f8e4m3)
            default: .other(name)
            }
    }

    /// The name of the dtype in safetensors files.
    package var description: String {
        switch self {
        case .weight(.f32): "F32"
        case .weight(.f16): "F16"
        case .weight(.bf16): "BF16"
        case .weight(.f8e4m3): "F8_E4M3"
        case .weight(.int8): "INT8"
        case .weight(.int4): "INT4"
        case .other(let name): name
        }
    }

    /// Bytes of one element; nil if unknown or not a whole number of bytes.
    var byteSize: Int? {
        switch self {
        case .weight(let dtype): dtype.byteCount(1)
        case .other(let name): Self.otherByteSizes[name]
        }
    }

    private static let otherByteSizes = [
        "BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E8M0": 1, "I16": 2, "U16": 2, "I32": 4, "U32": 4, "I64": 8,
        "U64": 8, "F64": 8, "C64": 8,
    ]
}
