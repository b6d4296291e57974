package import Kernels

/// What the matrices of a model are held as in memory, where not as they are stored. Routers, norms and embeddings
/// always stay as they are stored: they are small or read row by row, and a router's error sends a token elsewhere.
package struct HeldDTypes: Sendable, Equatable {
    /// Of routed experts.
    package let expert: HeldDType?
    /// Of all other matrices.
    package let dense: HeldDType?

    package init(expert: HeldDType? = nil, dense: HeldDType? = nil) {
        self.expert = expert
        self.dense = dense
    }

    /// nil: as stored.
    package func held(_ role: TensorSpec.Role, _ part: TensorSpec.Part) -> HeldDType? {
        if case .expert = role { expert } else { Self.dense(dense, part) }
    }

    /// What a matrix outside of the routed experts is held as when `dtype` is asked for. Where that is INT4, the head
    /// and the projections into and out of the latent are INT8: they are a small part of a model, and every position
    /// that is remembered goes through the latter.
    package static func dense(_ dtype: HeldDType?, _ part: TensorSpec.Part) -> HeldDType? {
        switch part {
        case .embedding, .norm, .router, .routerBias: nil
        case .head, .latentDown, .latentUp: dtype == .int4 ? .int8 : dtype
        case .join, .query, .queryDown, .queryUp, .output, .gate, .up, .down: dtype
        }
    }
}
