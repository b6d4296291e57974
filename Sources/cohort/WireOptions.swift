internal import ArgumentParser
internal import Experts
internal import Kernels

/// What travels between the coordinator and the experts: the flag of every command that runs a model.
struct WireOptions: ParsableArguments {
    @Option(
        name: .customLong("wire"),
        help: """
            How hidden vectors travel to the experts and answers back: f32; bf16; or fp8 (e4m3 with a scale for each \
            128 columns), with answers in bf16: half the bytes out, and up to seven times the error of bf16. Default: \
            what the arithmetic loses nothing by, bf16 for fast and f32 for f32.
            """)
    var chosen: ExchangeDType?

    func dtype(for compute: Compute) -> ExchangeDType { chosen ?? .standard(for: compute) }
}

extension ExchangeDType: ExpressibleByArgument {}
