internal import Checkpoint
internal import Kernels

/// Where the matrices come from that every token needs: a checkpoint, as stored or converted as they are loaded.
struct DenseWeights {
    let checkpoint: Checkpoint
    private let dtype: HeldDType?
    private let converter: WeightConverter
    /// By layer, those of no layer under nil.
    private let names: [Int?: [String]]

    /// - Parameter dtype: nil: as stored.
    init(_ checkpoint: Checkpoint, as dtype: HeldDType?, includesMTP: Bool, team: ThreadTeam) {
        self.checkpoint = checkpoint
        self.dtype = dtype
        converter = WeightConverter(team: team)
        let tensors = ModelLayout(checkpoint.config, includesMTP: includesMTP).tensors.filter { !$0.isRouted }
        names = Dictionary(grouping: tensors, by: \.role.layer).mapValues { $0.map(\.name) }
    }

    /// Reads all that is kept as stored.
    func readAhead() throws {
        if dtype == nil { try checkpoint.readAhead(names.values.joined()) }
    }

    /// Reads what is to be converted before the first matrix of a layer is: no more of the original stands in memory.
    /// - Parameter layer: nil: what belongs to none.
    func readAhead(layer: Int?) throws {
        if dtype != nil { try checkpoint.readAhead(names[layer] ?? []) }
    }

    /// - Throws: `CheckpointError` when the tensor is missing or has another shape or dtype.
    func matrix(_ name: String, rows: Int, columns: Int, _ part: TensorSpec.Part) throws -> WeightMatrix {
        held([try checkpoint.matrix(name, rows: rows, columns: columns)], part)[0]
    }

    /// Matrices that were made of a part's.
    /// - Parameter keepsOriginals: they are read beside what is made of them.
    func held(_ matrices: [WeightMatrix], _ part: TensorSpec.Part, keepsOriginals: Bool = false) -> [WeightMatrix] {
        guard let dtype = HeldDTypes.dense(dtype, part) else { return matrices }
        return converter.convert(matrices, to: dtype) { if !keepsOriginals { checkpoint.adviseDoNotNeed($0) } }
    }
}
