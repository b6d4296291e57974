package import Kernels

/// One tensor that a config calls for.
package struct TensorSpec: Equatable, Sendable {
    /// What the tensor is for.
    package enum Role: Hashable, Sendable {
        case embedding
        /// The layers' norms and the final one (nil).
        case norm(layer: Int?)
        case attention(layer: Int)
        case router(layer: Int)
        case expert(layer: Int, expert: Int)
        case sharedExpert(layer: Int)
        case dense(layer: Int)
        case head
        /// What an MTP layer has beyond an ordinary layer.
        case mtp(layer: Int)

        /// nil for the embedding, the final norm and the head.
        package var layer: Int? {
            switch self {
            case .embedding, .head: nil
            case .norm(let layer): layer
            case .attention(let layer), .router(let layer), .expert(let layer, _), .sharedExpert(let layer),
                .dense(let layer), .mtp(let layer):
                layer
            }
        }
    }

    /// Which of its role's tensors it is.
    package enum Part: Sendable {
        case embedding, head, norm, router, routerBias, join
        case query, queryDown, queryUp, latentDown, latentUp, output
        case gate, up, down
    }

    package let name: String
    package let shape: [Int]
    package let dtype: WeightDType
    package let role: Role
    package let part: Part
    /// If these are the scales of the tensor of the same role and part: the block that each of them belongs to.
    package var scaleBlock: BlockShape?

    package var isScale: Bool { scaleBlock != nil }

    /// Whether a routed expert needs it, and nothing else.
    package var isRouted: Bool {
        if case .expert = role { true } else { false }
    }

    package var elementCount: Int { shape.reduce(1, *) }
    package var byteCount: Int { shape.dropLast().reduce(1, *) * dtype.byteCount(shape.last ?? 1) }
}
