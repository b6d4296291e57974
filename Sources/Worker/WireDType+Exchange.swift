internal import Experts
internal import Wire

extension WireDType {
    /// The same for those who compute.
    var exchange: ExchangeDType {
        switch self {
        case .f32: .f32
        case .bf16: .bf16
        case .fp8: .fp8
        }
    }
}
