/// What a checkpoint consists of: the numbers behind `cohort inspect`.
package struct CheckpointReport: Codable, Equatable, Sendable {
    package struct Total: Codable, Equatable, Sendable {
        package var tensors = 0
        /// Trained numbers; block scales do not count.
        package var parameters = 0
        /// With block scales.
        package var bytes = 0
    }

    /// A run of layers of one kind.
    package struct LayerGroup: Codable, Equatable, Sendable {
        package enum Kind: String, Codable, Sendable {
            case dense
            case experts
            case mtp
        }
        package let kind: Kind
        package let first: Int
        package let last: Int
        package let total: Total
    }

    package struct Group: Codable, Equatable, Sendable {
        /// A role, a dtype or a file.
        package let name: String
        package let total: Total
    }

    package let model: String
    package let modelType: String
    package let routedExperts: Int
    package let expertsPerToken: Int
    package let sharedExperts: Int
    package let total: Total
    package let layers: [LayerGroup]
    package let roles: [Group]
    package let dtypes: [Group]
    /// Empty if the report is of a config alone.
    package let shards: [Group]

    /// What is in the files. Maps every shard; reads headers.
    package init(_ checkpoint: Checkpoint) throws(CheckpointError) {
        let entries = try checkpoint.allRecords().map { name, shard, record in
            Entry(
                name: name, dtype: record.dtype, elementCount: record.elementCount, byteCount: record.byteCount,
                shard: shard)
        }
        self.init(model: checkpoint.folder, config: checkpoint.config, entries: entries)
    }

    /// What the published format of a config has.
    /// - Parameter model: what the report calls it.
    package init(_ layout: ModelLayout, model: String) {
        let entries = layout.tensors.map { spec in
            Entry(
                name: spec.name, dtype: .weight(spec.dtype), elementCount: spec.elementCount,
                byteCount: spec.byteCount, shard: nil)
        }
        self.init(model: model, config: layout.config, entries: entries)
    }
}

extension CheckpointReport {
    private struct Entry {
        let name: String
        let dtype: TensorDType
        let elementCount: Int
        let byteCount: Int
        let shard: String?
    }

    private enum RoleName: String, CaseIterable {
        case embedding
        case attention
        case norms
        case router
        case shared = "shared experts"
        case routed = "routed experts"
        case dense
        case head
        case mtp
        case other
    }

    private init(model: String, config: ModelConfig, entries: [Entry]) {
        var roles: [RoleName: Total] = [:]
        var kinds: [LayerGroup.Kind: Total] = [:]
        var dtypes: [String: Total] = [:]
        var shards: [String: Total] = [:]
        var total = Total()
        let specs = Dictionary(ModelLayout(config).tensors.map { ($0.name, $0) }) { first, _ in first }
        for entry in entries {
            let (spec, isScale) = Self.spec(of: entry.name, in: specs)
            let parameters = isScale ? 0 : entry.elementCount
            let layer = spec?.role.layer
            total.add(parameters, entry.byteCount)
            roles[Self.role(spec, config), default: Total()].add(parameters, entry.byteCount)
            dtypes[entry.dtype.description, default: Total()].add(parameters, entry.byteCount)
            if let shard = entry.shard { shards[shard, default: Total()].add(parameters, entry.byteCount) }
            if let layer { kinds[Self.kind(layer, config), default: Total()].add(parameters, entry.byteCount) }
        }
        self.model = model
        modelType = config.modelType.rawValue
        routedExperts = config.expertCount
        expertsPerToken = config.expertsPerToken
        sharedExperts = config.sharedExpertCount
        self.total = total
        layers = Self.layerRanges(config).compactMap { kind, range in
            kinds[kind].map { LayerGroup(kind: kind, first: range.lowerBound, last: range.upperBound - 1, total: $0) }
        }
        self.roles = RoleName.allCases.compactMap { role in
            roles[role].map { Group(name: role.rawValue, total: $0) }
        }
        self.dtypes = Self.sorted(dtypes)
        self.shards = Self.sorted(shards)
    }

    private static func sorted(_ totals: [String: Total]) -> [Group] {
        totals.sorted { $0.key < $1.key }.map { Group(name: $0.key, total: $0.value) }
    }

    /// The layout's tensor of that name, or the one whose scales these are.
    private static func spec(of name: String, in specs: [String: TensorSpec]) -> (TensorSpec?, isScale: Bool) {
        if let spec = specs[name] { return (spec, spec.isScale) }
        guard let weight = TensorName.weight(ofScale: name) else { return (nil, false) }
        return (specs[weight], true)
    }

    private static func layerRanges(_ config: ModelConfig) -> [(LayerGroup.Kind, Range<Int>)] {
        [
            (.dense, 0..<config.denseLayerCount), (.experts, config.expertLayers),
            (.mtp, config.layerCount..<config.layerCount + config.mtpLayerCount),
        ]
    }

    private static func kind(_ layer: Int, _ config: ModelConfig) -> LayerGroup.Kind {
        if layer >= config.layerCount { return .mtp }
        return layer < config.denseLayerCount ? .dense : .experts
    }

    /// What a report calls the role of a tensor.
    static func roleName(_ spec: TensorSpec, _ config: ModelConfig) -> String { role(spec, config).rawValue }

    private static func role(_ spec: TensorSpec?, _ config: ModelConfig) -> RoleName {
        guard let spec else { return .other }
        if let layer = spec.role.layer, layer >= config.layerCount { return .mtp }
        switch spec.role {
        case .embedding: return .embedding
        case .norm: return .norms
        case .attention: return .attention
        case .router: return .router
        case .expert: return .routed
        case .sharedExpert: return .shared
        case .dense: return .dense
        case .head: return .head
        case .mtp: return .mtp
        }
    }
}

extension CheckpointReport.Total {
    fileprivate mutating func add(_ parameters: Int, _ bytes: Int) {
        tensors += 1
        self.parameters += parameters
        self.bytes += bytes
    }
}
