package import Experts
package import Wire

extension ExchangeDType {
    package init(_ dtype: WireDType) {
        self =
            switch dtype {
            case .f32: .f32
            case .bf16: .bf16
            case .fp8: .fp8
            }
    }

    package var onTheWire: WireDType {
        switch self {
        case .f32: .f32
        case .bf16: .bf16
        case .fp8: .fp8
        }
    }
}
