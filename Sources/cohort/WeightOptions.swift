internal import ArgumentParser
internal import Checkpoint
internal import Kernels

/// What weights are held as in memory: the flags of every command that loads or plans a model.
struct WeightOptions: ParsableArguments {
    @Option(
        name: .customLong("expert-dtype"),
        help: """
            Hold the routed experts as this, converted as they are loaded, wherever they live; int8 and int4 have a \
            scale for each 128 columns of a row. Default: as stored.
            """)
    var expertDType: HeldDType?

    @Option(
        name: .customLong("dense-dtype"),
        help: """
            Likewise the shared expert, dense layers, attention's projections and the head; with int4 the head and the \
            latent's projections are int8. Router, norms and embedding stay as stored. Default: as stored.
            """)
    var denseDType: HeldDType?

    var held: HeldDTypes { HeldDTypes(expert: expertDType, dense: denseDType) }
}

extension HeldDType: ExpressibleByArgument {}
